"""Where servers are, and how one connects to them: worked out once for all users with the same settings."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address

from locustfiles.engine.failures import Failed
from locustfiles.engine.names import Names
from locustfiles.engine.request import Settings
from locustfiles.engine.tls import context
from locustfiles.engine.written import Origin

_ENTRY = re.compile(r"([^-+*:\[][^:]*):(\d+):\[?([0-9A-Fa-f:.]+)\]?")


@dataclass(frozen=True, slots=True)
class Server:
    """Where connections go to. `source` is an address, or the name of an interface, to send from; mostly neither."""

    host: str
    family: int
    address: tuple[str, int]
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    source: str = ""


class Servers:
    """The servers of users with these settings.

    `able`: whether the settings ask for nothing that only libcurl has, as chosen curves, or several addresses of a name.
    """

    def __init__(self, settings: Settings, names: Names) -> None:
        self._settings = settings
        self.names = names
        entries = [_ENTRY.fullmatch(entry) for entry in settings.resolve]
        self._told = {(entry[1].lower(), int(entry[2])): [entry[3]] for entry in entries if entry is not None}
        self.able = (
            settings.protocol == "http/1.1" and not settings.curves and "!" not in settings.interface and all(entries)
        )
        self._found: dict[tuple[Origin, str], Server] = {}
        self._context: ssl.SSLContext | None = None
        self._failure = ""

    def addresses(self, origin: Origin) -> list[str]:
        """Where it is, the likeliest first; nothing where its name has to be looked up. Whoever finds nobody there may
        change the order for all."""
        told = self._told.get((origin.host, origin.port))
        if told is None and _is_address(origin.host):
            told = self._told[origin.host, origin.port] = [origin.host]
        return told or self.names.known(origin.host)

    def find(self, origin: Origin, address: str) -> Server:
        """How to connect to it there; Failed where there is nobody to trust, or nothing to show."""
        found = self._found.get((origin, address))
        if found is None:
            tls = self._trusting() if origin.scheme == "https" else None
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            found = Server(origin.host, family, (address, origin.port), tls, self._settings.interface)
            self._found[origin, address] = found
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


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
