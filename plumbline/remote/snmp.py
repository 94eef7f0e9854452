"""`snmp`: a GET of SNMP version 2c.

args: address, port=161, community (never kept), oids={name: "1.3.6…"}, interface, source.
facts: values (name to number or text; null where the agent has no such object), milliseconds.
"""

from __future__ import annotations

import os
import select
import socket
import time

from plumbline.remote.sockets import bound
from plumbline.remote.types import OK, RUBBISH, TIMEOUT, Answer, Probe, failure

SYSTEM = {"sysDescr": "1.3.6.1.2.1.1.1.0", "sysUpTime": "1.3.6.1.2.1.1.3.0", "sysName": "1.3.6.1.2.1.1.5.0"}
_AGAIN_AFTER_S = 0.7


def probe(probe: Probe) -> Answer:
    """Asks until the time is up; a wrong community is met with silence."""
    args = probe.args
    oids: dict[str, str] = args.get("oids") or SYSTEM
    number = int.from_bytes(os.urandom(3), "big") | 1
    names = b"".join(_tlv(0x30, _tlv(6, _oid(o)) + b"\x05\0") for o in oids.values())
    pdu = _tlv(0xA0, _integer(number) + _integer(0) + _integer(0) + _tlv(0x30, names))
    query = _tlv(0x30, _integer(1) + _tlv(4, str(args["community"]).encode()) + pdu)
    started = time.monotonic()
    try:
        with bound(socket.SOCK_DGRAM, args) as sock:
            sock.connect((args["address"], int(args.get("port", 161))))
            while (left := started + probe.timeout - time.monotonic()) > 0:
                sock.send(query)
                if select.select([sock], [], [], min(_AGAIN_AFTER_S, left))[0]:
                    values = _read(sock.recv(65535), number)
                    milliseconds = round(1000 * (time.monotonic() - started), 2)
                    return Answer(
                        OK, None, {"values": dict(zip(oids, values, strict=True)), "milliseconds": milliseconds}
                    )
    except OSError as error:
        return Answer(failure(error), str(error))
    except (IndexError, ValueError) as error:
        return Answer(RUBBISH, f"an answer that is no SNMP message: {error}")
    return Answer(TIMEOUT, "no answer: nobody is there, or the community is wrong")


def _tlv(tag: int, data: bytes) -> bytes:
    if len(data) < 128:
        return bytes([tag, len(data)]) + data
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + data


def _integer(value: int) -> bytes:
    return _tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _oid(text: str) -> bytes:
    parts = [int(part) for part in text.strip(".").split(".")]
    encoded = bytearray()
    for part in [parts[0] * 40 + parts[1], *parts[2:]]:
        septets = [part & 127]
        while part := part >> 7:
            septets.append(part & 127 | 128)
        encoded += bytes(reversed(septets))
    return bytes(encoded)


def _take(data: bytes, position: int = 0) -> tuple[int, bytes, int]:
    """Tag, content and the position after it."""
    tag, length, position = data[position], data[position + 1], position + 2
    if length & 128:
        size = length & 127
        length, position = int.from_bytes(data[position : position + size], "big"), position + size
    return tag, data[position : position + length], position + length


def _items(data: bytes) -> list[tuple[int, bytes]]:
    items, position = [], 0
    while position < len(data):
        tag, content, position = _take(data, position)
        items.append((tag, content))
    return items


def _read(data: bytes, number: int) -> list[int | str | None]:
    pdu = _items(_items(_take(data)[1])[2][1])
    if int.from_bytes(pdu[0][1], "big") != number:
        raise ValueError("another request's number")
    if int.from_bytes(pdu[1][1], "big"):
        raise ValueError(f"error status {int.from_bytes(pdu[1][1], 'big')}")
    return [_value(*_items(binding)[1]) for _, binding in _items(pdu[3][1])]


def _value(tag: int, content: bytes) -> int | str | None:
    if tag == 4:
        return content.decode("utf-8", "replace")
    if tag in (2, 0x41, 0x42, 0x43, 0x46):
        return int.from_bytes(content, "big", signed=tag == 2)
    return None if tag in (5, 0x80, 0x81, 0x82) else content.hex()
