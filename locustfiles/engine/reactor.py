"""libcurl's multi handle on epoll: each turn looks only at the sockets on which something has happened."""

from __future__ import annotations

import os
import select
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pycurl

_SELECTABLE = 1024
"""select(2) knows file descriptors below this one."""
_COARSE = 0.005
"""Seconds: epoll waits whole milliseconds, which is too coarse for what is due sooner than this."""

_EVENTS = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}

_IN = pycurl.CSELECT_IN
_IDLE = -1

Completed = Callable[[pycurl.Curl, int], None]
"""Is told of a handle whose transfer has ended, and libcurl's error number, 0 where there was none."""


class Reactor:
    """Runs transfers; all of it in one thread, but `wake`.

    `system` is where epoll and select are taken from: gevent, once it has patched Python, hides them in the usual
    module. `connections` is how many idle ones are kept.
    """

    def __init__(self, connections: int, system: Any = select) -> None:
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._multi.setopt(pycurl.M_PIPELINING, 0)  # pycurl.PIPE_NOTHING: a user of h2 has a connection of its own too
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._epoll = system.epoll()
        self._select = system.select
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._bell)  # not in `close`: whoever knows this one may still ring it
        self._epoll.register(self._bell, select.EPOLLIN)
        self._watched: dict[int, int] = {}
        self.woken = time.monotonic()
        """When the last wait ended (time.monotonic)."""
        self._under_way = 0
        self._ended = 0
        self._add, self._remove = self._multi.add_handle, self._multi.remove_handle
        self._action, self._read = self._multi.socket_action, self._multi.info_read

    def begin(self, easy: pycurl.Curl) -> None:
        """Begins a transfer at once, so that its request does not wait until other sockets have been looked at."""
        self._add(easy)
        self._under_way += 1
        self._ended = self._under_way - self._action(pycurl.SOCKET_TIMEOUT, 0)[1]

    def remove(self, easy: pycurl.Curl) -> None:
        """Ends a transfer that is under way."""
        self._remove(easy)
        self._under_way -= 1

    def wake(self) -> None:
        """Ends the wait of `turn`; from any thread."""
        os.eventfd_write(self._bell, 1)

    def turn(self, patience: float, completed: Completed) -> None:
        """Waits at most `patience` seconds for something to happen, does it, and tells what has ended by it.

        `completed` is told of each transfer before the next socket is looked at, and may begin others.
        """
        due = self._multi.timeout()  # asked once a turn: being told is a callback or two for each request
        if due == 0:
            self._ended = self._under_way - self._action(pycurl.SOCKET_TIMEOUT, 0)[1]
            patience = 0.0
        elif due > 0:
            patience = min(patience, due / 1000)
        if self._ended > 0:  # by this, or at once when it was begun
            self._tell(completed)
            patience = 0.0
        happened = self._wait(patience)
        self.woken = time.monotonic()
        watched, action = self._watched, self._action
        for descriptor, events in happened:
            if watched.get(descriptor, 0) > 0:
                what = _IN if events == select.EPOLLIN else _selected(events)
                self._ended = self._under_way - action(descriptor, what)[1]
                if self._ended > 0:
                    self._tell(completed)
            elif descriptor == self._bell:
                with suppress(BlockingIOError):
                    os.eventfd_read(self._bell)
            else:  # an idle connection that the other side has closed: libcurl sees it when it takes it out again
                self._forget(descriptor)

    def _tell(self, completed: Completed) -> None:
        """All that has ended and was not told yet; a transfer that is begun meanwhile may end at once, too."""
        while self._ended > 0:
            self._ended = 0
            _, good, bad = self._read()
            for easy in good:
                self._under_way -= 1
                self._remove(easy)
                completed(easy, 0)
            for easy, number, _ in bad:
                self._under_way -= 1
                self._remove(easy)
                completed(easy, number)

    def _wait(self, patience: float) -> list[tuple[int, int]]:
        if 0.0 < patience < _COARSE and self._epoll.fileno() < _SELECTABLE:
            self._select([self._epoll], [], [], patience)
            patience = 0.0
        return self._epoll.poll(patience)  # type: ignore[no-any-return]

    def _on_socket(self, what: int, descriptor: int, _multi: Any, _data: Any) -> None:
        """libcurl has an interest in a socket, or has none any more.

        One that it loses interest in stays with epoll as it is, which saves one of two calls a request. It may be closed,
        and its number given to another one, before it is wanted again: so what epoll knows of it is always set anew.
        """
        if what == pycurl.POLL_REMOVE:
            self._watched[descriptor] = _IDLE
            return
        mask = _EVENTS[what]
        if self._watched.get(descriptor) == mask:
            return
        self._watched[descriptor] = mask
        try:
            self._epoll.modify(descriptor, mask)
        except FileNotFoundError:  # a new socket
            self._epoll.register(descriptor, mask)

    def _forget(self, descriptor: int) -> None:
        self._watched.pop(descriptor, None)
        with suppress(OSError):
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Closes all connections; transfers have to be taken out before."""
        self._multi.close()
        self._epoll.close()


def _selected(events: int) -> int:
    """What epoll told, in libcurl's words; an error or an end is seen by reading."""
    readable = _IN if events & ~select.EPOLLOUT else 0
    return readable | (pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0)
