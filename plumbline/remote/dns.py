"""`dns`: one question to a name server over UDP or TCP.

args: address, port=53, name, type="A", tcp=False, interface, source.
facts: rcode (name), answers (addresses or names), authoritative, milliseconds.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time

from plumbline.remote.sockets import Deadline, bound, connected
from plumbline.remote.types import OK, RUBBISH, TIMEOUT, Answer, Json, Probe, failure

_TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}
_CODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
_AGAIN_AFTER_S = 1.0


def probe(probe: Probe) -> Answer:
    """Asks, over UDP again each second until the time is up."""
    args, started = {"port": 53, **probe.args}, time.monotonic()
    number = os.urandom(2)
    asked = query(number, args["name"], args.get("type", "A"))
    try:
        data = _over_tcp(args, asked, probe.timeout) if args.get("tcp") else _over_udp(args, asked, probe.timeout)
        if data is None:
            return Answer(TIMEOUT, "no answer")
        milliseconds = round(1000 * (time.monotonic() - started), 2)
        return Answer(OK, None, {**reply(data, number), "milliseconds": milliseconds})
    except OSError as error:
        return Answer(failure(error), str(error))
    except ValueError as error:
        return Answer(RUBBISH, str(error))


def query(number: bytes, name: str, kind: str = "A") -> bytes:
    """The message that asks for a name; `number` are the two bytes by which its answer is known."""
    return number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + _name(name) + struct.pack("!HH", _TYPES[kind], 1)


def reply(data: bytes, number: bytes) -> Json:
    """rcode, answers and authoritative of a message; ValueError where it is no answer to the query of that number."""
    try:
        return _read(data, number)
    except (IndexError, struct.error, UnicodeDecodeError):
        raise ValueError("an answer that is no DNS message") from None


def _over_udp(args: dict[str, object], query: bytes, timeout: float) -> bytes | None:
    end = time.monotonic() + timeout
    with bound(socket.SOCK_DGRAM, args) as sock:
        sock.connect((str(args["address"]), int(str(args["port"]))))
        while (now := time.monotonic()) < end:
            sock.send(query)
            if select.select([sock], [], [], min(_AGAIN_AFTER_S, end - now))[0]:
                data = sock.recv(4096)
                if data[:2] == query[:2]:
                    return data
    return None


def _over_tcp(args: dict[str, object], query: bytes, timeout: float) -> bytes:
    deadline, data = Deadline(timeout), b""
    with connected(args, deadline) as sock:
        sock.sendall(struct.pack("!H", len(query)) + query)
        while len(data) < 2 or len(data) < 2 + struct.unpack("!H", data[:2])[0]:
            sock.settimeout(deadline.left())
            chunk = sock.recv(4096)
            if not chunk:
                break
            data += chunk
    return data[2:]


def _name(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _read(data: bytes, number: bytes) -> Json:
    found, flags, questions, answers, _, _ = struct.unpack_from("!2sHHHHH", data)
    if found != number or not flags & 0x8000:
        raise ValueError("an answer to another question")
    position = 12
    for _ in range(questions):
        position = _read_name(data, position)[1] + 4
    values = []
    for _ in range(answers):
        _, position = _read_name(data, position)
        kind, _, _, length = struct.unpack_from("!HHIH", data, position)
        position += 10
        values.append(_value(data, position, kind, length))
        position += length
    code = flags & 15
    return {
        "rcode": _CODES[code] if code < len(_CODES) else str(code),
        "answers": sorted(values),
        "authoritative": bool(flags & 0x0400),
    }


def _value(data: bytes, position: int, kind: int, length: int) -> str:
    if kind == 1 and length == 4:
        return socket.inet_ntop(socket.AF_INET, data[position : position + 4])
    if kind == 28 and length == 16:
        return socket.inet_ntop(socket.AF_INET6, data[position : position + 16])
    if kind in (2, 5, 12):
        return _read_name(data, position)[0]
    return data[position : position + length].hex()


def _read_name(data: bytes, position: int) -> tuple[str, int]:
    labels, after, jumps = [], 0, 0
    while length := data[position]:
        if length & 0xC0 == 0xC0:
            after = after or position + 2
            position, jumps = struct.unpack_from("!H", data, position)[0] & 0x3FFF, jumps + 1
            if jumps > 20:
                raise IndexError("a name that refers to itself")
            continue
        labels.append(data[position + 1 : position + 1 + length].decode("ascii"))
        position += 1 + length
    return ".".join(labels), after or position + 1
