"""libcurl's multi handle on the reactor: for h2, and for all that our own connections do not do."""

from __future__ import annotations

import math
import select
import time
from functools import partial
from typing import Any

import pycurl

from locustfiles.engine import easy, failures
from locustfiles.engine.reactor import Reactor
from locustfiles.engine.request import Request, Settings
from locustfiles.engine.wire import Completed, Wire

CONNECTIONS = 20_000
"""Idle connections that libcurl keeps at most: users times the servers that each of them asks."""

_EVENTS = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}
_INFO = (
    pycurl.RESPONSE_CODE,
    pycurl.PRETRANSFER_TIME_T,
    pycurl.STARTTRANSFER_TIME_T,
    pycurl.SIZE_DOWNLOAD_T,
    pycurl.NUM_CONNECTS,
)
_IDLE = -1


class CurlWire(Wire):
    """A user's easy handle."""

    def __init__(self, multi: Multi, settings: Settings, completed: Completed) -> None:
        super().__init__(completed)
        self._multi = multi
        self._easy = easy.new(settings)
        self._prepared: Request | None = None
        self._taken = bytearray()
        multi.wires[self._easy] = self  # an attribute of a handle costs ten times as much to look up

    def begin(self, request: Request, now: float) -> None:
        """Sends it by libcurl."""
        if request is not self._prepared:
            easy.prepare(self._easy, request, self._prepared, self._taken)
            self._prepared = request
        if self._taken:
            self._taken.clear()
        self._multi.begin(self._easy)

    def give_up(self) -> str:
        """Takes it out of libcurl's hands."""
        self._multi.remove(self._easy)
        self._look()
        return failures.of_timeout(self._easy)

    def ended(self, number: int) -> None:
        """libcurl has ended it, with an error's number or 0."""
        now = time.monotonic()
        self._look()
        self._completed(failures.of_transfer(self._easy, number) if number else "", now)

    def _look(self) -> None:
        handle = self._easy
        self.status, self.made, first_byte, self.size, connects = map(handle.getinfo, _INFO)
        self.first_byte, self.fresh = max(0, first_byte - self.made), connects > 0
        if self._prepared is not None and self._prepared.wants_body:
            self.body = bytes(self._taken)
        if self.fresh:
            connected, ready = handle.getinfo(pycurl.CONNECT_TIME_T), handle.getinfo(pycurl.APPCONNECT_TIME_T)
            self.connect = connected - handle.getinfo(pycurl.NAMELOOKUP_TIME_T) if connected else 0
            self.tls = max(0, ready - connected)

    def close(self) -> None:
        """Its connections stay with libcurl."""
        del self._multi.wires[self._easy]
        self._easy.close()


class Multi:
    """Runs transfers of easy handles, in the reactor's thread."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, CONNECTIONS)
        self._multi.setopt(pycurl.M_PIPELINING, 0)  # pycurl.PIPE_NOTHING: a user of h2 has a connection of its own too
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._watched: dict[int, int] = {}
        self.under_way = 0
        """Transfers that are begun, and not yet told."""
        self.wires: dict[pycurl.Curl, CurlWire] = {}
        self._ended = 0
        self._add, self._remove = self._multi.add_handle, self._multi.remove_handle
        self._action, self._read = self._multi.socket_action, self._multi.info_read

    def begin(self, handle: pycurl.Curl) -> None:
        """Begins a transfer at once, so that its request does not wait until other sockets have been looked at."""
        self._add(handle)
        self.under_way += 1
        self._ended = self.under_way - self._action(pycurl.SOCKET_TIMEOUT, 0)[1]

    def remove(self, handle: pycurl.Curl) -> None:
        """Ends a transfer that is under way."""
        self._remove(handle)
        self.under_way -= 1

    def turn(self) -> float:
        """Does what libcurl's clock says, tells what has ended; seconds until it has to be asked again."""
        due = self._multi.timeout()  # asked once a turn: being told is a callback or two for each request
        if due == 0:
            self._ended = self.under_way - self._action(pycurl.SOCKET_TIMEOUT, 0)[1]
        if self._ended > 0:  # by this, or at once when it was begun
            self._tell()
            return 0.0
        return due / 1000 if due >= 0 else math.inf

    def _happened(self, descriptor: int, events: int) -> None:
        if self._watched.get(descriptor, 0) > 0:
            self._ended = self.under_way - self._action(descriptor, _selected(events))[1]
            if self._ended > 0:
                self._tell()
        else:  # an idle connection that the other side has closed: libcurl sees it when it takes it out again
            self._watched.pop(descriptor, None)
            self._reactor.forget(descriptor)

    def _tell(self) -> None:
        """All that has ended and was not told yet; a transfer that is begun meanwhile may end at once, too."""
        while self._ended > 0:
            self._ended = 0
            _, good, bad = self._read()
            for handle, number in [*((handle, 0) for handle in good), *(each[:2] for each in bad)]:
                self.remove(handle)
                self.wires[handle].ended(number)

    def _on_socket(self, what: int, descriptor: int, _multi: Any, _data: Any) -> None:
        """libcurl has an interest in a socket, or has none any more.

        One that it loses interest in stays with epoll as it is, which saves one of two calls a request. It may be closed,
        and its number given to another one, before it is wanted again: so what epoll knows of it is always set anew.
        """
        if what == pycurl.POLL_REMOVE:
            self._watched[descriptor] = _IDLE
            return
        mask = _EVENTS[what]
        if self._watched.get(descriptor) != mask:
            self._watched[descriptor] = mask
            self._reactor.watch(descriptor, mask, partial(self._happened, descriptor))

    def close(self) -> None:
        """Closes all connections; transfers have to be taken out before."""
        self._multi.close()


def _selected(events: int) -> int:
    """What epoll told, in libcurl's words; an error or an end is seen by reading."""
    readable = pycurl.CSELECT_IN if events & ~select.EPOLLOUT else 0
    return readable | (pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0)
