"""What is on a node of its Consul agent: what the agent says of itself, and what lies on the disk for its next start.

Of keys and tokens only digests leave the node, under a salt of the run, so that nodes can be compared.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import pwd
import re
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

from plumbline.remote.command import CommandError, run
from plumbline.remote.hcl import uncommented
from plumbline.remote.types import Json

_ELECTED = "cluster leadership acquired"
_LINE = re.compile(r"\[(?:ERROR|WARN)\]\s*(.+)")
_CONFIG = ("*.hcl", "*.json")
_AGENT = ("acl", "tokens", "agent")
"""Where an agent's own token stands."""
_LIMITS_S = (2.0, 4.0)
_LARGEST = 1 << 20


def describe(request: Json) -> Json:
    """The facts of an agent; `request` has address, port, token, config and data (folders), salt, within (s), server."""
    errors: dict[str, str] = {}
    parts: dict[str, Callable[[], Any]] = {
        "keyrings": lambda: _keyrings(request),
        "tokens": lambda: _tokens(request),
        "files": lambda: _files(request),
        "services": lambda: _services(request),
        "last_seen": lambda: _last_seen(request),
        "elections": lambda: _elections(request),
    }
    facts: Json = {"agent": _agent(request)}
    for name, part in parts.items():
        try:
            facts[name] = part()
        except (OSError, CommandError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            errors[name] = f"{type(error).__name__}: {error}"[:300]
    facts["errors"] = errors
    return facts


def _agent(request: Json) -> Json:
    """What it says with the gate's token, with none, and with one that nobody has made; or why it says nothing.

    One that did not answer in time is asked once more, with more patience.
    """
    first = _ask(request, _LIMITS_S[0])
    facts = _ask(request, _LIMITS_S[1]) if first["outcome"] == "timeout" else first
    if facts["outcome"] != "ok":
        facts["said"] = _said()
    return facts


def _ask(request: Json, limit: float) -> Json:
    where, path = (str(request["address"]), int(request["port"])), "/v1/agent/self"
    facts: Json = {"outcome": "ok", "error": None, "self": None, "status": {}, "checks": []}
    tokens = {"gate": str(request["token"]), "nobody": "", "stranger": str(uuid.uuid4())}
    end = time.monotonic() + limit  # for all of it: a node that answers each question late would be cut off unheard
    try:
        for name, token in tokens.items():
            status, body = get(where, path, token, end - time.monotonic())
            facts["status"][name] = status
            if name == "gate":
                facts["self"] = trimmed(json.loads(body)) if status == 200 else None
                facts["error"] = None if status == 200 else f"{status}: {body.decode('utf-8', 'replace').strip()}"[:300]
        status, body = get(where, "/v1/agent/checks", tokens["gate"], end - time.monotonic())
        facts["checks"] = [_check(check) for check in json.loads(body).values()] if status == 200 else []
    except TimeoutError:
        facts.update(outcome="timeout", error=f"no answer within {limit:g} s")
    except (OSError, ValueError, KeyError, TypeError) as error:
        facts.update(outcome="refused" if isinstance(error, ConnectionRefusedError) else "rubbish", error=str(error))
    return facts


def _check(said: Json) -> Json:
    """One of its checks: the catalog is not told when only how often it is made changes."""
    return {"instance": said["ServiceID"], "interval": said["Interval"], "timeout": said["Timeout"]}


def get(where: tuple[str, int], path: str, token: str, limit: float) -> tuple[int, bytes]:
    """Status and body of a page of the agent, plain HTTP. OSError or ValueError where there is none."""
    header = f"X-Consul-Token: {token}\r\n" if token else ""
    end, data = time.monotonic() + limit, b""
    with socket.create_connection(where, max(0.01, limit)) as sock:
        sock.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n{header}\r\n".encode())
        while len(data) < _LARGEST:
            sock.settimeout(max(0.01, end - time.monotonic()))
            chunk = sock.recv(1 << 16)
            if not chunk:
                break
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1."):
        raise ValueError(f"no HTTP: {head[:40]!r}")
    return int(head.split(b" ", 2)[1]), body


def trimmed(said: Json) -> Json:
    """Of an agent's whole state that which checks read; nothing secret is in it."""
    config, debug, stats = said["Config"], said["DebugConfig"], said["Stats"]
    acl = debug.get("ACLResolverSettings") or {}
    tls, static = debug.get("TLS") or {}, debug.get("StaticRuntimeConfig") or {}
    return {
        "name": config["NodeName"],
        "datacenter": config["Datacenter"],
        "server": bool(config["Server"]),
        "version": config["Version"],
        "acl": bool(debug.get("ACLsEnabled")),
        "default_policy": acl.get("ACLDefaultPolicy"),
        "bootstrap_expect": debug.get("BootstrapExpect"),
        "rejoin_age": debug.get("ServerRejoinAgeMax"),
        "gossip_verified": bool(static.get("EncryptVerifyIncoming") and static.get("EncryptVerifyOutgoing")),
        "encrypted": (stats.get("serf_lan") or {}).get("encrypted") == "true",
        "auto_encrypt": bool(debug.get("AutoEncryptTLS")),
        "auto_encrypt_allowed": bool(debug.get("AutoEncryptAllowTLS")),
        "rpc_tls": _listener(tls.get("InternalRPC") or {}),
        "https_tls": _listener(tls.get("HTTPS") or {}),
        "script_checks": bool(debug.get("EnableRemoteScriptChecks") or debug.get("EnableLocalScriptChecks")),
    }


def _listener(tls: Json) -> Json:
    return {
        "incoming": tls.get("VerifyIncoming"),
        "outgoing": tls.get("VerifyOutgoing"),
        "hostname": tls.get("VerifyServerHostname"),
        "least": tls.get("TLSMinVersion"),
    }


def _said() -> list[str]:
    """The last that the agent complained of; not what it refused to the gate itself, which asks as nobody too."""
    try:
        lines = run("journalctl", "--unit=consul", "--output=cat", "--lines=80", "--quiet").splitlines()
    except CommandError as error:
        return [str(error)[:200]]
    found = [m[1][:300] for m in map(_LINE.search, lines) if m and not m[1].startswith("agent.http:")]
    return list(dict.fromkeys(found))[-3:]


def _text(request: Json) -> dict[str, str]:
    """The files of its configuration, in the order in which it reads them."""
    found: dict[str, str] = {}
    for path in sorted(p for pattern in _CONFIG for p in glob.glob(os.path.join(request["config"], pattern))):
        with open(path, encoding="utf-8", errors="replace") as file:
            found[path] = file.read()
    return found


def _settings(text: str, *path: str) -> list[str]:
    """The texts at a place of JSON, or under the last key of it in HCL, without what is commented out.

    ValueError where the text begins as JSON does and is none.
    """
    if text.lstrip().startswith("{"):
        return _texts(json.loads(text), path)
    return re.findall(rf'(?<![\w"-])"?{path[-1]}"?\s*=\s*"([^"]+)"', uncommented(text))


def _texts(said: Any, path: tuple[str, ...]) -> list[str]:
    if isinstance(said, list):  # a block of HCL may stand in a list of its own
        return [text for each in said for text in _texts(each, path)]
    if not path:
        return [said] if said and isinstance(said, str) else []
    return _texts(said.get(path[0]), path[1:]) if isinstance(said, dict) else []


def _keyrings(request: Json) -> Json:
    """The keys of the gossip by digest: as configured (the last counts), and of both pools as the agent keeps them."""
    configured = [key for text in _text(request).values() for key in _settings(text, "encrypt")]
    found: Json = {"configured": [_digest(key, request) for key in configured[-1:]]}
    for pool, name in (("lan", "local"), ("wan", "remote")):
        try:
            with open(f"{request['data']}/serf/{name}.keyring", encoding="utf-8") as file:
                found[pool] = [_digest(key, request) for key in json.load(file)]
        except FileNotFoundError:
            found[pool] = []
    return found


def _tokens(request: Json) -> Json:
    """Whether the agent finds its own token again at its next start, and where."""
    configured = any(_settings(text, *_AGENT) for text in _text(request).values())
    try:
        with open(f"{request['data']}/acl-tokens.json", encoding="utf-8") as file:
            persisted = bool(json.load(file).get("agent"))
    except FileNotFoundError:
        persisted = False
    return {"configured": configured, "persisted": persisted}


def _files(request: Json) -> Json:
    """Mode and owner of each file that has a key or a token in it."""
    secret = [p for p, text in _text(request).items() if _settings(text, "encrypt") or _settings(text, *_AGENT)]
    kept = [*glob.glob(f"{request['data']}/serf/*.keyring"), *glob.glob(f"{request['data']}/acl-tokens.json")]
    found: Json = {}
    for path in [*secret, *kept]:
        state = os.stat(path)
        found[path] = {"mode": state.st_mode & 0o7777, "owner": _user(state.st_uid), "shut": _shut(path)}
    return found


def _shut(path: str) -> bool:
    """Whether a folder above keeps others out, whatever the mode of the file."""
    return not all(os.stat(folder).st_mode & 0o001 for folder in _above(path))


def _above(path: str) -> list[str]:
    folder = os.path.dirname(path)
    return [folder] if folder == "/" else [folder, *_above(folder)]


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _services(request: Json) -> Json:
    """By instance, the states that its checks are given before they were ever made; None where that is left to Consul."""
    found: Json = {}
    for path, text in _text(request).items():
        if not path.endswith(".json"):
            continue
        document = json.loads(text)
        for service in [*document.get("services", ()), *([document["service"]] if "service" in document else ())]:
            checks = [*service.get("checks", ()), *([service["check"]] if "check" in service else ())]
            found[service.get("id") or service["name"]] = [check.get("status") for check in checks]
    return found


def _last_seen(request: Json) -> float | None:
    """Seconds since this server last noted that it was there; None where it never did."""
    try:
        with open(f"{request['data']}/server_metadata.json", encoding="utf-8") as file:
            return time.time() - float(json.load(file)["last_seen_unix"])
    except FileNotFoundError:
        return None


def _elections(request: Json) -> int | None:
    """How often this server became the leader within the last seconds; None on a client."""
    if not request.get("server"):
        return None
    since = f"--since=-{int(request['within'])}s"
    log = run("journalctl", "--unit=consul", "--output=cat", "--quiet", since)
    return sum(_ELECTED in line for line in log.splitlines())


def _digest(key: str, request: Json) -> str:
    return hashlib.blake2b(key.encode(), key=bytes.fromhex(request["salt"]), digest_size=8).hexdigest()
