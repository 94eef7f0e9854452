"""HTTP/1.1 over a connection that is there already: one bounded GET."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import time

from plumbline.remote.sockets import Deadline
from plumbline.remote.types import Json

_KEPT = ("server", "content-type", "content-length", "alt-svc", "location", "via", "x-persona", "www-authenticate")
"""Headers that are told of any page; with args["keep"], those too."""


def get(sock: socket.socket | ssl.SSLSocket, host: str, args: Json, deadline: Deadline, largest: int) -> Json:
    """Status, headers, length and SHA-256 of the body of args["path"], and its text where args["text"].

    Raises OSError or http.client.HTTPException.
    """
    headers = {
        "Host": host,
        "User-Agent": "plumbline",
        "Accept": "*/*",
        "Connection": "close",
        **args.get("headers", {}),
    }
    lines = [
        f"{args.get('method', 'GET')} {args.get('path', '/')} HTTP/1.1",
        *(f"{k}: {v}" for k, v in headers.items()),
        "",
        "",
    ]
    sock.settimeout(deadline.left())
    started = time.monotonic()
    sock.sendall("\r\n".join(lines).encode())
    response = http.client.HTTPResponse(sock)
    response.begin()
    first_byte = time.monotonic() - started
    body, whole = b"", True
    try:
        while len(body) <= largest and (chunk := response.read(min(1 << 16, largest + 1 - len(body)))):
            body += chunk
            sock.settimeout(deadline.left())
    except http.client.IncompleteRead as error:
        body, whole = body + error.partial, False
    kept = {*_KEPT, *(name.lower() for name in args.get("keep", ()))}
    facts: Json = {
        "status": response.status,
        "headers": {k.lower(): v[:200] for k, v in response.getheaders() if k.lower() in kept},
        "length": min(len(body), largest),
        "whole": whole and len(body) <= largest,
        "sha256": hashlib.sha256(body[:largest]).hexdigest(),
        "first_byte_ms": round(1000 * first_byte, 2),
    }
    if args.get("text"):
        facts["text"] = body[:largest].decode("utf-8", "replace")
    response.close()
    return facts
