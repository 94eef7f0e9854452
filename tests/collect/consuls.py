"""A server that speaks as much of Consul's API as the gate asks for."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from plumbline.collect.consul import ANONYMOUS

TOKEN = "00000000-1111-2222-3333-444444444444"


@dataclass
class Server:
    """A server of Consul, pretended: answers by path, and who may ask."""

    port: int = 0
    leader: str = "127.0.0.1:8300"
    known: bool = True
    blind: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    silent: bool = False
    late: bool = False
    """Keys are taken and not shown."""
    keys: dict[str, str] = field(default_factory=dict)
    pages: dict[str, Any] = field(default_factory=dict)

    def answer(self, method: str, path: str, token: str, body: str) -> tuple[int, Any]:
        """Status and body."""
        if path.startswith("/v1/status/"):
            return 200, self.leader if path.endswith("leader") else [self.leader]
        if token != TOKEN or not self.known:
            return (200, []) if path == "/v1/agent/members" and not token else (403, "rpc error: ACL not found")
        if any(path.startswith(part) for part in self.lacks):
            return 403, "Permission denied: token with AccessorID 'x' lacks permission 'operator:read'"
        if path.startswith("/v1/kv/"):
            return self._key(method, path, body)
        if path == "/v1/internal/acl/authorize":
            may = [(right["Resource"], right["Access"]) for right in json.loads(body)]
            never = ("keyring", *self.blind)
            return 200, [{"Allow": access == "read" and kind not in never} for kind, access in may]
        return (200, self.pages[path]) if path in self.pages else (404, "")

    def _key(self, method: str, path: str, body: str) -> tuple[int, Any]:
        if method == "PUT":
            self.keys[path] = body
            return 200, True
        if method == "DELETE":
            return 200, self.keys.pop(path, None) is not None
        return (200, self.keys[path]) if path in self.keys and not self.late else (404, "")


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server meanwhile, over TLS where there is a context for it; its port is left in it."""
    pretended = Server()

    class Page(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if pretended.silent:
                time.sleep(2)
            length = int(self.headers.get("Content-Length") or 0)
            asked = (self.command, urlsplit(self.path).path, self.headers.get("X-Consul-Token", ""))
            status, said = pretended.answer(*asked, self.rfile.read(length).decode())
            text = (said if isinstance(said, str) and status != 200 else json.dumps(said)).encode()
            if "raw" in self.path and status == 200:
                text = str(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_PUT = do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    if context is not None:
        listening.socket = context.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
    pretended.port = listening.server_address[1]
    check = {"Status": "passing", "Output": "", "ServiceID": "web-two", "Interval": "1m30s", "Timeout": "10s"}
    pretended.pages = {
        "/v1/agent/members": [{"Name": "one", "Addr": "127.0.0.1", "Status": 1, "Tags": {"role": "consul"}}],
        "/v1/health/state/any": [check],
        "/v1/catalog/service/web": [
            {"ServiceID": "web-two", "Node": "two", "ServiceAddress": "192.0.2.9", "Address": "", "ServicePort": 80}
        ],
        "/v1/operator/autopilot/health": {"Healthy": True, "FailureTolerance": 0, "Servers": []},
        "/v1/acl/policy/name/vault": {"Rules": 'key_prefix "vault/" { policy = "write" }'},
        f"/v1/acl/token/{ANONYMOUS}": {"Policies": []},
    }
    threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield pretended
    finally:
        listening.shutdown()
        listening.server_close()
