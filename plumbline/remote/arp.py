"""`arp`: who in a VLAN claims an address (RFC 5227); two answers are a duplicate address.

args: interface, address, source="0.0.0.0", window=0.6 (s, all of which is waited), count=2.
facts: answers (MAC to number of replies), own (MAC of the interface).
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import Counter

from plumbline.remote.sockets import frame_socket
from plumbline.remote.types import OK, TIMEOUT, Answer, Probe, failure

_ETH_P_ARP = 0x0806
_BROADCAST = b"\xff" * 6


def probe(probe: Probe) -> Answer:
    """Asks twice and listens for the whole window."""
    args = probe.args
    window, count = min(float(args.get("window", 0.6)), probe.timeout), int(args.get("count", 2))
    answers: Counter[str] = Counter()
    try:
        with frame_socket(args["interface"], _ETH_P_ARP) as sock:
            own = sock.getsockname()[4][:6]
            target = socket.inet_aton(args["address"])
            request = _BROADCAST + own + struct.pack("!HHHBBH", _ETH_P_ARP, 1, 0x0800, 6, 4, 1)
            request += own + socket.inet_aton(args.get("source", "0.0.0.0")) + b"\0" * 6 + target
            started, sent = time.monotonic(), 0
            while (left := started + window - time.monotonic()) > 0:
                if sent < count and time.monotonic() >= started + sent * window / (count + 1):
                    sock.send(request)
                    sent += 1
                if select.select([sock], [], [], min(left, window / (count + 1)))[0]:
                    frame = sock.recv(128)
                    if frame[20:22] == b"\0\x02" and frame[28:32] == target and frame[22:28] != own:
                        answers[frame[22:28].hex(":")] += 1
    except OSError as error:
        return Answer(failure(error), f"{args['interface']}: {error}")
    facts = {"answers": dict(answers), "own": own.hex(":")}
    return Answer(OK, None, facts) if answers else Answer(TIMEOUT, "nobody answered", facts)
