"""`capture`: which frames pass an interface while other probes run: VLAN on the wire, addresses, class of service.

args: interface, hosts (addresses; only frames from or to one of these are counted; none: all are), linger=0.2 (s after
the last of the probes that run during it), most=4000 (kinds of frames).
facts: interface, seen (number of all frames), fragments (pieces of IPv4 packets by VLAN), arrived
(frames that came in, by VLAN), vlans (frames by VLAN, 0 for untagged, whatever the hosts), frames, a
list of {vlan, ethertype, source_mac, target_mac, source, target, protocol, dscp, count}.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator

from plumbline.remote.sockets import frame_socket
from plumbline.remote.types import OK, Answer, Probe, failure

_ETH_P_ALL, _ETH_P_IP, _ETH_P_ARP = 0x0003, 0x0800, 0x0806
_SOL_PACKET, _PACKET_AUXDATA, _SO_RCVBUFFORCE = 263, 8, 33
_AUXDATA = struct.Struct("=IIIHHHH")
_TP_STATUS_VLAN_VALID = 0x10
_TAGGED = (0x8100, 0x88A8)
_SNAP = 128

Key = tuple[int | None, int, str, str, str, str, int | None, int | None]


def start(probe: Probe) -> socket.socket:
    """The listening socket; from this moment on no frame is missed."""
    options = ((_SOL_PACKET, _PACKET_AUXDATA, 1), (socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20))
    sock = frame_socket(probe.args["interface"], _ETH_P_ALL, *options)
    sock.setblocking(False)
    return sock


def listen(probe: Probe, sock: socket.socket, stop: int) -> Answer:
    """Counts frames until the pipe `stop` says that the others have ended, or the time is up."""
    hosts = frozenset(probe.args.get("hosts", ()))
    counts: Counter[Key] = Counter()
    vlans: Counter[int] = Counter()
    arrived: Counter[int] = Counter()
    fragments: Counter[int] = Counter()
    end, seen, most = time.monotonic() + probe.timeout, 0, int(probe.args.get("most", 4000))
    watched = [sock.fileno(), stop]
    while (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select(watched, [], [], left)
        if stop in ready:
            os.read(stop, 16)
            watched.remove(stop)
            end = min(end, time.monotonic() + float(probe.args.get("linger", 0.2)))
        if sock.fileno() in ready:
            try:
                for _ in range(256):
                    data, ancillary, _, place = sock.recvmsg(_SNAP, 64)
                    seen += 1
                    key = _key(data, _tag(ancillary))
                    vlans[key[0] or 0] += 1
                    arrived[key[0] or 0] += place[2] != socket.PACKET_OUTGOING
                    fragments[key[0] or 0] += _is_fragment(data)
                    if (not hosts or key[4] in hosts or key[5] in hosts) and (key in counts or len(counts) < most):
                        counts[key] += 1
            except BlockingIOError:
                pass
            except OSError as error:
                return Answer(failure(error), str(error))
    names = ("vlan", "ethertype", "source_mac", "target_mac", "source", "target", "protocol", "dscp")
    frames = [{**dict(zip(names, key, strict=True)), "count": count} for key, count in counts.items()]
    facts = {"interface": probe.args["interface"], "frames": frames, "seen": seen, "vlans": dict(vlans)}
    facts["arrived"] = {vlan: count for vlan, count in arrived.items() if count}
    facts["fragments"] = {vlan: count for vlan, count in fragments.items() if count}
    return Answer(OK, None, facts)


def replies(sock: socket.socket, end: float) -> Iterator[tuple[int | None, str, str]]:
    """ARP replies until `end` (monotonic): their VLAN, who sent them, and the address that they claim."""
    while (left := end - time.monotonic()) > 0:
        if not select.select([sock], [], [], left)[0]:
            continue
        data, ancillary, _, _ = sock.recvmsg(_SNAP, 64)
        vlan, _kind, sender, _target, claimed, *_ = _key(data, _tag(ancillary))
        if _is_reply(data):
            yield vlan, sender, claimed


def _payload(frame: bytes) -> tuple[int, int]:
    """Where what is inside a frame begins, and of which kind it is."""
    position = 14
    while int.from_bytes(frame[position - 2 : position], "big") in _TAGGED and len(frame) >= position + 4:
        position += 4
    return position, int.from_bytes(frame[position - 2 : position], "big")


def _is_reply(frame: bytes) -> bool:
    position, kind = _payload(frame)
    return kind == _ETH_P_ARP and frame[position + 6 : position + 8] == b"\0\x02"


def _is_fragment(frame: bytes) -> bool:
    """Whether it is the first or a further piece of an IPv4 packet: more fragments, or an offset."""
    position, kind = _payload(frame)
    return kind == _ETH_P_IP and bool(int.from_bytes(frame[position + 6 : position + 8], "big") & 0x3FFF)


def _tag(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The VLAN that the kernel has already taken off the frame."""
    for level, kind, data in ancillary:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(data) >= _AUXDATA.size:
            status, *_, tci, _protocol = _AUXDATA.unpack_from(data)
            if status & _TP_STATUS_VLAN_VALID:
                return int(tci) & 0x0FFF
    return None


def _key(frame: bytes, vlan: int | None) -> Key:
    target, source = frame[0:6].hex(":"), frame[6:12].hex(":")
    ethertype, position = int.from_bytes(frame[12:14], "big"), 14
    while ethertype in _TAGGED and len(frame) >= position + 4:
        tci, ethertype = struct.unpack_from("!HH", frame, position)
        vlan, position = tci & 0x0FFF if vlan is None else vlan, position + 4
    if ethertype == _ETH_P_IP and len(frame) >= position + 20:
        addresses = (
            socket.inet_ntoa(frame[position + 12 : position + 16]),
            socket.inet_ntoa(frame[position + 16 : position + 20]),
        )
        return vlan, ethertype, source, target, *addresses, frame[position + 9], frame[position + 1] >> 2
    if ethertype == _ETH_P_ARP and len(frame) >= position + 28:
        sender = socket.inet_ntoa(frame[position + 14 : position + 18])
        return (
            vlan,
            ethertype,
            source,
            target,
            sender,
            socket.inet_ntoa(frame[position + 24 : position + 28]),
            None,
            None,
        )
    return vlan, ethertype, source, target, "", "", None, None
