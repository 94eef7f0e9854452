"""`quic`: does anything speak QUIC on a UDP port.

A packet of an unknown version must be answered with the versions that are known (RFC 9000, chapter 6).

args: address, port=443, interface, source.
facts: versions (hexadecimal). Outcomes: ok (answered), refused (by ICMP), unreachable, timeout (silence), rubbish.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time

from plumbline.remote import refusals
from plumbline.remote.sockets import bound
from plumbline.remote.types import OK, RUBBISH, TIMEOUT, Answer, Probe

_UNKNOWN_VERSION = 0x1A2A3A4A  # of the pattern that is reserved to force negotiation
_SMALLEST_PACKET = 1200
_AGAIN_AFTER_S = 0.4


def probe(probe: Probe) -> Answer:
    """Sends up to three packets until an answer comes."""
    args, source, target = probe.args, os.urandom(8), os.urandom(8)
    packet = struct.pack("!BIB8sB8s", 0xC0, _UNKNOWN_VERSION, 8, target, 8, source)
    packet += os.urandom(_SMALLEST_PACKET - len(packet))
    end, sent = time.monotonic() + probe.timeout, 0
    with bound(socket.SOCK_DGRAM, args) as sock:
        try:
            refusals.listen(sock)
            sock.connect((args["address"], int(args.get("port", 443))))
            while (now := time.monotonic()) < end:
                if sent < 3:
                    sock.send(packet)
                    sent += 1
                if select.select([sock], [], [], min(_AGAIN_AFTER_S, end - now) if sent < 3 else end - now)[0]:
                    return _read(sock.recv(2048), source, target)
        except OSError as error:
            return Answer(*refusals.explain(sock, error))
    return Answer(TIMEOUT, f"no answer to {sent} packets")


def _read(data: bytes, source: bytes, target: bytes) -> Answer:
    expected = b"\x00" * 4 + bytes([8]) + source + bytes([8]) + target
    if len(data) < 23 or not data[0] & 0x80 or data[1:23] != expected:
        return Answer(RUBBISH, f"{len(data)} bytes that are no version negotiation")
    return Answer(OK, None, {"versions": [data[n : n + 4].hex() for n in range(23, len(data) - 3, 4)]})
