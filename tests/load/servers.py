"""Servers on loopback that users on the engine ask: Caddy, and one that does what no server should."""

from __future__ import annotations

import json
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab import programs
from tests.collect.certificates import Authority

NAME, ASKING = "origin.example.internal", "asking.example.internal"
"""The second asks for a certificate, and answers nobody who shows none."""
READY = 15.0


@dataclass(frozen=True)
class Origin:
    """A web server: where it listens, who it says it is, whom to trust for it."""

    address: str
    port: int
    ca: str
    stranger: str
    pair: str
    """A certificate and its key, PEM, that it believes where it asks for one."""

    @property
    def url(self) -> str:
        """Its root, by name."""
        return f"https://{NAME}:{self.port}"

    @property
    def resolve(self) -> tuple[str, ...]:
        """What stands in for DNS."""
        return tuple(f"{name}:{self.port}:{self.address}" for name in (NAME, ASKING))


@contextmanager
def caddy(folder: Path, address: str = "127.0.0.1", port: int = 0) -> Iterator[Origin]:
    """Caddy with a certificate for its names: / has 10 bytes, /large 100,000, /missing is 404, /broken 503."""
    authority = Authority("load-test")
    leaf = authority.leaf(NAME, ASKING)
    for name, text in (("ca", authority.certificate), ("stranger", Authority("stranger").certificate)):
        (folder / f"{name}.pem").write_text(text)
    (folder / "cert.pem").write_text(leaf.certificate)
    (folder / "key.pem").write_text(leaf.key)
    port = port or free()
    (folder / "caddy.json").write_text(json.dumps(_config(folder, address, port)))
    command = [str(programs.ensure(["caddy"])["caddy"]), "run", "--config", str(folder / "caddy.json")]
    with (folder / "caddy.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _await(address, port)
            pair = leaf.certificate + leaf.key
            yield Origin(address, port, str(folder / "ca.pem"), str(folder / "stranger.pem"), pair)
        finally:
            process.terminate()


def _config(folder: Path, address: str, port: int) -> dict[str, object]:
    def answer(path: str, status: int, body: str) -> dict[str, object]:
        handler = {"handler": "static_response", "status_code": status, "body": body}
        return {"match": [{"path": [path]}], "handle": [handler]}

    pages = [answer("/large", 200, "x" * 100_000), answer("/missing", 404, ""), answer("/broken", 503, "")]
    asked = {"mode": "require_and_verify", "trusted_ca_certs_pem_files": [str(folder / "ca.pem")]}
    server = {
        "listen": [f"{address}:{port}"],
        "routes": [*pages, answer("/*", 200, "0123456789")],
        "tls_connection_policies": [{"match": {"sni": [ASKING]}, "client_authentication": asked}, {}],
        "automatic_https": {"disable": True},
        "protocols": ["h1", "h2"],
    }
    files = [{"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")}]
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(folder / "caddy")},
        "apps": {"http": {"servers": {"origin": server}}, "tls": {"certificates": {"load_files": files}}},
    }


@contextmanager
def rude() -> Iterator[str]:
    """Plain HTTP; its URL. /close ends the connection, /silent says nothing, /short promises more than it sends."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            request: bytes = self.request.recv(4096)
            if b"/silent" in request:
                self.request.recv(4096)
            if b"/short" in request:
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            if b"/slow" in request:
                time.sleep(0.2)
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(address: str, port: int) -> None:
    deadline = time.monotonic() + READY
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((address, port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens at {address}:{port}")
