"""Servers that speak as much of Vault's API as the gate asks for, over TLS that wants a client certificate."""

from __future__ import annotations

import http.server
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.collect.certificates import Authority, Leaf

NODES = {"bettley": "127.0.0.11", "cargyll": "127.0.0.12", "dalt": "127.0.0.13"}
BEGAN = "2026-01-01T00:00:00.0Z"
Reply = tuple[int, dict[str, Any]]


@dataclass
class Cluster:
    """What the servers share, and what is wrong with each."""

    port: int = 0
    active: str = "bettley"
    sealed: set[str] = field(default_factory=set)
    policy: dict[str, list[str]] = field(default_factory=dict)
    """Capabilities by path; what is not in it is denied."""
    secret_id: str = "s"
    generous: bool = False
    tokens: dict[str, dict[str, str]] = field(default_factory=dict)

    def answer(self, node: str, method: str, path: str, token: str, body: dict[str, Any]) -> Reply:
        """What a server says."""
        state = "sealed" if node in self.sealed else "active" if node == self.active else "standby"
        leader = f"https://{NODES[self.active]}:{self.port}" if self.active else ""
        match path:
            case "sys/health":
                return {"sealed": 503, "active": 200, "standby": 429}[state], {"server_time_utc": 1_800_000_000}
            case "sys/seal-status":
                known = {} if state == "sealed" else {"cluster_name": "goldentooth", "cluster_id": "c"}
                seal = {"type": "static", "initialized": True, "sealed": state == "sealed", "recovery_seal": True}
                return 200, {**seal, "version": "2.7.2", "storage_type": "raft", **known}
            case "sys/leader":
                return 200, {"is_self": state == "active", "leader_address": leader, "active_time": BEGAN}
            case "auth/approle/login":
                return self._login(body)
        if state == "sealed":
            return 503, {"errors": ["Vault is sealed"]}
        if token not in self.tokens and not self.generous:
            return 403, {"errors": ["permission denied"]}
        return self._held(method, path, token, body)

    def _login(self, body: dict[str, Any]) -> Reply:
        if body.get("secret_id") != self.secret_id:
            return 400, {"errors": ["invalid role or secret ID"]}
        token = f"t{len(self.tokens)}"
        self.tokens[token] = {}
        return 200, {"auth": {"client_token": token, "policies": ["default", "plumbline"], "lease_duration": 120}}

    def _held(self, method: str, path: str, token: str, body: dict[str, Any]) -> Reply:
        own = self.tokens.get(token, {})
        if path == "auth/token/revoke-self":
            self.tokens.pop(token, None)
            return 204, {}
        if path == "sys/capabilities-self":
            return 200, {"data": {asked: self.policy.get(asked, ["deny"]) for asked in body["paths"]}}
        if path.startswith("cubbyhole/"):
            if method == "POST":
                own[path] = body["value"]
                return 204, {}
            return (200, {"data": {"value": own[path]}}) if path in own else (404, {"errors": []})
        if path not in self.policy:
            return 403, {"errors": ["permission denied"]}
        return 200, {"data": {"data": {"value": "kept"}} if "/data/" in path else {}}


@contextmanager
def serving(cluster: Cluster, leaves: dict[str, Leaf], authority: Authority, folder: Path) -> Iterator[None]:
    """A server for each certificate meanwhile, on one port of as many addresses; the port is left in `cluster`."""
    servers = []
    try:
        for node, leaf in leaves.items():
            server = _Server((NODES[node], cluster.port), _handler(cluster, node))
            cluster.port = server.server_port
            server.socket = certified(leaf, authority, folder).wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            servers.append(server)
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    """One that asks no name server for its own name."""

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, *_: object) -> None:
        """A client that was refused is no error."""


def certified(leaf: Leaf, authority: Authority, folder: Path) -> ssl.SSLContext:
    """A server that wants a client certificate of an authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = folder / "server.pem"
    file.write_text(leaf.certificate + leaf.key)
    context.load_cert_chain(file)
    context.load_verify_locations(cadata=authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _handler(cluster: Cluster, node: str) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            path = self.path.removeprefix("/v1/")
            if path.startswith("sys/metrics"):
                self._say(200, b"vault_core_active 1\n")
                return
            status, said = cluster.answer(node, self.command, path, self.headers.get("X-Vault-Token", ""), body)
            self._say(status, json.dumps(said).encode() if status != 204 else b"")

        do_POST = do_GET
        do_PUT = do_GET

        def _say(self, status: int, text: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler
