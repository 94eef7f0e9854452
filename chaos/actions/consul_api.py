"""Asking a server of the bed's Consul as its administrator.

The token for that never leaves this machine but by the standard input of a command on that server.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaos.call import ActionFailed, Arguments, Slip
from plumbline import curl, places
from plumbline.bed import Bed
from plumbline.bed.consul import Consul

if TYPE_CHECKING:
    from chaos.reach import Reach

MANAGEMENT = "CONSUL_MANAGEMENT_TOKEN"
_LIMIT = 8.0
Answer = tuple[int, Any]


class OfConsul(Arguments):
    """An action on the bed's Consul, refused where the bed has none."""

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        return [] if bed.consul else [Slip(name, "", "the bed declares no Consul")]


def declared_in(bed: Bed) -> Consul:
    if bed.consul is None:
        raise ActionFailed("the bed declares no Consul", place=bed.bed)
    return bed.consul


def http_at(bed: Bed, node: str) -> str:
    """Where the agent of a node is asked on that node itself."""
    bind = declared_in(bed).binds(node).http
    host = str(bed.nodes[node].oobi) if "oobi" in bind.on else "127.0.0.1"
    return f"http://{host}:{bind.port}"


def administrator(bed: Bed) -> str:
    """The token that may do everything: the lab's own, or that of the environment, since the gate is to have none."""
    if bed.realised_by == "lab":
        return kept(bed, "management")
    if not (token := os.environ.get(MANAGEMENT)):
        raise ActionFailed("no token", place="Consul", remedy=f"export {MANAGEMENT}=…")
    return token


def kept(bed: Bed, name: str) -> str:
    try:
        return Path(places.runtime(bed.bed), "consul", name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ActionFailed(f"the lab keeps no token {name}: {error.strerror}", place="Consul") from None


def ask(  # noqa: PLR0917
    bed: Bed, reach: Reach, method: str, path: str, body: Any = None, but: str = ""
) -> Answer:
    """What a server answers to Consul's administrator: the first one that answers and knows a leader, or the first."""
    silent = ""
    for node in declared_in(bed).servers:
        if node == but:
            continue
        try:
            status, said = ask_at(bed, reach, node, method, path, body)
        except ActionFailed as failed:
            silent = str(failed)
            continue
        if status < 500:
            return status, said
        silent = f"{node}: {status} {said}"
    raise ActionFailed(f"no server answers: {silent[:300]}", place="Consul", remedy="journalctl -u consul")


def ask_at(  # noqa: PLR0917
    bed: Bed, reach: Reach, node: str, method: str, path: str, body: Any, *, token: str | None = None
) -> Answer:
    """What the agent of a node answers to its administrator, or to whoever shows this token. ActionFailed if nothing."""
    shown = administrator(bed) if token is None else token
    headers = {"X-Consul-Token": shown} if shown else {}
    text = curl.request(method, f"{http_at(bed, node)}{path}", body, headers=headers, limit=_LIMIT)
    done = reach.ask(node, curl.COMMAND, input=text, limit=_LIMIT + 4)
    if done.code != 0:
        raise ActionFailed(" ".join(done.err.split())[-200:] or f"curl ended with {done.code}", place=node)
    return curl.answer(done.out)


def done(answer: Answer) -> Any:
    status, said = answer
    if status >= 300 and status != 429:
        text = said if isinstance(said, str) else json.dumps(said)
        raise ActionFailed(f"{status} {text[:200]}", place="Consul")
    return said
