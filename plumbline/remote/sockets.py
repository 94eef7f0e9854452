"""Sockets bound to an interface or an address, with a limit on their waiting."""

from __future__ import annotations

import socket
import time

from plumbline.remote.types import Json

_CONNECT_S = 1.5  # three tries of TCP's; where nobody answers, others must not wait for it
SO_BINDTODEVICE = 25


def bound(kind: int, args: Json, protocol: int = 0, family: int = socket.AF_INET) -> socket.socket:
    """A socket bound to args["interface"] and args["source"] where these are given."""
    made = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
    try:
        if args.get("interface"):
            made.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, str(args["interface"]).encode() + b"\0")
        if args.get("source"):
            made.bind((args["source"], 0))
        if args.get("tos"):
            made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, int(args["tos"]))
    except OSError:
        made.close()
        raise
    return made


def frame_socket(interface: str, protocol: int, *options: tuple[int, int, int]) -> socket.socket:
    """A socket for whole frames of one interface and Ethernet protocol; `options` (level, name, value) hold from the first.

    Of no protocol until it is bound: it would hear every interface in between, where frames of VLANs have no tag.
    """
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        for option in options:
            made.setsockopt(*option)
        made.bind((interface, protocol))
    except OSError:
        made.close()
        raise
    return made


class Deadline:
    """Time left, in seconds; TimeoutError where none is."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, more than 0."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time was up")
        return left


def connected(args: Json, deadline: Deadline) -> socket.socket:
    """A TCP connection to args["address"], args["port"]."""
    made = bound(socket.SOCK_STREAM, args)
    try:
        made.settimeout(min(deadline.left(), float(args.get("connect", _CONNECT_S))))
        made.connect((args["address"], int(args["port"])))
    except OSError:
        made.close()
        raise
    return made
