"""`tcp`: does a port take connections.

args: address, port, interface, source, read=0 (bytes of a greeting to wait for), send (Latin-1, to be sent first),
gateway (to be asked whatever the routes say: see plumbline.remote.via).
facts: connect_ms, local, greeting.
"""

from __future__ import annotations

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
            if probe.args.get("send"):
                sock.sendall(str(probe.args["send"]).encode("latin-1"))
            if probe.args.get("read"):
                sock.settimeout(deadline.left())
                facts["greeting"] = sock.recv(min(4096, int(probe.args["read"]))).decode("latin-1")
    except OSError as error:
        return Answer(failure(error), str(error), facts)
    return Answer(OK, None, facts)
