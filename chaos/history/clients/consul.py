"""`consul`: keys written by way of an agent, each with a value of its own, below a prefix that is removed at the end.

As a service of the bed writes them: to the agent of its node, which passes them on to whichever server leads. Reads are
consistent ones (`?consistent`), so that Consul promises that a read sees what was acknowledged before it.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from chaos.actions.consul_api import Answer as Said
from chaos.actions.consul_api import ask_at, declared_in
from chaos.call import ActionFailed
from chaos.history import client
from chaos.history.client import Answer, Talk
from chaos.reach import Reach
from plumbline.bed import Bed

_PREFIX = "plumbline/history"


class Client(client.Writer):
    """Writes keys as administrator."""

    section: ClassVar[str] = "consul"

    def nodes(self, bed: Bed, reach: Reach) -> frozenset[str]:
        return frozenset({_agent(bed)})

    def prepare(self, talk: Talk) -> None:
        client.persist(partial(self._remove, talk))

    def write(self, talk: Talk, value: int) -> Answer:
        status, said = _ask(talk, "PUT", _key(talk, value), value)
        if status == 200 and said is True:
            return Answer("ok")
        # what a server says that lost its leader in the middle of it may have been done all the same
        return Answer("unknown" if status >= 500 else "failed", said=f"{status} {said}"[:160])

    def read(self, talk: Talk, youngest: int) -> Answer:
        status, said = _ask(talk, "GET", f"{_key(talk, youngest)}?raw&consistent")
        if status == 404:
            return Answer("ok", None, "404")
        return Answer("ok", int(said)) if status == 200 else Answer("failed", said=f"{status} {said}"[:160])

    def final(self, talk: Talk) -> Answer:
        status, said = _ask(talk, "GET", f"{_folder(talk)}?keys&consistent")
        if status not in (200, 404):
            return Answer("failed", said=f"{status} {said}"[:160])
        keys = said if status == 200 else []
        return Answer("ok", tuple(sorted(int(key.rpartition("/")[2]) for key in keys)))

    def clean(self, talk: Talk) -> None:
        client.persist(partial(self._remove, talk))

    def _remove(self, talk: Talk) -> None:
        """Also what a recorder that was killed left behind."""
        status, said = _ask(talk, "DELETE", f"{_folder(talk)}?recurse")
        if status != 200:
            raise ActionFailed(f"keys are still there: {status} {said}"[:200], place="Consul")


def _agent(bed: Bed) -> str:
    """The agent that is asked: one that is no server, where there is one."""
    consul = declared_in(bed)
    return (*consul.clients, *consul.servers)[-1 if not consul.clients else 0]


def _folder(talk: Talk) -> str:
    return f"/v1/kv/{_PREFIX}/{talk.name}/"


def _key(talk: Talk, value: int) -> str:
    return f"{_folder(talk)}{value:06}"


def _ask(talk: Talk, method: str, path: str, body: int | None = None) -> Said:
    return ask_at(talk.bed, talk.reach, _agent(talk.bed), method, path, body)
