"""What has to be there before a run, and must not be there after it: agents, the population, all that was made."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from locustfiles.kube.api import Api, ApiError
from locustfiles.kube.objects import AGENTS, ATTACHMENTS, EVENTS, OF_AGENTS, agent, attachment
from plumbline.bed.throughput import Factors

_POLL = 0.2
_PAGE = 500
_GONE, _SLOW = (404,), (504,)


class Fleet:
    """The agents and attachments of one run. `limit` is how many seconds making them may take, and removing them."""

    def __init__(self, api: Api, factors: Factors, limit: float) -> None:
        self._api, self._factors, self._limit = api, factors, limit
        # The lease of a removed agent is collected late: were it of a new one's name, that would lose its own by it.
        self._own = secrets.token_hex(3)

    def make(self) -> None:
        """Agents that are ready and a population that is fulfilled, after all that an earlier run has left is removed.

        ApiError where it may not be made, or where nobody fulfils it in time.
        """
        self.remove()
        for number in range(self._factors.agents):
            self._api.call("POST", AGENTS, agent(f"{self._own}-{number}"))
        self._await("an agent that is not Ready: does kwok run?", self._idle)
        for number in range(self._factors.population):
            self._api.call("POST", ATTACHMENTS, attachment(f"population-{number}"))
        self._await("an attachment of the population that is not fulfilled", self._pending)

    def remove(self) -> None:
        """All attachments and agents, whichever run made them; returns when none is left. ApiError where one stays."""
        at_once = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}

        def left() -> list[str]:
            self._api.call("DELETE", ATTACHMENTS, at_once, fine=_SLOW)  # of very many, some at a time
            for name in self._names(f"{AGENTS}?{OF_AGENTS}"):
                self._api.call("DELETE", f"{AGENTS}/{name}", fine=_GONE)
            return self._names(ATTACHMENTS) + self._names(f"{AGENTS}?{OF_AGENTS}")

        self._await("an object that is not removed", left)
        self._api.call("DELETE", EVENTS, fine=_SLOW)

    def _names(self, path: str) -> list[str]:
        """Of the first objects of a list: enough to know whether it is empty, and to remove some."""
        found = self._api.call("GET", f"{path}{'&' if '?' in path else '?'}limit={_PAGE}")
        return [item["metadata"]["name"] for item in found["items"]]

    def _idle(self) -> list[str]:
        """Agents that are not ready."""
        nodes = self._api.call("GET", f"{AGENTS}?{OF_AGENTS}")["items"]
        ready = [
            any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", ()))
            for node in nodes
        ]
        return [node["metadata"]["name"] for node, yes in zip(nodes, ready, strict=True) if not yes]

    def _pending(self) -> list[str]:
        """Attachments that are not fulfilled."""
        return self._names(f"{ATTACHMENTS}?fieldSelector=status.phase%21%3DRunning")

    def _await(self, what: str, left: Callable[[], list[str]]) -> None:
        """Returns when `left` tells nothing any more; ApiError after the time limit."""
        deadline = time.monotonic() + self._limit
        while names := left():
            if time.monotonic() > deadline:
                raise ApiError(f"after {self._limit:.0f} s there is {what}: {', '.join(names[:3])}")
            time.sleep(_POLL)
