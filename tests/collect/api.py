"""A pretended API server over TLS, and the kubeconfig that reaches it."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.collect.certificates import Authority, Leaf

Objects = dict[str, dict[str, Any]]


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers from a table; what is not in it is an empty list, or not found where it is a single object."""

    protocol_version = "HTTP/1.1"
    objects: Objects
    status: int
    delay: float
    raw: bytes

    def do_GET(self) -> None:
        """One object or list."""
        time.sleep(self.delay)
        path = self.path.partition("?")[0]
        if self.raw or self.status != 200:
            self._say(self.status, self.raw or b'{"message": "Unauthorized"}')
        elif path in self.objects:
            self._say(200, json.dumps(self.objects[path]).encode())
        elif path == "/readyz":
            self._say(500, b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed")
        elif "/secrets/" in path or "/configmaps/" in path:
            self._say(404, b'{"message": "not found"}')
        else:
            self._say(200, b'{"items": []}')

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(http.server.ThreadingHTTPServer):
    """Bears with clients that go away."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def api(
    folder: Path, objects: Objects, *, status: int = 200, delay: float = 0, raw: bytes = b"", user: Leaf | None = None,
    strict: bool = False,
) -> Iterator[Path]:  # fmt: skip
    """The server; gives the path of a kubeconfig. Where it is strict, it speaks to nobody without a certificate."""
    authority = Authority("kubernetes-ca")
    leaf = authority.leaf("localhost")
    (folder / "api.pem").write_text(leaf.certificate + leaf.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "api.pem")
    if strict:
        context.load_verify_locations(cadata=authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    handler = type("Handler", (_Handler,), {"objects": objects, "status": status, "delay": delay, "raw": raw})
    server = _Server(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield kubeconfig(folder, int(server.server_address[1]), authority.certificate, user or authority.leaf("user"))
    finally:
        server.shutdown()
        server.server_close()


def kubeconfig(folder: Path, port: int, ca: str, user: Leaf) -> Path:
    """A kubeconfig with a client certificate."""

    def data(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    cluster = {"server": f"https://localhost:{port}", "certificate-authority-data": data(ca)}
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "bed",
                "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": "user"}}],
                "clusters": [{"name": "bed", "cluster": cluster}],
                "users": [
                    {
                        "name": "user",
                        "user": {
                            "client-certificate-data": data(user.certificate),
                            "client-key-data": data(user.key),
                        },
                    }
                ],
            }
        )
    )
    return path
