"""What a user asks for, how it connects, and what it is told of the answer."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from locustfiles.engine.written import Written, write

Protocol = Literal["http/1.1", "h2"]
Connections = Literal["kept", "new"]


@dataclass(frozen=True, eq=False)
class Request:
    """One request, made once and sent as often as wanted: nothing of it is worked out again for each sending.

    `name` is what it is counted under. `statuses` are those of a good answer; empty: 200 to 299. `wants_body` keeps the
    body for a user who reads it; otherwise it is counted and thrown away. Compared by identity, which costs nothing.
    """

    method: str
    url: str
    name: str
    headers: tuple[str, ...] = ()
    body: bytes | None = None
    statuses: frozenset[int] = frozenset()
    wants_body: bool = False
    key: tuple[str, str] = field(init=False, repr=False)
    """Name and method, as Locust keeps its statistics."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.name, self.method))

    @cached_property
    def written(self) -> Written | None:
        """As HTTP/1.1 sends it; None where only libcurl can."""
        return write(self.method, self.url, self.headers, self.body)

    def accepts(self, status: int) -> bool:
        """Whether an answer with this status is a good one."""
        return status in self.statuses if self.statuses else 200 <= status < 300


NOTHING = Request("", "", "")
"""What a user asks for before its first request."""


def get(url: str, name: str = "", *, headers: tuple[str, ...] = (), wants_body: bool = False) -> Request:
    """A GET, counted under its URL where no name is given."""
    return Request("GET", url, name or url, headers, wants_body=wants_body)


def post(url: str, body: bytes, name: str = "", *, headers: tuple[str, ...] = ()) -> Request:
    """A POST of a body that has been written out already."""
    return Request("POST", url, name or url, headers, body)


@dataclass(slots=True)
class Answer:
    """What a user is told of its last request; it is overwritten by the next one.

    `status` is 0 and `error` says why where there was no answer. `seconds` count from the sending, not from the plan:
    `planned` is when the request was to start (time.monotonic).
    """

    status: int = 0
    error: str = ""
    seconds: float = 0.0
    size: int = 0
    body: bytes = b""
    planned: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it was a good answer."""
        return not self.error


Script = Generator[Request | Iterable[Request], Answer, None]
"""What a user does: it yields a request and is given the answer, or yields several, planned ahead, and is given the
answer to the last. It runs in the engine's thread, so between two requests it may reckon, and must not wait."""


@dataclass(frozen=True)
class Settings:
    """How the users of one class connect.

    `ca` is the PEM file of those whom they trust; without it the system's. `resolve` are entries HOST:PORT:ADDRESS that
    stand in for DNS. `interface` is an address or interface to send from. `timeout` is in seconds, for all of a request;
    it is kept to within 0.1 s.
    `authority` is PEM text in place of the file; `certificate` is the text of a certificate and its key, for servers that
    want to see one.
    `curves` are the groups of key exchange, in OpenSSL's words; empty: the library's own choice.
    """

    protocol: Protocol = "http/1.1"
    connections: Connections = "kept"
    ca: str = ""
    resolve: tuple[str, ...] = ()
    interface: str = ""
    timeout: float = 10.0
    curves: str = ""
    authority: str = ""
    certificate: str = field(default="", repr=False)
