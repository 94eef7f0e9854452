"""The servers of the far end: TLS with a good and a wrong certificate, HTTP, silence, rubbish, DNS, QUIC, SNMP."""

from __future__ import annotations

import http.server
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

ADDRESS = "192.0.2.130"


class Page(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the same page."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """One page."""
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def web(port: int, context: ssl.SSLContext | None = None) -> None:
    """A web server, over TLS where a context is given."""
    server = http.server.ThreadingHTTPServer((ADDRESS, port), Page)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def greeting(port: int, text: bytes) -> None:
    """Says something at once and listens no more; says nothing where the text is empty."""
    server = socket.create_server((ADDRESS, port))

    def serve() -> None:
        kept = []
        while True:
            connection, _ = server.accept()
            kept.append(connection)
            if text:
                connection.sendall(text)

    threading.Thread(target=serve, daemon=True).start()


def udp(port: int, answer: Callable[[bytes], bytes]) -> None:
    """Answers each packet."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((ADDRESS, port))

    def serve() -> None:
        while True:
            data, peer = sock.recvfrom(65535)
            if reply := answer(data):
                sock.sendto(reply, peer)

    threading.Thread(target=serve, daemon=True).start()


def name_server(query: bytes) -> bytes:
    """good.test has an address; nothing else exists."""
    question = query[12:]
    if question.startswith(b"\x04good\x04test\0"):
        answer = struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton(ADDRESS))
        return query[:2] + struct.pack("!HHHHH", 0x8580, 1, 1, 0, 0) + question + answer
    return query[:2] + struct.pack("!HHHHH", 0x8583, 1, 0, 0, 0) + question


def negotiation(packet: bytes) -> bytes:
    """The versions that this server speaks: one."""
    target, source = packet[6:14], packet[15:23]
    return b"\x80\0\0\0\0\x08" + source + b"\x08" + target + b"\0\0\0\x01"


def agent(query: bytes) -> bytes:
    """Answers the community `right` with its own request, in which the first value has become text."""
    if b"\x04\x05right" not in query:
        return b""
    return query.replace(b"\xa0", b"\xa2", 1)


def main(folder: Path) -> None:
    """All servers, until killed."""
    for name, port, newest in (("good", 443, None), ("wrong", 444, None), ("good", 445, ssl.TLSVersion.TLSv1_2)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{name}.pem")
        context.set_alpn_protocols(["http/1.1"])
        if newest:
            context.maximum_version = newest
        web(port, context)
    web(80)
    greeting(8001, b"")
    greeting(8002, b"what is this\r\n" * 40)
    udp(53, name_server)
    udp(443, negotiation)
    udp(161, agent)
    (folder / "ready").touch()
    time.sleep(600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
