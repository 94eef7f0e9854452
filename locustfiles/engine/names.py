"""Addresses of names, as the system's resolver tells them; asked in threads, since it makes its caller wait."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - names are written by it: Python would import it in the thread, where gevent's locks are not
import socket
import time
from collections.abc import Callable
from functools import partial

from locustfiles.engine.reactor import Reactor

_KEPT = 60.0
"""Seconds that an answer is kept."""

Told = Callable[[list[str]], None]
"""Is told of the addresses of a name, in the order in which they are to be tried; none where it is not known."""


class Names:
    """One for all users of an engine."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._known: dict[str, tuple[list[str], float]] = {}
        self._asked: dict[str, list[Told]] = {}

    def known(self, name: str) -> list[str]:
        """What was told of a name within the last minute; nothing where it has to be looked up."""
        addresses, told = self._known.get(name, ([], 0.0))
        return addresses if time.monotonic() < told + _KEPT else []

    def look_up(self, name: str, told: Told) -> None:
        """Asks for a name's addresses. The answer comes in the engine's thread, in one of its next turns."""
        waiting = self._asked.setdefault(name, [])
        waiting.append(told)
        if len(waiting) == 1:
            self._reactor.system.start_thread(self._ask, (name,))

    def _ask(self, name: str) -> None:
        """In a thread of its own."""
        try:
            found = self._reactor.system.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        self._reactor.soon(partial(self._tell, name, addresses))
        self._reactor.wake()

    def _tell(self, name: str, addresses: list[str]) -> None:
        self._known[name] = (addresses, time.monotonic())
        for told in self._asked.pop(name, []):
            told(addresses)
