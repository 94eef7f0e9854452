"""The path that generators are measured on: HAProxy, which ends TLS and begins it anew, in front of Caddy; on loopback.

It stands in for agent → firewall → persona on a machine without a lab: two legs of TLS, nothing resumed. Where there is
no HAProxy on this machine Caddy answers by itself, and the report says so.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from lab import programs
from lab.errors import LabError
from lab.pki import Pki

NAME = "localhost"
BODY = 1024
"""Bytes of the object that is asked for."""
_READY = 15.0
_PATIENCE = 5.0
_HAPROXY = """
global
    nbthread 1
    maxconn 8000
    ssl-server-verify required
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-server-options ssl-min-ver TLSv1.2 no-tls-tickets
    tune.ssl.cachesize 0
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    retries 0
    http-reuse never
frontend leg1
    bind 127.0.0.1:{front} backlog 4096 ssl crt {folder}/both.pem alpn h2,http/1.1
    use_backend leg2-h2 if {{ ssl_fc_alpn h2 }}
    default_backend leg2-h1
backend leg2-h2
    server origin 127.0.0.1:{origin} ssl verify required verifyhost {name} ca-file {ca} sni str({name}) alpn h2 no-ssl-reuse
backend leg2-h1
    server origin 127.0.0.1:{origin} ssl verify required verifyhost {name} ca-file {ca} sni str({name}) alpn http/1.1 no-ssl-reuse
"""


@dataclass(frozen=True)
class Route:
    """What is asked for, whom to trust for it, and what the path consists of."""

    url: str
    ca: str
    about: str


@contextmanager
def loopback() -> Iterator[Route]:
    """Starts the servers, and ends them; LabError where they do not come up."""
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as name:
        folder = Path(name)
        pki = Pki(folder / "pki")
        leaf = pki.leaf("bench-ca", "bench", NAME, dns=[NAME], addresses=[IPv4Address("127.0.0.1")])
        ca = folder / "ca.pem"
        ca.write_bytes(pki.authority("bench-ca").certificate)
        _private(folder / "cert.pem", leaf.certificate)
        _private(folder / "key.pem", leaf.key)
        _private(folder / "both.pem", leaf.certificate + leaf.key)
        front, origin = _free(), _free()
        haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
        running: list[subprocess.Popen[bytes]] = []
        try:
            caddy = str(programs.ensure(["caddy"])["caddy"])
            _private(folder / "caddy.json", json.dumps(_caddy(folder, origin)).encode())
            running.append(_start([caddy, "run", "--config", str(folder / "caddy.json")], folder))
            _await(origin, running[-1], folder)
            if haproxy:
                text = _HAPROXY.format(front=front, origin=origin, folder=folder, ca=ca, name=NAME)
                _private(folder / "haproxy.cfg", text.encode())
                running.append(_start([haproxy, "-db", "-f", str(folder / "haproxy.cfg")], folder))
                _await(front, running[-1], folder)
            port, about = (
                (front, "HAProxy (1 thread) in front of Caddy") if haproxy else (origin, "Caddy alone: no HAProxy here")
            )
            yield Route(f"https://{NAME}:{port}/", str(ca), f"loopback: {about}, {BODY} bytes, nothing resumed")
        finally:
            for process in reversed(running):
                _end(process)


def _caddy(folder: Path, port: int) -> dict[str, object]:
    certificate = {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
    answer = {"handler": "static_response", "status_code": 200, "body": "p" * BODY}
    server = {
        "listen": [f"127.0.0.1:{port}"],
        "routes": [{"handle": [answer]}],
        "tls_connection_policies": [{}],
        "automatic_https": {"disable": True},
        "protocols": ["h1", "h2"],
    }
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(folder / "caddy")},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {
            "http": {"servers": {"origin": server}},
            "tls": {"certificates": {"load_files": [certificate]}, "session_tickets": {"disabled": True}},
        },
    }


def _private(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "servers.log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _await(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _READY
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    said = (folder / "servers.log").read_text(encoding="utf-8", errors="replace")[-800:]
    raise LabError(f"a server of the bench did not come up: {said.strip()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
