"""Where servers are, and how one connects to them: worked out once for all users with the same settings."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

from locustfiles.engine.failures import CA_UNREADABLE, PAIR_UNUSABLE, Failed
from locustfiles.engine.request import Settings
from locustfiles.engine.written import Origin


@dataclass(frozen=True, slots=True)
class Server:
    """Where connections go to. `source` is an address, or the name of an interface, to send from; mostly neither."""

    host: str
    family: int
    address: tuple[str, int]
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    source: str = ""


class Servers:
    """The servers that users with these settings may be connected to without libcurl."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[tuple[str, str], str] = {}
        for entry in settings.resolve:
            host, _, where = entry.partition(":")
            port, _, address = where.partition(":")
            self._known[host.lower(), port] = address.strip("[]")
        self._addresses: dict[Origin, str] = {}
        self._found: dict[Origin, Server] = {}
        self._context: ssl.SSLContext | None = None
        self._failure = ""

    def knows(self, origin: Origin) -> bool:
        """Whether these connections may be our own: libcurl asks DNS, and does what Python's ssl cannot."""
        address = self._addresses.get(origin)
        if address is None:
            address = self._addresses[origin] = self._address(origin)
        return bool(address)

    def _address(self, origin: Origin) -> str:
        settings = self._settings
        if settings.protocol != "http/1.1" or settings.curves or "!" in settings.interface:
            return ""
        try:  # a name that DNS has to be asked for would keep all users waiting
            return str(ip_address(self._known.get((origin.host, str(origin.port)), origin.host)))
        except ValueError:
            return ""

    def find(self, origin: Origin) -> Server:
        """Where one is that it knows; Failed where there is nobody to trust, or nothing to show."""
        found = self._found.get(origin)
        if found is None:
            address = self._addresses[origin]
            tls = self._trusting() if origin.scheme == "https" else None
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            found = Server(origin.host, family, (address, origin.port), tls, self._settings.interface)
            self._found[origin] = found
        return found

    def _trusting(self) -> ssl.SSLContext:
        """The context, made once; neither is a file that cannot be read looked for again at each request."""
        if self._context is None and not self._failure:
            try:
                self._context = context(self._settings)
            except Failed as failed:
                self._failure = str(failed)
        if self._context is None:
            raise Failed(self._failure)
        return self._context


def context(settings: Settings) -> ssl.SSLContext:
    """Verifies certificate and name, and resumes nothing; Failed where there is nobody to trust, or nothing to show."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # who is trusted need not be a root, as with libcurl
    made.set_alpn_protocols(["http/1.1"])
    try:
        if settings.authority:
            made.load_verify_locations(cadata=settings.authority)
        elif settings.ca:
            made.load_verify_locations(settings.ca)
        else:
            made.load_default_certs()
    except (OSError, ValueError):
        raise Failed(CA_UNREADABLE) from None
    if settings.certificate:
        try:
            with _in_memory(settings.certificate) as path:
                made.load_cert_chain(path, password="")  # without one OpenSSL asks at the terminal
        except (OSError, ValueError):
            raise Failed(PAIR_UNUSABLE) from None
    return made


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """A file that is on no disk: Python reads keys from files only."""
    descriptor = os.memfd_create("plumbline", os.MFD_CLOEXEC)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"
