"""`trunk`: which VLANs a trunk lets through that it should not: tagged questions for known addresses, in each of them.

args: interface, asks (list of {vlan, address}), window=0.6 (s, all of which is waited).
facts: answers (VLAN to the hardware addresses that answered in it).
Outcomes: ok (somebody answered), timeout (nobody did).
"""

from __future__ import annotations

import socket
import struct
import time
from collections import defaultdict

from plumbline.remote import capture
from plumbline.remote.types import OK, TIMEOUT, Answer, Probe, failure

_ETH_P_ARP, _ETH_P_8021Q = 0x0806, 0x8100
_ROUNDS = 2


def probe(probe: Probe) -> Answer:
    """Asks for all addresses, twice, and listens for the whole window."""
    asks = {(int(ask["vlan"]), str(ask["address"])) for ask in probe.args["asks"]}
    window = min(float(probe.args.get("window", 0.6)), probe.timeout)
    answers: dict[str, set[str]] = defaultdict(set)
    try:
        with capture.start(probe) as sock:
            own = sock.getsockname()[4][:6]
            end = time.monotonic() + window
            for number in range(1, _ROUNDS + 1):
                for vlan, address in sorted(asks):
                    sock.send(_question(own, vlan, address))
                for found, sender, claimed in capture.replies(sock, end - window * (1 - number / _ROUNDS)):
                    if (found, claimed) in asks and sender != own.hex(":"):
                        answers[str(found)].add(sender)
    except OSError as error:
        return Answer(failure(error), f"{probe.args['interface']}: {error}")
    facts = {"answers": {vlan: sorted(senders) for vlan, senders in answers.items()}}
    return Answer(OK, None, facts) if answers else Answer(TIMEOUT, "nobody answered", facts)


def _question(own: bytes, vlan: int, address: str) -> bytes:
    frame = b"\xff" * 6 + own + struct.pack("!HHH", _ETH_P_8021Q, vlan, _ETH_P_ARP)
    frame += struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + own + bytes(4) + bytes(6) + socket.inet_aton(address)
    return frame + bytes(max(0, 64 - len(frame)))
