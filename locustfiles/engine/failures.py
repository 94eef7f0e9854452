"""The classes of failure that errors are counted under: few, the same on every machine, without what varies."""

from __future__ import annotations

import errno
import os
import ssl

import pycurl

from plumbline.load.result import GENERATOR

CA_UNREADABLE = f"{GENERATOR}CA file not readable"
PAIR_UNUSABLE = f"{GENERATOR}certificate or key not usable"
NO_INTERFACE = f"{GENERATOR}cannot send from that interface"
NO_NAME = "name not resolved"
NOT_TRUSTED, NO_HANDSHAKE = "certificate not trusted", "TLS handshake failed"
NO_ANSWER, CUT_SHORT, NOT_HTTP = "closed without an answer", "answer cut short", "not HTTP"
LOST_SENDING, LOST_RECEIVING = "connection lost while sending", "connection lost while receiving"
LATE_CONNECTION, LATE_HANDSHAKE = "timeout: no connection", "timeout: no end of the TLS handshake"
LATE_FIRST_BYTE, LATE_END = "timeout: no first byte", "timeout: answer did not end"
_CLASSES: dict[int, str] = {
    pycurl.E_COULDNT_RESOLVE_HOST: NO_NAME,
    pycurl.E_SSL_CONNECT_ERROR: NO_HANDSHAKE,
    pycurl.E_PEER_FAILED_VERIFICATION: NOT_TRUSTED,
    pycurl.E_GOT_NOTHING: NO_ANSWER,
    pycurl.E_SEND_ERROR: LOST_SENDING,
    pycurl.E_RECV_ERROR: LOST_RECEIVING,
    pycurl.E_PARTIAL_FILE: CUT_SHORT,
    pycurl.E_HTTP2: "HTTP/2 error",
    92: "HTTP/2 stream reset",  # CURLE_HTTP2_STREAM, which pycurl has no name for
    pycurl.E_FTP_WEIRD_SERVER_REPLY: NOT_HTTP,
    pycurl.E_UNSUPPORTED_PROTOCOL: NOT_HTTP,
    pycurl.E_OUT_OF_MEMORY: f"{GENERATOR}out of memory",
    pycurl.E_SSL_CACERT_BADFILE: CA_UNREADABLE,
    pycurl.E_SSL_CERTPROBLEM: PAIR_UNUSABLE,
    pycurl.E_INTERFACE_FAILED: NO_INTERFACE,
}
_CONNECT: dict[int, str] = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "no route to network",
    errno.EADDRNOTAVAIL: f"{GENERATOR}no free port",
    errno.EMFILE: f"{GENERATOR}too many open files",
    errno.ENFILE: f"{GENERATOR}too many open files",
}


class Failed(Exception):
    """A request that cannot have its answer; its text is the class of the failure."""


def of_transfer(easy: pycurl.Curl, number: int) -> str:
    """The class of a transfer that libcurl ended with an error."""
    if number == pycurl.E_OPERATION_TIMEDOUT:
        return of_timeout(easy)
    if number in (pycurl.E_COULDNT_CONNECT, pycurl.E_FAILED_INIT):
        return of_connecting(int(easy.getinfo(pycurl.OS_ERRNO)))
    return _CLASSES.get(number, f"libcurl error {number}")


def of_connecting(cause: int) -> str:
    """The class of a connection that was not made, by its errno."""
    return _CONNECT.get(cause) or f"not connected: {os.strerror(cause) if cause else 'no reason given'}"


def of_handshake(error: OSError) -> str:
    """The class of a TLS handshake that failed."""
    return NOT_TRUSTED if isinstance(error, ssl.SSLCertVerificationError) else NO_HANDSHAKE


def of_status(status: int) -> str:
    """The class of an answer that is none of the good ones."""
    return f"status {status}"


def of_timeout(easy: pycurl.Curl) -> str:
    """The class of a transfer whose time is up, by what was being waited for."""
    if easy.getinfo(pycurl.STARTTRANSFER_TIME_T):
        return LATE_END
    if easy.getinfo(pycurl.PRETRANSFER_TIME_T):
        return LATE_FIRST_BYTE
    if easy.getinfo(pycurl.CONNECT_TIME_T):
        return LATE_HANDSHAKE
    return LATE_CONNECTION
