"""What a user's requests go out by: the same for our own connections and for libcurl."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from locustfiles.engine.request import Request

Completed = Callable[[str, float], None]
"""Is told that a request has ended: the class of its failure, empty where it has its answer, and when (monotonic)."""


class Wire(ABC):
    """One request at a time. What is told of it holds from its end until the next one begins; times in microseconds."""

    def __init__(self, completed: Completed) -> None:
        self._completed = completed
        self.status = 0
        """0 where there is no answer."""
        self.size = 0
        """Bytes of the body."""
        self.body = b""
        """The body, where the request wants it."""
        self.fresh = False
        """Whether a connection was made for it."""
        self.connect = self.tls = 0
        """How long TCP's and TLS's handshakes took, where there were any."""
        self.made = 0
        """From the beginning to the sending, which is the generator's own time where no connection was made."""
        self.first_byte = 0
        """From the sending to the first byte of the answer."""

    @abstractmethod
    def begin(self, request: Request, now: float) -> None:
        """Sends a request; `now` is its beginning (monotonic). Its end is told later, never from within this call."""

    @abstractmethod
    def give_up(self) -> str:
        """Ends the request that is under way, which is then not told; the class of a timeout, had it been one."""

    @abstractmethod
    def close(self) -> None:
        """The user has left; nothing is under way."""
