"""A server that plays what a test writes: for each connection the answers that it gives, and then its end."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.collect.certificates import Leaf

End = Literal["close", "cut", "reset", "early"]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""A linger of no time: the end of the connection is a reset."""


@dataclass
class Player:
    """Where it listens, and the requests that it has been sent, by connection."""

    address: str
    port: int
    after: float = 0.0
    heard: list[list[bytes]] = field(default_factory=list)


@contextmanager
def playing(
    *connections: Sequence[bytes],
    tls: ssl.SSLContext | None = None,
    end: End = "close",
    address: str = "127.0.0.1",
    after: float = 0.0,
) -> Iterator[Player]:
    """Each connection gets its answers, one a request, and then its end; after the last it begins anew with the first.

    `end`: "close" says so within TLS too, "cut" does not, "reset" is the hard one. "early" is "cut", and answers as soon as
    anything has come. `after` is how many seconds later the end comes.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen(64)
        player = Player(address, listener.getsockname()[1], after)
        thread = threading.Thread(target=_serve, args=(listener, player, connections, tls, end))
        thread.start()
        try:
            yield player
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def server_context(folder: Path, leaf: Leaf) -> ssl.SSLContext:
    """Shows this certificate."""
    (folder / "leaf.pem").write_text(leaf.certificate + leaf.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    return context


def _serve(
    listener: socket.socket,
    player: Player,
    connections: Sequence[Sequence[bytes]],
    tls: ssl.SSLContext | None,
    end: End,
) -> None:
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        accepted.settimeout(5)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # all of an answer is out before its end
        answers = connections[len(player.heard) % len(connections)]
        player.heard.append([])
        with suppress(OSError), accepted:  # a client that hangs up ends its own connection, not the server
            served = tls.wrap_socket(accepted, server_side=True) if tls else accepted
            with served:
                _play(served, answers, player.heard[-1], early=end == "early")
                time.sleep(player.after)
                if end == "reset":
                    served.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                elif isinstance(served, ssl.SSLSocket) and end == "close":
                    served.unwrap()


def _play(served: socket.socket, answers: Sequence[bytes], heard: list[bytes], *, early: bool) -> None:
    for answer in answers:
        request = b""
        while not (_whole(request) or (early and request)):
            more = served.recv(65_536)
            if not more:
                return
            request += more
        heard.append(request)
        served.sendall(answer)


def _whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)
