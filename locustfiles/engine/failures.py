"""The classes of failure that errors are counted under: few, the same on every machine, without what varies."""

from __future__ import annotations

import errno
import os

import pycurl

from plumbline.load.result import GENERATOR

_CLASSES: dict[int, str] = {
    pycurl.E_COULDNT_RESOLVE_HOST: "name not resolved",
    pycurl.E_SSL_CONNECT_ERROR: "TLS handshake failed",
    pycurl.E_PEER_FAILED_VERIFICATION: "certificate not trusted",
    pycurl.E_GOT_NOTHING: "closed without an answer",
    pycurl.E_SEND_ERROR: "connection lost while sending",
    pycurl.E_RECV_ERROR: "connection lost while receiving",
    pycurl.E_PARTIAL_FILE: "answer cut short",
    pycurl.E_HTTP2: "HTTP/2 error",
    92: "HTTP/2 stream reset",  # CURLE_HTTP2_STREAM, which pycurl has no name for
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "not HTTP",
    pycurl.E_UNSUPPORTED_PROTOCOL: "not HTTP",
    pycurl.E_OUT_OF_MEMORY: f"{GENERATOR}out of memory",
    pycurl.E_SSL_CACERT_BADFILE: f"{GENERATOR}CA file not readable",
    pycurl.E_INTERFACE_FAILED: f"{GENERATOR}cannot send from that interface",
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


def of_transfer(easy: pycurl.Curl, number: int) -> str:
    """The class of a transfer that libcurl ended with an error."""
    if number == pycurl.E_OPERATION_TIMEDOUT:
        return of_timeout(easy)
    if number in (pycurl.E_COULDNT_CONNECT, pycurl.E_FAILED_INIT):
        cause = int(easy.getinfo(pycurl.OS_ERRNO))
        return _CONNECT.get(cause) or f"not connected: {os.strerror(cause) if cause else 'no reason given'}"
    return _CLASSES.get(number, f"libcurl error {number}")


def of_status(status: int) -> str:
    """The class of an answer that is none of the good ones."""
    return f"status {status}"


def of_timeout(easy: pycurl.Curl) -> str:
    """The class of a transfer whose time is up, by what was being waited for."""
    if easy.getinfo(pycurl.STARTTRANSFER_TIME_T):
        return "timeout: answer did not end"
    if easy.getinfo(pycurl.PRETRANSFER_TIME_T):
        return "timeout: no first byte"
    if easy.getinfo(pycurl.CONNECT_TIME_T):
        return "timeout: no end of the TLS handshake"
    return "timeout: no connection"
