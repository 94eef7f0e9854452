"""A connection attempt by way of a given gateway, whatever the routing table says: frames made by hand.

A host without a route proves nothing of the firewall beside it; this asks the firewall itself. An echo request goes
with it, for a target on which nothing listens resets a connection as a firewall may.
args (of `tcp`): interface, gateway, source, address, port.
facts: syn ("accepted", "reset", "ICMP type/code" or "silence"), echo (the same, "accepted" being a reply), answered_by.
Outcomes: ok (something passed), refused, unreachable, timeout.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from dataclasses import dataclass, field

from plumbline.remote.checksum import checksum
from plumbline.remote.sockets import frame_socket
from plumbline.remote.types import OK, REFUSED, TIMEOUT, UNREACHABLE, Answer, Probe

_ALL, _ARP, _IP = 0x0003, 0x0806, 0x0800
_SYN, _ACK, _RST = 2, 16, 4
_ADMINISTRATIVE = ("ICMP 3/9", "ICMP 3/10", "ICMP 3/13", "ICMP 3/3")
_ACCEPTED, _RESET, _SILENCE = "accepted", "reset", "silence"
_AGAIN_AFTER_S = 0.4


@dataclass
class _Attempt:
    """What is sent, and what came of it."""

    source: bytes
    target: bytes
    port: int
    own_port: int = field(default_factory=lambda: 32768 + int.from_bytes(os.urandom(2), "big") % 28000)
    identity: int = field(default_factory=lambda: int.from_bytes(os.urandom(2), "big"))
    syn: str = _SILENCE
    echo: str = _SILENCE
    answered_by: set[str] = field(default_factory=set)

    def packets(self) -> list[bytes]:
        """The SYN and the echo request, from IP on."""
        tcp = struct.pack("!HHIIBBHHH", self.own_port, self.port, self.identity, 0, 5 << 4, _SYN, 64240, 0, 0)
        pseudo = self.source + self.target + struct.pack("!BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        echo = struct.pack("!BBHHH", 8, 0, 0, self.identity, 1) + bytes(16)
        echo = echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]
        return [self._ip(6, tcp), self._ip(1, echo)]

    def _ip(self, protocol: int, data: bytes) -> bytes:
        header = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 0, 0x4000, 64, protocol, 0, self.source, self.target
        )
        return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + data

    def hear(self, packet: bytes) -> None:
        """Takes in a packet, from IP on, if it is about this attempt."""
        size, protocol, sender = (packet[0] & 15) * 4, packet[9], packet[12:16]
        data = packet[size:]
        if protocol == 6 and sender == self.target and struct.unpack_from("!HH", data) == (self.port, self.own_port):
            flags = data[13]
            self.syn = _ACCEPTED if flags & _SYN and flags & _ACK else _RESET if flags & _RST else self.syn
        elif protocol == 1 and data[0] == 0 and sender == self.target:
            if struct.unpack_from("!H", data, 4)[0] == self.identity:
                self.echo = _ACCEPTED
        elif protocol == 1 and data[0] in (3, 11) and len(data) >= 36 and data[24:28] == self.target:
            inner = 8 + (data[8] & 15) * 4
            said = f"ICMP {data[0]}/{data[1]}"
            if data[17] == 6 and struct.unpack_from("!HH", data, inner) == (self.own_port, self.port):
                self.syn = said
            elif data[17] == 1 and struct.unpack_from("!H", data, inner + 4)[0] == self.identity:
                self.echo = said
            else:
                return
        else:
            return
        self.answered_by.add(socket.inet_ntoa(sender))

    def answer(self) -> Answer:
        """The outcome."""
        facts = {"syn": self.syn, "echo": self.echo, "answered_by": sorted(self.answered_by)}
        if _ACCEPTED in (self.syn, self.echo):
            return Answer(OK, None, facts)
        said = {self.syn, self.echo} - {_SILENCE}
        if not said:
            return Answer(TIMEOUT, "silence", facts)
        refused = said & {_RESET, *_ADMINISTRATIVE}
        return Answer(REFUSED if refused else UNREACHABLE, ", ".join(sorted(said)), facts)


def probe(probe: Probe) -> Answer:
    """Finds the gateway, and sends both twice."""
    args = probe.args
    attempt = _Attempt(socket.inet_aton(args["source"]), socket.inet_aton(args["address"]), int(args["port"]))
    end = time.monotonic() + probe.timeout
    with frame_socket(args["interface"], _ALL) as sock:
        own = sock.getsockname()[4][:6]
        gateway = _find(sock, own, attempt.source, socket.inet_aton(args["gateway"]), end)
        if gateway is None:
            return Answer(TIMEOUT, f"the gateway {args['gateway']} does not answer")
        header, sent, next_at = gateway + own + struct.pack("!H", _IP), 0, time.monotonic()
        while (now := time.monotonic()) < end and _SILENCE in (attempt.syn, attempt.echo):
            if sent < 2 and now >= next_at:
                for packet in attempt.packets():
                    sock.send(header + packet)
                sent, next_at = sent + 1, now + _AGAIN_AFTER_S
            if select.select([sock], [], [], max(0.0, min(end, next_at if sent < 2 else end) - now))[0]:
                frame = sock.recv(256)
                if frame[12:14] == struct.pack("!H", _IP) and frame[:6] == own and len(frame) >= 42:
                    attempt.hear(frame[14:])
    return attempt.answer()


def _find(sock: socket.socket, own: bytes, source: bytes, gateway: bytes, end: float) -> bytes | None:
    """The hardware address of the gateway."""
    request = b"\xff" * 6 + own + struct.pack("!HHHBBH", _ARP, 1, _IP, 6, 4, 1) + own + source + b"\0" * 6 + gateway
    next_at = time.monotonic()
    while (now := time.monotonic()) < end:
        if now >= next_at:
            sock.send(request)
            next_at = now + _AGAIN_AFTER_S
        if select.select([sock], [], [], max(0.0, min(end, next_at) - now))[0]:
            frame = sock.recv(128)
            if frame[12:14] == struct.pack("!H", _ARP) and frame[20:22] == b"\0\2" and frame[28:32] == gateway:
                return frame[22:28]
    return None
