"""`audit`: a request to the server of this node, and whether its file of requests has it then.

args: address, port, certificate_file and key_file (of this node, shown to the server), file, marker (a path of the API that does
not exist, which nobody else asks for).
facts: status (of the answer), written (whether the file has the marker), size (of the file), seconds (until it had it).
"""

from __future__ import annotations

import os
import ssl
import time

from plumbline.remote import message
from plumbline.remote.sockets import Deadline, connected
from plumbline.remote.types import OK, Answer, Json, Probe

_TAIL = 262144
_POLL_S = 0.05


def probe(probe: Probe) -> Answer:
    """Asks, and reads the end of the file until the request is in it or the time is up."""
    args, deadline = probe.args, Deadline(probe.timeout)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # this node's own server, by its own address
    context.load_cert_chain(args["certificate_file"], args["key_file"])
    began = time.monotonic()
    with (
        connected(args, deadline) as plain,
        context.wrap_socket(plain, server_hostname=args["address"]) as sock,
    ):
        said = message.get(sock, args["address"], {"path": f"/v1/{args['marker']}"}, deadline, 4096)
    facts = Json(status=said["status"], written=False, size=None, seconds=None)
    while deadline.left() > 2 * _POLL_S:
        facts["size"], text = _end(args["file"])
        if args["marker"].encode() in text:
            return Answer(OK, None, {**facts, "written": True, "seconds": round(time.monotonic() - began, 3)})
        time.sleep(_POLL_S)
    return Answer(OK, None, facts)


def _end(path: str) -> tuple[int | None, bytes]:
    """Size of a file and its last part; no size where there is none."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _TAIL))
            return size, file.read()
    except FileNotFoundError:
        return None, b""
