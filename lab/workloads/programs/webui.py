"""A controller's web UI: /webui is a page that takes work, /healthz none. It bears a few pages a second and no more.

WORK is how often a digest is made for a page, PAGE how long a page is, in bytes.
"""

import hashlib
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORK = int(os.environ["WORK"])
PAGE = int(os.environ["PAGE"])


def page() -> bytes:
    """A page that nobody has made before."""
    seen = os.urandom(32)
    for _ in range(WORK):
        seen = hashlib.sha256(seen).digest()
    head = f"<!doctype html><title>controller</title><p>{seen.hex()}</p>".encode()
    return head + b" " * (PAGE - len(head))


class WebUi(BaseHTTPRequestHandler):
    """GET /webui, GET /healthz."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/webui":
            self.answer(200, page())
        elif self.path == "/healthz":
            self.answer(200, b"ok")
        else:
            self.answer(404, b"not found")

    def answer(self, status: int, data: bytes) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: an attack asks thousands of times a second."""


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 512
    ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), WebUi).serve_forever()
