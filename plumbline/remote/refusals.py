"""Why a UDP socket was refused: the ICMP message, since an error number cannot tell a firewall from a hole."""

from __future__ import annotations

import socket
import struct

from plumbline.remote.types import REFUSED, UNREACHABLE, failure

_IP_RECVERR, _MSG_ERRQUEUE, _ORIGIN_ICMP = 11, 0x2000, 2
_EXTENDED = struct.Struct("=IBBBBII")
_REFUSALS = (3, 9, 10, 13)  # port unreachable, and three ways to say: prohibited


def listen(sock: socket.socket) -> None:
    """From now on the socket keeps the ICMP messages that it is sent."""
    sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def explain(sock: socket.socket, error: OSError) -> tuple[str, str]:
    """Outcome and reason of an error on such a socket."""
    try:
        _, ancillary, _, _ = sock.recvmsg(512, 512, _MSG_ERRQUEUE)
    except OSError:
        return failure(error), str(error)
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_RECVERR) and len(data) >= _EXTENDED.size + 8:
            _, origin, icmp, code, _, _, _ = _EXTENDED.unpack_from(data)
            if origin == _ORIGIN_ICMP:
                sender = socket.inet_ntoa(data[_EXTENDED.size + 4 : _EXTENDED.size + 8])
                outcome = REFUSED if icmp == 3 and code in _REFUSALS else UNREACHABLE
                return outcome, f"{sender}: ICMP type {icmp} code {code}"
    return failure(error), str(error)
