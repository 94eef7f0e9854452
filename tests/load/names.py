"""A server of names on loopback: right, wrong, silent, or with an error, by the name that it is asked for."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

NXDOMAIN, SILENT, RUBBISH = "NXDOMAIN", "", "rubbish"
_HEADER = "!2sHHHHH"


@contextmanager
def serve(address: str, answers: Mapping[str, str], port: int = 0) -> Iterator[int]:
    """Answers with the address that a name has; its port. Any other name does not exist."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, sock = self.request
            said = answers.get(_name(query), NXDOMAIN)
            if said == RUBBISH:
                sock.sendto(query[:2] + b"no message", self.client_address)
            elif said != SILENT:
                sock.sendto(_reply(query, said), self.client_address)

    class Server(socketserver.UDPServer):
        allow_reuse_address = True

    with Server((address, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def _name(query: bytes) -> str:
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels)


def _reply(query: bytes, said: str) -> bytes:
    if said == NXDOMAIN:
        return struct.pack(_HEADER, query[:2], 0x8183, 1, 0, 0, 0) + query[12:]
    answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton(said)
    return struct.pack(_HEADER, query[:2], 0x8180, 1, 1, 0, 0) + query[12:] + answer
