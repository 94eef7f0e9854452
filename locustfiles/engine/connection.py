"""One connection of our own, TCP with TLS where its server has it: it never waits, and tells its owner what happens."""

from __future__ import annotations

import errno
import socket
import ssl
import time
from contextlib import suppress
from ipaddress import ip_address
from select import EPOLLIN, EPOLLOUT
from typing import Any, Protocol

from locustfiles.engine import failures
from locustfiles.engine.failures import Failed
from locustfiles.engine.reactor import Reactor
from locustfiles.engine.servers import Server

_RECORD = 16_384
"""Bytes of a record of TLS, at most."""
_LATE_PORT = 24
"""IP_BIND_ADDRESS_NO_PORT of Linux: with an address to send from, the port is chosen when it is known whom to."""
_UNDER_WAY = {0, errno.EINPROGRESS}


class Owner(Protocol):
    """Who has a connection. After each of these calls the connection may be closed, or have the next request."""

    def opened(self, connection: Connection) -> None:
        """It is connected, with TLS where the server has it; what is sent now goes out with the handshake's end."""

    def received(self, connection: Connection, data: bytes) -> None:
        """Bytes have come."""

    def lost(self, connection: Connection, failure: str) -> None:
        """It is closed: by the other side in good order (an empty text), or with the class of a failure."""


class Connection:
    """It is begun by being made; Failed where that cannot even be tried. Times are those of `time.monotonic`."""

    def __init__(self, reactor: Reactor, server: Server, owner: Owner) -> None:
        self._reactor, self._owner, self._server = reactor, owner, server
        self._buffer = reactor.buffer
        self.began = time.monotonic()
        self.connected = self.ready = 0.0
        """When TCP's handshake was over, and TLS's too; 0 until then."""
        self.closed = False
        self.unsent = b""
        """What the socket has not taken yet."""
        self._socket = _connecting(reactor.system.new_socket, server)
        self._descriptor: int = self._socket.fileno()
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        reactor.watch(self._descriptor, EPOLLOUT, self._answered)

    def _answered(self, events: int) -> None:
        """Whoever was asked for a connection has answered."""
        if events & ~EPOLLIN == 0:  # meant for another one that had this descriptor before
            return
        cause = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if cause:
            self._lose(failures.of_connecting(cause))
            return
        self.connected = time.monotonic()
        if self._server.tls is None:
            self._open(self.connected)
            return
        self._tls = self._server.tls.wrap_bio(self._incoming, self._outgoing, server_hostname=self._server.host)
        self._reactor.watch(self._descriptor, EPOLLIN, self._shaking)
        self._shake()

    def _shaking(self, events: int) -> None:
        """A part of TLS's handshake has come."""
        try:
            size = self._socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(failures.of_handshake(error))
            return
        if size:
            self._incoming.write(self._buffer[:size])
        else:
            self._incoming.write_eof()
        self._shake()

    def _shake(self) -> None:
        assert self._tls is not None
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            with suppress(OSError):  # it is seen by reading, too; these few bytes always find room
                self._socket.send(self._outgoing.read())
        except OSError as error:
            with suppress(OSError):  # tells the other side why
                self._socket.send(self._outgoing.read())
            self._lose(failures.of_handshake(error))
        else:
            self._open(time.monotonic())

    def _open(self, now: float) -> None:
        self.ready = now
        self._reactor.watch(self._descriptor, EPOLLIN, self._readable)
        self._owner.opened(self)

    def send(self, data: bytes) -> None:
        """Sends it, what does not find room as soon as it does; OSError where the connection is lost."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        if self.unsent:
            self.unsent += data
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.unsent = data[sent:]
            self._reactor.watch(self._descriptor, EPOLLIN | EPOLLOUT, self._readable)

    def _send_more(self) -> None:
        with suppress(OSError):  # whoever takes no more may have said why, which is read next
            self.unsent = self.unsent[self._socket.send(self.unsent) :]
        if not self.unsent:
            self._reactor.watch(self._descriptor, EPOLLIN, self._readable)

    def _readable(self, events: int) -> None:
        if events & EPOLLOUT:
            self._send_more()
        try:
            size = self._socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            self._lose(failures.LOST_RECEIVING)
            return
        if self._tls is not None:
            self._decrypt(self._tls, size)
        elif size:
            self._owner.received(self, bytes(self._buffer[:size]))
        else:
            self._lose("")

    def _decrypt(self, tls: ssl.SSLObject, size: int) -> None:
        """Tells of all that is in what has come, and of the end, if that is in it too."""
        incoming, end = self._incoming, None
        if size:
            incoming.write(self._buffer[:size])
        else:
            incoming.write_eof()
        data = b""
        try:
            data = more = tls.read(_RECORD)
            while more and incoming.pending:
                more = tls.read(_RECORD)
                data += more
            if not more:  # the other side has said that this is all
                end = ""
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:  # it has not said so
            end = failures.CUT_SHORT
        except OSError:
            end = failures.LOST_RECEIVING
        if data:
            self._owner.received(self, data)
        if end is not None and not self.closed:
            self._lose(end)

    def _lose(self, failure: str) -> None:
        self._drop()
        self._owner.lost(self, failure)

    def close(self) -> None:
        """Ends it, with a word to the other side where TLS wants one."""
        if self.closed:
            return
        if self._tls is not None and self.ready and not self.unsent:
            with suppress(OSError):  # it would like to wait for the other side's word
                self._tls.unwrap()
            with suppress(OSError):
                self._socket.send(self._outgoing.read())
        self._drop()

    def _drop(self) -> None:
        self.closed = True
        self._reactor.closing(self._descriptor)
        self._socket.close()


def _connecting(make: Any, server: Server) -> Any:
    """A socket that is being connected; Failed where that ends at once."""
    try:
        made = make(server.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise Failed(failures.of_connecting(error.errno or 0)) from None
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.source:
            _send_from(made, server.source)
        cause = made.connect_ex(server.address)
        if cause not in _UNDER_WAY:
            raise Failed(failures.of_connecting(cause))
    except Failed:
        made.close()
        raise
    return made


def _send_from(made: Any, source: str) -> None:
    """From an address, or an interface by its name."""
    try:
        try:
            ip_address(source)
        except ValueError:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, source.encode())
        else:
            made.setsockopt(socket.IPPROTO_IP, _LATE_PORT, 1)
            made.bind((source, 0))
    except OSError:
        raise Failed(failures.NO_INTERFACE) from None
