"""Vault as an administrator reaches it: whichever server is active does what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from chaos.call import ActionFailed
from plumbline import places
from plumbline.bed import Bed
from plumbline.bed.model import Vault
from plumbline.collect.vault_client import Answer, Credentials, NoAnswer, Server

if TYPE_CHECKING:
    from chaos.reach import Reach

ADMIN = "vault-admin"
"""The name under which a bed of hardware has an administrator's credentials."""
_ANSWER_S = 4.0
_STATES = {200: "active", 429: "standby", 503: "sealed", 501: "uninitialised"}


class Request(NamedTuple):
    """What is asked of a server."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


def declared(bed: Bed) -> Vault:
    """The bed's Vault. ActionFailed where it has none."""
    if bed.vault is None:
        raise ActionFailed("the bed has no Vault", place=f"bed {bed.bed}")
    return bed.vault


def credentials(bed: Bed, reach: Reach) -> Credentials:
    """An administrator's. ActionFailed where there are none."""
    try:
        if bed.realised_by == "lab":
            text = (places.runtime(bed.bed) / "vault" / "admin.json").read_text(encoding="utf-8")
        else:
            text = reach.access.credentials[ADMIN]
        return Credentials.of(text, also=("token",))
    except (OSError, KeyError, ValueError) as error:
        why = f"there are no credentials of an administrator: {type(error).__name__}"
        raise ActionFailed(why, place="Vault", remedy=f"access.credentials.{ADMIN} in the bed file") from None


def states(bed: Bed, reach: Reach) -> dict[str, str]:
    """What each server is: active, standby, sealed, uninitialised, silent."""
    return {node: _state(bed, reach, node) for node in declared(bed).on}


def ask(
    bed: Bed, reach: Reach, method: str, path: str, body: Mapping[str, Any] | None = None, *, missing: bool = False
) -> Answer | None:
    """What the active server answers; None for 404 if `missing` is fine. ActionFailed for any other refusal."""
    for node, state in states(bed, reach).items():
        if state == "active":
            try:
                said = _ask(bed, reach, node, Request(method, path, body))
            except NoAnswer as error:
                raise ActionFailed(str(error), place=f"Vault on {node}") from None
            if said.status == 404 and missing:
                return None
            if said.status not in (200, 204):
                raise ActionFailed(f"{method} {path}: {said.status} {said.errors}", place=f"Vault on {node}")
            return said
    raise ActionFailed("it has no active server", place="Vault", remedy="journalctl -u vault on its servers")


def _state(bed: Bed, reach: Reach, node: str) -> str:
    try:
        return _STATES.get(_ask(bed, reach, node, Request("GET", "sys/health")).status, "unwell")
    except NoAnswer:
        return "silent"


def _ask(bed: Bed, reach: Reach, node: str, request: Request) -> Answer:
    shown = credentials(bed, reach)

    def asked() -> Answer:
        server = Server(shown.context(), str(bed.nodes[node].oobi), declared(bed).port, _ANSWER_S)
        try:
            return server.ask(request.method, request.path, request.body, shown.token)
        finally:
            server.close()

    return reach.inside(asked, 3 * _ANSWER_S)
