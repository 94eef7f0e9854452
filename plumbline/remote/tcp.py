"""`tcp`: does a port take connections.

args: address, port, interface, source, read=0 (bytes of a greeting to wait for), send (Latin-1, to be sent first),
upgrade (Latin-1, sent before that: where the answer is "S", TLS begins, with whomever it may be: nothing secret is sent),
gateway (to be asked whatever the routes say: see plumbline.remote.via).
facts: connect_ms, local, greeting.
"""

from __future__ import annotations

import socket
import ssl
import time

from plumbline.remote import via
from plumbline.remote.sockets import Deadline, connected
from plumbline.remote.types import OK, Answer, Json, Probe, failure


def probe(probe: Probe) -> Answer:
    """Connects, and reads a greeting where one is asked for."""
    if probe.args.get("gateway"):
        return via.probe(probe)
    started, deadline = time.monotonic(), Deadline(probe.timeout)
    facts: Json = {}
    try:
        with connected(probe.args, deadline) as sock:
            facts["connect_ms"] = round(1000 * (time.monotonic() - started), 2)
            facts["local"] = sock.getsockname()[0]
            sock.settimeout(deadline.left())
            with _upgraded(sock, str(probe.args.get("upgrade", "")).encode("latin-1")) as spoken:
                if probe.args.get("send"):
                    spoken.sendall(str(probe.args["send"]).encode("latin-1"))
                if probe.args.get("read"):
                    spoken.settimeout(deadline.left())
                    facts["greeting"] = spoken.recv(min(4096, int(probe.args["read"]))).decode("latin-1")
    except OSError as error:
        return Answer(failure(error), str(error), facts)
    return Answer(OK, None, facts)


def _upgraded(sock: socket.socket, request: bytes) -> socket.socket:
    """The connection, with TLS from here on where the other end agrees to it."""
    if not request:
        return sock
    sock.sendall(request)
    if sock.recv(1) != b"S":
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)
