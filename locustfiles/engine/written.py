"""Requests as HTTP/1.1 puts them on the wire: written once, and sent as often as wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"https?://[\x21-\x7e]+", re.IGNORECASE)
_METHOD = re.compile(r"[A-Z]{1,20}")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)")
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_UNUSUAL = frozenset({"content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade"})
"""Headers that change how a message is framed."""


class Origin(NamedTuple):
    """Whom a request goes to, before anybody has looked up where that is."""

    scheme: str
    host: str
    port: int


class Written(NamedTuple):
    """A request: to whom, and all of its bytes."""

    to: Origin
    data: bytes
    repeatable: bool
    """Whether twice is the same as once (RFC 9110, 9.2.2)."""


def write(method: str, url: str, headers: Iterable[str], body: bytes | None) -> Written | None:
    """A request, written; None where it is of a kind that libcurl knows better: it has to send it."""
    origin, target = _split(url)
    if (
        origin is None
        or not _METHOD.fullmatch(method)
        or method == "CONNECT"
        or (method == "HEAD" and body is not None)
    ):
        return None
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    if origin.port != _PORTS[origin.scheme]:
        host += f":{origin.port}"
    fields = {"host": f"Host: {host}", "user-agent": "User-Agent: plumbline", "accept": "Accept: */*"}
    if body is not None:
        fields["content-type"] = "Content-Type: application/x-www-form-urlencoded"
    more = []
    for header in headers:
        match = _HEADER.fullmatch(header)
        if match is None or match[1].lower() in _UNUSUAL:
            return None
        fields.pop(match[1].lower(), None)  # what is given stands in for what is usual
        more.append(f"{match[1]}: {match[2]}")
    if body is not None:
        more.append(f"Content-Length: {len(body)}")
    lines = (f"{method} {target} HTTP/1.1", *fields.values(), *more, "", "")
    return Written(origin, "\r\n".join(lines).encode("ascii") + (body or b""), method in _IDEMPOTENT)


def _split(url: str) -> tuple[Origin | None, str]:
    """Whom a URL names, and what of him; nobody where it is unusual: a user, a path that is to be shortened."""
    if not _URL.fullmatch(url):
        return None, ""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None, ""
    if not host or "@" in parts.netloc or "%" in host or "/." in parts.path or port == 0:
        return None, ""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme]), target
