"""`ping`: ICMP echo, with a size, don't-fragment and a class of service.

args: address, count=3, size (whole IP packet, bytes)=84, fragment=True, tos=0, interval=0.1 (s), interface, source,
enough=1 (replies after which it ends early), bisect=False (look for the largest size that crosses where the full
one does not).
facts: sent, received, size, addresses, ttl, reply_tos, milliseconds, largest (bytes, or null where it was not looked
for or nothing crossed).
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import struct
import time
from dataclasses import dataclass, field

from plumbline.remote.checksum import checksum
from plumbline.remote.sockets import bound
from plumbline.remote.types import OK, REFUSED, TIMEOUT, TOO_BIG, UNREACHABLE, Answer, Probe, failure

_HEADERS = 28
_SMALLEST = 68
_ECHO = 8
_RUNGS = 12
_IP_MTU_DISCOVER, _PMTUDISC_PROBE, _PMTUDISC_DONT = 10, 3, 0
_ADMINISTRATIVE = (9, 10, 13)
_identities = itertools.count(int.from_bytes(os.urandom(2), "big"))


@dataclass
class _Heard:
    """What came back: replies by sequence number, and the last error."""

    replies: dict[int, float] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)
    ttl: int | None = None
    tos: int | None = None
    outcome: str = TIMEOUT
    error: str | None = None


@dataclass(frozen=True)
class _Target:
    """Whom to ask, over which socket, under which number; numbers are not used twice in a process."""

    sock: socket.socket
    address: str
    identity: int


def probe(probe: Probe) -> Answer:
    """Sends echo requests until enough replies came or the time is up."""
    args = probe.args
    size, count, bisect = int(args.get("size", 84)), int(args.get("count", 3)), bool(args.get("bisect"))
    end = time.monotonic() + probe.timeout
    discover = _PMTUDISC_DONT if args.get("fragment", True) else _PMTUDISC_PROBE
    with bound(socket.SOCK_RAW, args, socket.IPPROTO_ICMP) as sock:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, discover)
        target = _Target(sock, args["address"], next(_identities) & 0xFFFF)
        first = end - probe.timeout / 2 if bisect else end
        sizes = dict.fromkeys(range(count), size)
        heard = _exchange(target, sizes, first, float(args.get("interval", 0.1)), int(args.get("enough", 1)))
        received, largest = len(heard.replies), size if heard.replies else None
        outcome, error = heard.outcome, heard.error
        if bisect and not received:
            largest = _largest(target, size, end)
            if largest:
                outcome, error = TOO_BIG, error or f"no reply to {size} bytes; {largest} bytes crossed"
    facts = {
        "sent": len(heard.times),
        "received": received,
        "size": size,
        "largest": largest,
        "addresses": sorted(heard.addresses),
        "ttl": heard.ttl,
        "reply_tos": heard.tos,
        "milliseconds": [round(1000 * heard.replies[n], 3) for n in sorted(heard.replies)],
    }
    return Answer(OK, None, facts) if received else Answer(outcome, error, facts)


def _exchange(target: _Target, sizes: dict[int, int], end: float, interval: float, enough: int) -> _Heard:
    """Sends packets of these sizes, by sequence number, and hears what comes until `end` (monotonic)."""
    heard, queue, next_at = _Heard(), list(sizes.items()), time.monotonic()
    while (now := time.monotonic()) < end and len(heard.replies) < min(enough, len(sizes)):
        if queue and now >= next_at:
            number, size = queue.pop(0)
            heard.times[number] = now
            try:
                target.sock.sendto(_echo(target.identity, number, size), (target.address, 0))
            except OSError as error:
                heard.outcome, heard.error = failure(error), f"{size} bytes: {error.strerror}"
                if len(set(sizes.values())) == 1:
                    break
            next_at = now + interval
        if not queue and heard.outcome in (UNREACHABLE, REFUSED):
            break
        wait = min(end, next_at) - now if queue else end - now
        if select.select([target.sock], [], [], max(0.0, wait))[0]:
            _receive(target, sizes, heard)
    return heard


def _receive(target: _Target, sizes: dict[int, int], heard: _Heard) -> None:
    packet, (sender, _port) = target.sock.recvfrom(65535)
    now, header = time.monotonic(), (packet[0] & 15) * 4
    kind, code = packet[header], packet[header + 1]
    if kind == 0:
        found, number = struct.unpack_from("!HH", packet, header + 4)
        if (
            (found, sender) == (target.identity, target.address)
            and number in heard.times
            and len(packet) >= sizes[number]
        ):
            heard.replies[number] = now - heard.times[number]
            heard.addresses.add(sender)
            heard.tos, heard.ttl = packet[1], packet[8]
    elif kind in (3, 11):
        inner = header + 8
        icmp = inner + (packet[inner] & 15) * 4
        if len(packet) < icmp + 8 or not _about(packet[inner:icmp], packet[icmp : icmp + 8], target):
            return
        if kind == 3 and code == 4:
            heard.outcome = TOO_BIG
            mtu = struct.unpack_from("!H", packet, header + 6)[0]
            heard.error = f"{sender}: fragmentation needed, next MTU {mtu}"
        else:
            heard.outcome = REFUSED if kind == 3 and code in _ADMINISTRATIVE else UNREACHABLE
            heard.error = f"{sender}: ICMP type {kind} code {code}"


def _about(header: bytes, message: bytes, target: _Target) -> bool:
    """Whether an error is about a request to the target: errors about all that a pod sends come here, QUIC's too."""
    asked = header[9] == socket.IPPROTO_ICMP and message[0] == _ECHO
    return (
        asked
        and socket.inet_ntoa(header[16:20]) == target.address
        and message[4:6] == target.identity.to_bytes(2, "big")
    )


def _largest(target: _Target, too_big: int, end: float) -> int | None:
    """The largest packet that crosses, found with ladders of sizes that are sent together."""
    crossed, failed, number = 0, too_big, 1000
    while time.monotonic() < end and failed - crossed > 1:
        low = crossed or _SMALLEST
        step = max(1, (failed - low) // _RUNGS)
        rungs = {*range(low, failed, step), *([1500] if low < 1500 < failed else [])}
        sizes = dict(enumerate(sorted(rungs), number))
        number += len(sizes)
        heard = _exchange(target, sizes, min(end, time.monotonic() + 0.3), 0.0, len(sizes))
        best = max((sizes[n] for n in heard.replies), default=0)
        if not best:
            break
        crossed = max(crossed, best)
        failed = min((s for s in sizes.values() if s > crossed), default=failed)
    return crossed or None


def _echo(identity: int, number: int, size: int) -> bytes:
    data = bytes(max(0, size - _HEADERS))
    return (
        struct.pack("!BBHHH", 8, 0, checksum(struct.pack("!BBHHH", 8, 0, 0, identity, number) + data), identity, number)
        + data
    )
