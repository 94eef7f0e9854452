"""HTTP/1.1 on connections of our own: one user's, kept for each server that it asks, or made for each request."""

from __future__ import annotations

import time
from functools import partial

from locustfiles.engine import failures
from locustfiles.engine.connection import Connection
from locustfiles.engine.failures import Failed
from locustfiles.engine.http1 import NotHttp, Reply
from locustfiles.engine.reactor import Reactor
from locustfiles.engine.request import Request
from locustfiles.engine.servers import Servers
from locustfiles.engine.wire import Completed, Wire
from locustfiles.engine.written import Origin, Written

AT_ONCE = 0.25
"""Seconds after its sending within which a request is lost whose connection had been closed already: a way there and
back, and a look of a busy generator's. What is lost later was lost in the other side's hands."""


class DirectWire(Wire):
    """A user of HTTP/1.1, as far as `takes` says. It owns its connections, and is told by them what happens."""

    def __init__(self, reactor: Reactor, servers: Servers, completed: Completed, *, kept: bool) -> None:
        super().__init__(completed)
        self._reactor, self._servers, self._keeps = reactor, servers, kept
        self._reply = Reply()
        self._kept: dict[Origin, Connection] = {}
        self._current: Connection | None = None
        self._written: Written
        self._sent = self._first = 0.0
        self._number = 0
        """Of the request: what was begun for an earlier one does not matter to it."""
        self._untried = 0
        """How many addresses of its server nobody was looked for at yet."""
        self._tried = ""

    def takes(self, request: Request) -> bool:
        """Whether it can be sent like this; otherwise libcurl has to."""
        return self._servers.able and request.written is not None

    def begin(self, request: Request, now: float) -> None:
        """Sends it on the connection that was kept, or on a new one."""
        written = request.written
        assert written is not None  # it takes this request
        self._written, self._sent, self._first = written, now, 0.0
        self._reply.begin(bodiless=request.method == "HEAD", wants_body=request.wants_body)
        self.status = self.size = self.made = self.connect = self.tls = 0
        connection = self._kept.get(written.to)
        if connection is None:
            self._connect()
            return
        self.fresh, self._current = False, connection
        try:
            connection.send(written.data)
        except OSError:
            self._connect_again(connection)

    def _connect(self) -> None:
        """The request goes out by a new connection."""
        self.fresh, self._current = True, None
        addresses, to = self._servers.addresses(self._written.to), self._written.to
        if addresses:
            self._untried = len(addresses)
            self._try(addresses)
        else:
            self._servers.names.look_up(to.host, partial(self._looked_up, self._number))

    def _looked_up(self, number: int, addresses: list[str]) -> None:
        if number != self._number:  # given up meanwhile
            return
        if addresses:
            self._untried = len(addresses)
            self._try(addresses)
        else:
            self._end(failures.NO_NAME, time.monotonic())

    def _try(self, addresses: list[str]) -> None:
        """The first of these addresses."""
        self._untried, self._tried = self._untried - 1, addresses[0]
        try:
            self._current = Connection(self._reactor, self._servers.find(self._written.to, self._tried), self)
        except Failed as failed:
            self._reactor.soon(partial(self._not_connected, self._number, str(failed)))

    def _not_connected(self, number: int, failure: str) -> None:
        """Nobody is there: the next address is tried, and from now on this one after all others."""
        if number != self._number:
            return
        addresses = self._servers.addresses(self._written.to)
        if self._untried and addresses:
            if addresses[0] == self._tried:  # another user may have been quicker
                addresses.append(addresses.pop(0))
            self._try(addresses)
        else:
            self._end(failure, time.monotonic())

    def _connect_again(self, connection: Connection) -> None:
        """The other side ended what was kept before it knew of this request: once more, and only on a new connection."""
        connection.close()
        self._kept.pop(self._written.to, None)
        self._connect()

    def _may_repeat(self) -> bool:
        """Whether what was lost was not begun by the other side, as far as that can be known (RFC 9112, 9.3.1)."""
        return self._written.repeatable and time.monotonic() - self._sent <= AT_ONCE

    def opened(self, connection: Connection) -> None:
        """Sends what it was made for."""
        self._measure(connection)
        self._sent = connection.ready
        try:
            connection.send(self._written.data)
        except OSError:
            self._end(failures.LOST_SENDING, time.monotonic())

    def _measure(self, connection: Connection) -> None:
        """How long the parts of a new connection took, as far as it has come."""
        if connection.connected:
            self.connect = int((connection.connected - connection.began) * 1e6)
        if connection.ready:
            self.tls = int((connection.ready - connection.connected) * 1e6)

    def received(self, connection: Connection, data: bytes) -> None:
        """A part of the answer; from a connection that is idle it is none, and no answer may be expected there."""
        if connection is not self._current:
            self._forget(connection)
            return
        now, reply = time.monotonic(), self._reply
        if not self._first:
            self._first = now
        try:
            whole = reply.feed(data)
        except NotHttp:
            self._end(failures.NOT_HTTP, now)
            return
        if whole:
            self._end("", now)

    def lost(self, connection: Connection, failure: str) -> None:
        """The other side has ended it."""
        if connection is not self._current:
            self._forget(connection)
            return
        reply, ended = self._reply, failure in {"", failures.CUT_SHORT}
        if not self._first and not self.fresh and self._may_repeat():
            self._connect_again(connection)
            return
        if not connection.connected:
            self._not_connected(self._number, failure)
            return
        if not connection.ready:
            self._measure(connection)
        elif ended and not self._first:
            failure = failures.NO_ANSWER
        elif not failure and not reply.ended():
            failure = failures.CUT_SHORT
        self._end(failure, time.monotonic())

    def _end(self, failure: str, now: float) -> None:
        """The request is over; what is done here is paid by each."""
        self._settle(failure == "")
        self._completed(failure, now)

    def _settle(self, good: bool) -> None:
        """What is known of the answer; its connection is kept for the next request, or closed."""
        reply, connection = self._reply, self._current
        self._current = None
        self._number += 1
        self.status, self.size = reply.status, reply.size
        if self._first:
            self.first_byte = int((self._first - self._sent) * 1e6)
        if reply.body is not None:
            self.body = bytes(reply.body)
        if connection is None:
            return
        if not good or not self._keeps or not reply.keeps or connection.unsent:
            self._kept.pop(self._written.to, None)
            connection.close()
        elif self.fresh:
            self._kept[self._written.to] = connection

    def give_up(self) -> str:
        """Closes the connection: an answer that nobody waits for any more may still come by it."""
        connection, begun = self._current, self._first
        if connection is not None and self.fresh:
            self._measure(connection)
        self._settle(False)
        if connection is None or not connection.connected:
            return failures.LATE_CONNECTION
        if not connection.ready:
            return failures.LATE_HANDSHAKE
        return failures.LATE_END if begun else failures.LATE_FIRST_BYTE

    def _forget(self, connection: Connection) -> None:
        """An idle connection is of no use any more."""
        connection.close()
        self._kept = {origin: kept for origin, kept in self._kept.items() if kept is not connection}

    def close(self) -> None:
        """Closes all that was kept."""
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()
