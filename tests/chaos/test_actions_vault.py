"""Actions on Vault: what was comes back, what is secret is not told, and a server that is away is only silent."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chaos import vault_admin
from chaos.call import ActionFailed, Call, CallError
from chaos.reach import LIMIT, Done
from chaos.vault_admin import Request
from plumbline.bed import Bed, load
from plumbline.collect.vault_client import Answer, NoAnswer
from tests.chaos.reaches import Local

BED = load(Path(__file__).parents[1] / "lab" / "beds" / "vault.yaml")
TOKEN = "s.this-is-secret"


@dataclass
class Fake:
    """A cluster in memory, as an administrator finds it."""

    states: dict[str, int] = field(default_factory=lambda: {"bettley": 200, "cargyll": 429, "dalt": 429})
    held: dict[str, Any] = field(default_factory=dict)
    mounts: set[str] = field(default_factory=lambda: {"secret/", "pki/"})
    deleted: str = ""
    active_for: float = 60.0
    asked: list[str] = field(default_factory=list)

    def ask(self, bed: Bed, reach: Any, node: str, request: Request) -> Answer:
        status = self.states[node]
        if status == 0:
            raise NoAnswer("timeout", "no answer in time")
        if request.path == "sys/health":
            return Answer(status, {})
        self.asked.append(f"{request.method} {request.path}")
        body = dict(request.body or {})
        match request.method, request.path:
            case "PUT", "sys/seal":
                self.states |= {node: 503, "cargyll": 200}
            case "GET", "sys/leader":
                since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=self.active_for)
                return Answer(200, {"active_time": since.isoformat()})
            case "GET", "sys/mounts":
                return Answer(200, {"data": {path: {} for path in self.mounts}})
            case "POST", "sys/remount":
                self.mounts = (self.mounts - {f"{body['from']}/"}) | {f"{body['to']}/"}
            case "GET", "secret/metadata/plumbline/canary":
                versions = {"2": {"deletion_time": self.deleted}}
                return Answer(200, {"data": {"current_version": 2, "versions": versions}})
            case "DELETE", "secret/data/plumbline/canary":
                self.deleted = "2026-11-21T00:00:00Z"
            case "POST", "secret/undelete/plumbline/canary":
                self.deleted = ""
            case "POST", "auth/token/create-orphan":
                return Answer(200, {"auth": {"client_token": TOKEN}})
            case "GET", path:
                return Answer(200, {"data": deepcopy(self.held[path])}) if path in self.held else Answer(404, {})
            case "POST", path:
                self.held[path] = {**self.held.get(path, {}), **body}
        return Answer(204, {})

    def content(self) -> Any:
        held = {path: {k: v or None for k, v in told.items()} for path, told in self.held.items()}
        return deepcopy((self.states, held, self.mounts, self.deleted))


class Units(Local):
    """A reach whose nodes only remember which transient units run, and what they were told."""

    def __init__(self) -> None:
        super().__init__(BED, {})
        self.running: set[tuple[str, str]] = set()  # type: ignore[assignment]
        self.inputs: list[str] = []

    def ask(self, node: str, argv: Sequence[str], *, input: str = "", limit: float = LIMIT) -> Done:
        said = " ".join(argv)
        self.said.append(said)
        self.inputs.append(input)
        unit = next((u for u in ("plumbline-vault-flapping", "plumbline-vault-proxy") if u in said), "")
        if argv[:2] == ["systemctl", "is-active"]:
            return Done(0 if (node, unit) in self.running else 3, "", "")
        if "systemd-run" in said:
            self.running.add((node, unit))
        elif "systemctl stop" in said:
            self.running.discard((node, unit))
        return Done(0, "", "")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    made.held["sys/policies/acl/plumbline"] = {"policy": 'path "a" {}\n'}
    made.held["auth/approle/role/plumbline"] = {"token_ttl": 120, "secret_id_bound_cidrs": None}
    made.held["pki/roles/plumbline"] = {"allowed_domains": ["x.net"], "no_store": True}
    monkeypatch.setattr(vault_admin, "_ask", made.ask)
    return made


@pytest.fixture
def reach() -> Iterator[Units]:
    with Units() as made:
        yield made


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("vault.policy", {"policy": "plumbline", "append": 'path "*" {}\n'}),
    ("vault.policy", {"policy": "plumbline", "replace": {'path "a" {}\n': ""}}),
    ("vault.config", {"path": "auth/approle/role/plumbline", "values": {"secret_id_bound_cidrs": ["192.0.2.0/24"]}}),
    ("vault.config", {"path": "auth/approle/role/plumbline", "values": {"token_ttl": "24h"}}),
    ("vault.config", {"path": "pki/roles/plumbline", "values": {"allowed_domains": ["y.net"]}}),
    ("vault.engine", {"engine": "secret", "to": "elsewhere"}),
    ("vault.secret", {"secret": "canary", "present": False}),
    ("vault.flapping", {"every": 3}),
    ("vault.proxy", {"node": "dalt"}),
]


@pytest.mark.parametrize(("action", "arguments"), CALLS, ids=[f"{a} {list(b.values())}"[:80] for a, b in CALLS])
def test_what_is_done_holds_and_its_undo_brings_all_of_it_back(
    action: str, arguments: dict[str, Any], fake: Fake, reach: Units
) -> None:
    call = Call(action, arguments)
    before, units = fake.content(), set(reach.running)

    undo = call.reverse(BED, reach)
    assert fake.content() == before, "reverse only looks"
    assert not call.holds(BED, reach)
    call.apply(BED, reach)
    call.apply(BED, reach)
    assert call.holds(BED, reach)
    told = json.dumps([step.written() for step in undo])
    for step in undo:
        step.apply(BED, reach)
        step.apply(BED, reach)

    assert all(step.holds(BED, reach) for step in undo)
    fake.held.pop("sys/policies/acl/plumbline-vault-flapping", None)  # it lets nobody do anything any more
    assert fake.content() == before
    assert reach.running == units
    assert TOKEN not in told
    assert not any(TOKEN in said for said in reach.said), "a secret goes by standard input"


def test_the_active_server_is_sealed_and_started_again(fake: Fake, reach: Units) -> None:
    (undo,) = Call("vault.seal", {}).reverse(BED, reach)
    Call("vault.seal", {}).apply(BED, reach)
    Call("vault.seal", {}).apply(BED, reach)

    assert fake.states == {"bettley": 503, "cargyll": 200, "dalt": 429}
    assert undo == Call("node.restart", {"node": "bettley", "units": ["vault"]})


def test_states_of_servers_are_looked_at(fake: Fake, reach: Units) -> None:
    fake.states["dalt"] = 0

    assert Call("vault.is", {"state": "silent", "node": "dalt"}).holds(BED, reach)
    assert Call("vault.is", {"state": "active"}).holds(BED, reach)
    assert not Call("vault.is", {"state": "active", "none": True}).holds(BED, reach)
    assert not Call("vault.well", {}).holds(BED, reach)


def test_a_cluster_is_steady_when_one_server_has_been_active_for_a_while(fake: Fake, reach: Units) -> None:
    steady = Call("vault.steady", {})

    assert steady.holds(BED, reach)
    fake.active_for = 3
    assert not steady.holds(BED, reach)
    fake.active_for, fake.states = 60, {"bettley": 503, "cargyll": 429, "dalt": 0}
    assert not steady.holds(BED, reach)


def test_without_an_active_server_nothing_can_be_done(fake: Fake, reach: Units) -> None:
    fake.states["bettley"] = 503

    with pytest.raises(ActionFailed, match="no active server"):
        Call("vault.policy", {"policy": "plumbline", "append": "x"}).apply(BED, reach)


@pytest.mark.parametrize(
    "path", ["secret/data/plumbline/canary", "auth/approle/role/plumbline/secret-id", "pki/issue/x"]
)
def test_what_is_secret_does_not_come_into_the_ledger(path: str) -> None:
    with pytest.raises(CallError, match="what is secret"):
        Call("vault.config", {"path": path, "values": {"a": 1}}).understood(BED)
