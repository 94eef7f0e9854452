"""The host keys that nodes show on the wire, and the authorities that the runner trusts to sign them."""

from __future__ import annotations

import base64
import hmac
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from plumbline.collect.access import Access
from plumbline.collect.again import patiently
from plumbline.collect.ssh import Login
from plumbline.facts.source import Source

_LIMIT_S = 5
_BANNER = "SSH-2.0"
_MARK = "@cert-authority"
_HASHED = "|1|"
_CERTIFICATE = re.compile(r"\S+-cert-v\d+@openssh\.com \S+")


def collect(access: Access, logins: list[Login]) -> dict[str, Any]:
    """By node: `certificates` and `authorities` (each as in a file of public keys), `error` where it failed.

    Only what a server shows before any login is asked for, so that it is told apart from what the client accepts.
    """
    with ThreadPoolExecutor(max(1, len(logins)), thread_name_prefix="host-keys") as pool:
        return dict(
            zip((login.node for login in logins), pool.map(lambda login: _of(access, login), logins), strict=True)
        )


def _of(access: Access, login: Login) -> dict[str, Any]:
    try:
        known = _resolved(access, login)
        host, port = known["hostname"][0], known["port"][0]
        shown = patiently(lambda patience: _scan(host, port, patience))
    except (OSError, subprocess.SubprocessError, KeyError) as error:
        shown = Source("rubbish", f"{type(error).__name__}: {error}"[:300])
    if shown.outcome != "ok":
        return {"certificates": [], "authorities": [], "error": shown.error}
    return {
        "certificates": _CERTIFICATE.findall(shown.facts["keys"]),
        "authorities": _authorities(known),
        "error": None,
    }


def _scan(host: str, port: str, patience: float) -> Source:
    """The keys that a server shows; none is an answer too, as long as it came before the limit."""
    limit, started = round(patience * _LIMIT_S), time.monotonic()
    silent = Source("timeout", f"{host} port {port} showed nothing within {limit} s")
    try:
        shown = _run("ssh-keyscan", "-c", "-T", str(limit), "-p", port, host, limit=limit)
    except subprocess.TimeoutExpired:
        return silent
    in_time = time.monotonic() - started < limit
    if shown.stdout or (_BANNER in shown.stderr and in_time):
        return Source("ok", facts={"keys": shown.stdout})
    return Source("unreachable", f"no SSH server at {host} port {port}") if in_time else silent


def _resolved(access: Access, login: Login) -> dict[str, list[str]]:
    """What the client makes of a name: its address, port, and files of known hosts."""
    options = ["-F", str(access.ssh_config)] if access.ssh_config else []
    options += ["-o", f"UserKnownHostsFile={access.known_hosts}"] if access.known_hosts else []
    options += ["-p", str(login.port)] if login.port != 22 else []
    lines = _run("ssh", *options, "-G", "--", login.host).stdout.splitlines()
    return {key: values.split() for key, _, values in (line.partition(" ") for line in lines)}


def _authorities(known: dict[str, list[str]]) -> list[str]:
    """The authorities whose signature the client takes for this host, from all its files of known hosts."""
    host, port = known["hostname"][0].lower(), known["port"][0]
    names = known.get("hostkeyalias") or [f"[{host}]:{port}", host]
    found = []
    for file in [*known.get("userknownhostsfile", []), *known.get("globalknownhostsfile", [])]:
        with suppress(OSError):
            lines = [line.split() for line in Path(file).expanduser().read_text(encoding="utf-8").splitlines()]
            found += [" ".join(line[2:4]) for line in lines if line[:1] == [_MARK] and _is_for(line[1:2], names)]
    return found


def _is_for(patterns: list[str], names: list[str]) -> bool:
    """Whether one of the names is among the hosts of a line: patterns with commas between them, or a digest."""
    each = patterns[0].lower().split(",") if patterns else []
    if patterns and patterns[0].startswith(_HASHED):
        return any(_digest(patterns[0], name) for name in names)
    for name in names:
        met = [pattern for pattern in each if _matches(pattern.removeprefix("!"), name)]
        if met and not any(pattern.startswith("!") for pattern in met):
            return True
    return False


def _matches(pattern: str, name: str) -> bool:
    """As OpenSSH does: only * and ? stand for something, brackets are those around a host with a port."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), name) is not None


def _digest(hashed: str, name: str) -> bool:
    """Whether `ssh-keygen -H` made a line's hosts of this name."""
    salt, _, told = hashed.removeprefix(_HASHED).partition("|")
    made = hmac.new(base64.b64decode(salt), name.encode(), "sha1").digest()
    return base64.b64encode(made).decode() == told


def _run(*command: str, limit: int = _LIMIT_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit + 1, check=False
    )
