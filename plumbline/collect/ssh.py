"""One round trip to a node: a text in, a document out, and an outcome of its own for each way in which that fails."""

from __future__ import annotations

import hashlib
import os
import secrets
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from plumbline.bed import Bed
from plumbline.collect import program
from plumbline.collect.access import Access
from plumbline.facts.source import Outcome, Source

_MOST_OUTPUT = 64 << 20
_PIPE = 4096
PORT = 22
"""Of SSH, where nobody says another."""
_SOCKET_PATH = 108
_SOCKET_SUFFIX = 18
_FAILURES: tuple[tuple[str, Outcome], ...] = (
    ("permission denied", "refused"),
    ("host key verification failed", "refused"),
    ("connection refused", "refused"),
    ("too many authentication failures", "refused"),
    ("administratively prohibited", "refused"),
    ("timed out", "timeout"),
    ("not responding", "timeout"),
    ("invalid characters", "rubbish"),
    ("banner line", "rubbish"),
    ("invalid ssh identification", "rubbish"),
    ("bad packet length", "rubbish"),
    ("protocol mismatch", "rubbish"),
)


@dataclass(frozen=True)
class Login:
    """Where a node is reached; `host` is a name that the ssh configuration knows, or an address."""

    node: str
    host: str
    port: int = PORT
    user: str = ""

    @classmethod
    def of(cls, bed: Bed, access: Access, node: str) -> Self:
        """By name where a configuration of ssh knows the names, else by address; as whom and where the bed file says."""
        declared = bed.nodes[node]
        host = node if access.ssh_config else str(declared.oobi or node)
        return cls(node, host, declared.port, declared.user or access.user)

    @property
    def address(self) -> str:
        """As user@host:port, without what is for the configuration of ssh to say."""
        return f"{f'{self.user}@' if self.user else ''}{self.host}{f':{self.port}' if self.port != PORT else ''}"


@dataclass(frozen=True)
class Ssh:
    """OpenSSH's client with connections that are shared between the round trips of one run."""

    access: Access
    folder: Path
    connect_timeout: int = 5

    def ask(self, login: Login, request: dict[str, Any], deadline: float) -> Source:
        """The document with which a node answers `request`; `deadline` is in seconds, for all of it."""
        nonce, started = secrets.token_hex(8), time.monotonic()
        text = program.text({**request, "nonce": nonce})
        control = self.folder / login.node
        shared = control.exists()
        outcome, error, told = self._run(login, text, deadline)
        if outcome == "unreachable" and shared:  # the shared connection died with the node's last boot
            control.unlink(missing_ok=True)
            outcome, error, told = self._run(login, text, deadline - (time.monotonic() - started))
        seconds = time.monotonic() - started
        if outcome != "ok":
            return Source(outcome, error, seconds)
        try:
            facts = program.read(told.output, nonce)
        except ValueError as why:
            shown = told.output.decode("utf-8", "replace").strip()[-160:]
            return Source("rubbish", f"{login.node}: {why}; {shown!r} {error or ''}".strip(), seconds)
        facts["clock"] = {"sent": told.sent, "received": told.received}
        return Source("ok", None, seconds, facts)

    def command(self, login: Login, python: str = "python3 -IS -") -> list[str]:
        """The command that starts a node's Python, as root there."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": str(self.connect_timeout),
            "ControlMaster": "auto",
            "ControlPath": str(self.folder / login.node),
            "ControlPersist": "20",
            "StrictHostKeyChecking": "yes",
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "2",
            "LogLevel": "ERROR",
            "ClearAllForwardings": "yes",
        }
        if self.access.known_hosts:
            options["UserKnownHostsFile"] = str(self.access.known_hosts)
        command = ["ssh", "-T", *(["-F", str(self.access.ssh_config)] if self.access.ssh_config else [])]
        for key, value in options.items():
            command += ["-o", f"{key}={value}"]
        if login.user:
            command += ["-l", login.user]
        if login.port != PORT:
            command += ["-p", str(login.port)]
        return [*command, "--", login.host, f"sudo -n {python}" if self.access.sudo else python]

    def _run(self, login: Login, text: bytes, deadline: float) -> tuple[Outcome, str | None, _Told]:
        # not a pipe for errors: that would stay open for as long as the connection is shared
        with tempfile.TemporaryFile(dir=self.folder) as errors:
            try:
                process = subprocess.Popen(
                    self.command(login), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, pipesize=_PIPE
                )
            except OSError as error:
                why = f"ssh cannot be started: {error.strerror}; apt install openssh-client"
                return "unreachable", f"{login.node}: {why}", _Told()
            with process:
                told = _exchange(process, text, time.monotonic() + deadline)
                if not told.ended:
                    process.kill()
            errors.seek(0)
            said = " ".join(errors.read(4096).decode("utf-8", "replace").split())[-300:]
        if not told.ended:
            if len(told.output) > _MOST_OUTPUT:
                return "rubbish", f"{login.node}: it answered without end", told
            return "timeout", f"{login.node}: no answer within {deadline:.1f} s {said}".strip(), told
        if process.returncode == 255:
            lower = said.lower()
            outcome: Outcome = next((o for words, o in _FAILURES if words in lower), "unreachable")
            return outcome, f"{login.node}: {said or 'the connection was closed'}", told
        return "ok", said or (f"exit code {process.returncode}" if process.returncode else None), told


@dataclass
class _Told:
    """What came back, whether all of it did, and when (Unix time) the last was sent and the first received.

    The node cannot have begun before the last of the text was taken from us, which, the pipe being small, is after the
    login: so the time that a login takes does not blur the comparison of clocks.
    """

    output: bytearray = field(default_factory=bytearray)
    ended: bool = False
    sent: float = 0.0
    received: float = 0.0


def _exchange(process: subprocess.Popen[bytes], text: bytes, end: float) -> _Told:
    """Sends the text and reads until the process ends, or `end` (monotonic)."""
    assert process.stdin is not None
    assert process.stdout is not None
    told, left = _Told(), memoryview(text)
    os.set_blocking(process.stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.get_map():
            events = selector.select(max(0.0, end - time.monotonic()))
            if time.monotonic() >= end or len(told.output) > _MOST_OUTPUT:
                return told
            for key, _ in events:
                if key.fileobj is process.stdout:
                    chunk = os.read(process.stdout.fileno(), 1 << 16)
                    told.output += chunk
                    told.received = time.time()
                    if not chunk:
                        selector.unregister(process.stdout)
                    continue
                told.sent = time.time()
                try:
                    left = left[os.write(process.stdin.fileno(), left[:_PIPE]) :]
                except BrokenPipeError:
                    left = left[:0]
                if not left:
                    selector.unregister(process.stdin)
                    with suppress(BrokenPipeError):
                        process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.05, end - time.monotonic()))
        told.ended = True
    return told


def control_folder(out: Path, nodes: Iterable[str]) -> Path:
    """Where the shared connections of a run have their sockets: beside its facts, or elsewhere if that is too long."""
    longest = max(map(len, nodes), default=0)
    beside = out / "ssh"
    if len(os.fsencode(beside.absolute())) + 1 + longest + _SOCKET_SUFFIX < _SOCKET_PATH:
        return beside
    digest = hashlib.blake2b(os.fsencode(out.absolute()), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir(), f"plumbline-{os.geteuid()}-{digest}")


@contextmanager
def connections(access: Access, folder: Path, connect_timeout: int = 5) -> Iterator[Ssh]:
    """Connections for one run; closed, and their folder removed, at its end."""
    close(folder)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield Ssh(access, folder, connect_timeout)
    finally:
        close(folder)


def close(folder: Path) -> None:
    """Ends the connections whose sockets stand in a folder, and removes it."""
    for control in folder.iterdir() if folder.is_dir() else ():
        with suppress(subprocess.TimeoutExpired, OSError):
            subprocess.run(
                ["ssh", "-F", "none", "-o", f"ControlPath={control}", "-O", "exit", "node"],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=2, check=False,
            )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
