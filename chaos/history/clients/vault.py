"""`vault`: secrets written to the server that is active, each with a value of its own, removed at the end.

Both writes and reads go to the active server, which promises that a read sees what was acknowledged before it; a standby
promises no such thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from chaos import vault_admin as admin
from chaos.call import ActionFailed
from chaos.history import client
from chaos.history.client import Answer, Talk
from plumbline.collect.vault_client import Answer as Said

_FOLDER = "plumbline-history"


class Client(client.Writer):
    """Writes secrets as administrator, into the first engine of kind kv, version 2."""

    section: ClassVar[str] = "vault"

    def prepare(self, talk: Talk) -> None:
        client.persist(partial(self._remove, talk))

    def write(self, talk: Talk, value: int) -> Answer:
        _ask(talk, "POST", _path(talk, "data", value), {"data": {"value": value}, "options": {"cas": 0}})
        return Answer("ok")  # whatever else it says is raised, and then nobody knows

    def read(self, talk: Talk, youngest: int) -> Answer:
        said = _ask(talk, "GET", _path(talk, "data", youngest), missing=True)
        return Answer("ok", int(said.data["data"]["value"]) if said else None)

    def final(self, talk: Talk) -> Answer:
        try:
            return Answer("ok", tuple(self._there(talk)))
        except ActionFailed as error:
            return Answer("failed", said=str(error)[:160])

    def clean(self, talk: Talk) -> None:
        client.persist(partial(self._remove, talk))

    def _there(self, talk: Talk) -> list[int]:
        said = _ask(talk, "GET", f"{_path(talk, 'metadata')}?list=true", missing=True)
        return sorted(int(name) for name in (said.data.get("keys", ()) if said else ()))

    def _remove(self, talk: Talk) -> None:
        """Also what a recorder that was killed left behind."""
        for value in self._there(talk):
            _ask(talk, "DELETE", _path(talk, "metadata", value), missing=True)


def _engine(talk: Talk) -> str:
    engines = admin.declared(talk.bed).engines
    found = next((path for path, engine in engines.items() if engine.type == "kv" and engine.version == 2), None)
    if found is None:
        raise ActionFailed("it has no engine of kind kv, version 2", place="Vault")
    return found


def _path(talk: Talk, part: str, value: int | None = None) -> str:
    name = "" if value is None else f"/{value:06}"
    return f"{_engine(talk)}/{part}/{_FOLDER}/{talk.name}{name}"


def _ask(
    talk: Talk, method: str, path: str, body: Mapping[str, Any] | None = None, *, missing: bool = False
) -> Said | None:
    return admin.ask(talk.bed, talk.reach, method, path, body, missing=missing)
