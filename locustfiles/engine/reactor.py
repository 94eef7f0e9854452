"""Epoll: each turn looks only at the sockets on which something has happened. libcurl and our own connections share it."""

from __future__ import annotations

import _thread
import os
import select
import socket
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

_SELECTABLE = 1024
"""select(2) knows file descriptors below this one."""
_READ = 65_536
"""Bytes that are read at once."""
_EVENTS = 256
"""Events that are told at once: more are told by the next turn."""
_COARSE = 0.005
"""Seconds: epoll waits whole milliseconds, which is too coarse for what is due sooner than this."""

Happened = Callable[[int], None]
"""Is told of epoll's events on one descriptor."""


@dataclass(frozen=True)
class System:
    """What a native thread waits with: gevent, once it has patched Python, has put others in place of these, or nothing."""

    epoll: Any = field(default_factory=lambda: select.epoll)
    select: Any = select.select
    new_socket: Any = socket.socket
    getaddrinfo: Any = socket.getaddrinfo
    start_thread: Any = _thread.start_new_thread


class Reactor:
    """Tells of what happens on descriptors; all of it in one thread, but `wake`."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._epoll = system.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._bell)  # not in `close`: whoever knows this one may still ring it
        self._handlers: dict[int, Happened] = {}
        self._soon: deque[Callable[[], None]] = deque()
        self.buffer = memoryview(bytearray(_READ))
        """What is read into; whoever reads takes it out again before anybody else does."""
        self.woken = time.monotonic()
        """When the last wait ended (time.monotonic)."""
        self.watch(self._bell, select.EPOLLIN, self._rung)

    def wake(self) -> None:
        """Ends the wait of `turn`; from any thread."""
        os.eventfd_write(self._bell, 1)

    def soon(self, what: Callable[[], None]) -> None:
        """Does something at the next turn: for what may not be told from within a call. With `wake`, from any thread."""
        self._soon.append(what)

    def turn(self, patience: float) -> None:
        """Waits at most `patience` seconds for something to happen, and tells of it."""
        for _ in range(len(self._soon)):  # not those that are added meanwhile: they may have no end
            self._soon.popleft()()
            patience = 0.0
        happened = self._wait(patience)
        self.woken = time.monotonic()
        handlers = self._handlers
        for descriptor, events in happened:
            handler = handlers.get(descriptor)
            if handler is not None:  # what was told before may have closed it
                handler(events)

    def _wait(self, patience: float) -> list[tuple[int, int]]:
        if 0.0 < patience < _COARSE and self._epoll.fileno() < _SELECTABLE:
            happened = self._epoll.poll(0, _EVENTS)
            if happened:
                return happened  # type: ignore[no-any-return]
            self.system.select([self._epoll], [], [], patience)
            patience = 0.0
        return self._epoll.poll(patience, _EVENTS)  # type: ignore[no-any-return]

    def watch(self, descriptor: int, mask: int, handler: Happened) -> None:
        """From now on this handler is told of these events; whatever was known of the descriptor is forgotten."""
        known = descriptor in self._handlers
        self._handlers[descriptor] = handler
        try:
            (self._epoll.modify if known else self._epoll.register)(descriptor, mask)
        except FileNotFoundError:  # closed meanwhile, and its number given to another one
            self._epoll.register(descriptor, mask)
        except FileExistsError:
            self._epoll.modify(descriptor, mask)

    def forget(self, descriptor: int) -> None:
        """Tells nothing of it any more; it may have been closed already."""
        self._handlers.pop(descriptor, None)
        with suppress(OSError):
            self._epoll.unregister(descriptor)

    def closing(self, descriptor: int) -> None:
        """It is about to be closed, by which epoll forgets it."""
        self._handlers.pop(descriptor, None)

    def _rung(self, _: int) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def close(self) -> None:
        """Whoever has connections closes them before."""
        self._epoll.close()
