"""Which way a request goes: by a connection of our own where that can be, else by libcurl."""

from __future__ import annotations

from locustfiles.engine.curl import CurlWire, Multi
from locustfiles.engine.direct import DirectWire
from locustfiles.engine.names import Names
from locustfiles.engine.reactor import Reactor
from locustfiles.engine.request import Request, Settings
from locustfiles.engine.servers import Servers
from locustfiles.engine.wire import Completed, Wire


class Network:
    """What the users of one engine have in common."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.multi = Multi(reactor)
        self._names = Names(reactor)
        self._servers: dict[Settings, Servers] = {}

    def servers(self, settings: Settings) -> Servers:
        """Those of all users with these settings."""
        found = self._servers.get(settings)
        if found is None:
            found = self._servers[settings] = Servers(settings, self._names)
        return found


class Wires:
    """One user's, of both kinds; each is made when a request first needs it."""

    def __init__(self, network: Network, settings: Settings, completed: Completed) -> None:
        self._network, self._settings, self._completed = network, settings, completed
        kept = settings.connections == "kept"
        self._direct = DirectWire(network.reactor, network.servers(settings), completed, kept=kept)
        self._curl: CurlWire | None = None

    def of(self, request: Request) -> Wire:
        """What this request is to be sent by."""
        if self._direct.takes(request):
            return self._direct
        if self._curl is None:
            self._curl = CurlWire(self._network.multi, self._settings, self._completed)
        return self._curl

    def close(self) -> None:
        """The user has left."""
        self._direct.close()
        if self._curl is not None:
            self._curl.close()
