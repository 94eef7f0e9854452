"""Actions on Consul: what is done holds, its undo brings it back, and its administrator's token is in no command."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chaos.actions import consul_looks
from chaos.call import Call
from chaos.reach import LIMIT, Done, Reach
from plumbline import curl, places
from plumbline.bed import Bed
from tests.chaos.reaches import Local, bed

BED = bed()
SECRET, GATE = "8d2f0000-0000-4000-8000-00000000abcd", "8d2f0000-0000-4000-8000-00000000dcba"
VOTERS = ("10.0.0.11:8300", "10.0.0.12:8300", "10.0.0.13:8300")


class Pretended(Local):
    """Servers that keep policies, tokens, voters and a catalog; what is asked of them comes by `curl --config -`."""

    def __init__(self) -> None:
        super().__init__(BED, {})
        self.policies = {"vault": {"ID": "p1", "Name": "vault", "Rules": "old"}}
        self.tokens: dict[str, dict[str, Any]] = {
            "anonymous": {"AccessorID": "00000000-0000-0000-0000-000000000002", "Description": "Anonymous Token"},
            "gate": {"AccessorID": "a1", "Description": "plumbline: gate", "Policies": [{"Name": "plumbline-gate"}]},
        }
        self.voters = list(VOTERS)
        self.well = dict.fromkeys(("bettley", "cargyll", "dalt"), True)
        self.catalog: dict[str, str] = {}
        self.units: set[str] = set()

    def ask(self, node: str, argv: Sequence[str], *, input: str = "", limit: float = LIMIT) -> Done:
        assert SECRET not in " ".join(argv)
        if tuple(argv) == curl.COMMAND:
            assert f"X-Consul-Token: {SECRET}" in input
            words = dict(re.findall(r'^(\S+) = "(.*)"$', input, re.MULTILINE))
            body = json.loads(json.loads(f'"{words["data"]}"')) if "data" in words else None
            status, said = self._answer(words["request"], urlsplit(words["url"]), body)
            return Done(0, f"{json.dumps(said)}\n{status}", "")
        said = " ".join(argv)
        if argv[0] == "systemd-run":
            self.units.add("plumbline-flapping")
        if "systemctl stop plumbline-flapping" in said:
            self.units.discard("plumbline-flapping")
        if said == "systemctl start consul" and VOTERS[2] not in self.voters:
            self.voters.append(VOTERS[2])
        if "is-active" in said:
            return Done(0 if argv[-1] in self.units else 3, "", "")
        return Done(0, "", "")

    def _answer(self, method: str, url: Any, body: Any) -> tuple[int, Any]:
        name = url.path.rpartition("/")[2]
        match url.path.split("/")[2:]:
            case ["acl", "policy", "name", _]:
                return 200, self.policies[name]
            case ["acl", "policy", _]:
                self.policies[body["Name"]]["Rules"] = body["Rules"]
                return 200, {}
            case ["acl", "tokens"]:
                return 200, [{**token, "SecretID": "<hidden>"} for token in self.tokens.values()]
            case ["acl", "token", *rest]:
                return self._token(method, rest[0] if rest else "", body)
            case ["operator", "raft", "configuration"]:
                return 200, {"Servers": [{"Address": address, "Voter": True} for address in self.voters]}
            case ["operator", "autopilot", "health"]:
                servers = [{"Name": node, "Healthy": well} for node, well in self.well.items()]
                healthy = all(self.well.values())
                return 200 if healthy else 429, {"Healthy": healthy, "Servers": servers}
            case ["operator", "raft", "peer"]:
                self.voters.remove(url.query.removeprefix("address="))
                return 200, True
            case ["catalog", "register"]:
                self.catalog[body["Node"]] = body["Service"]["Service"]
                return 200, True
            case ["catalog", "deregister"]:
                self.catalog.pop(body["Node"], None)
                return 200, True
            case ["catalog", "service", _]:
                return 200, [{"Node": node} for node, service in self.catalog.items() if service == name]
        return 404, "no such page"

    def _token(self, method: str, accessor: str, body: Any) -> tuple[int, Any]:
        found = next((k for k, token in self.tokens.items() if token["AccessorID"] == accessor), None)
        if method == "GET":
            return (200, self.tokens[found]) if found else (404, "")
        if method == "DELETE":
            return 200, self.tokens.pop(str(found)) is not None
        self.tokens[found or "gate"] = {"AccessorID": accessor, **(self.tokens[found] if found else {}), **body}
        return 200, {}

    def state(self) -> Any:
        """All that an undo has to bring back."""
        tokens = [(t["AccessorID"], [p["Name"] for p in t.get("Policies") or ()]) for t in self.tokens.values()]
        return json.dumps([self.policies, sorted(tokens), sorted(self.voters), self.catalog, sorted(self.units)])


@pytest.fixture
def reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pretended]:
    monkeypatch.setattr(places, "runtime", lambda _: tmp_path)
    (tmp_path / "consul").mkdir()
    (tmp_path / "consul/management").write_text(SECRET)
    (tmp_path / "consul/gate").write_text(GATE)
    with Pretended() as made:
        yield made


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("consul.policy", {"policy": "vault", "rules": 'key_prefix "" { policy = "write" }'}),
    ("consul.anonymous", {"policies": ["builtin/global-read-only"]}),
    ("consul.token", {"name": "gate"}),
    ("consul.peer", {"node": "dalt"}),
    ("consul.flapping", {"node": "dalt"}),
    ("consul.stray", {"service": "no-such-name"}),
]


@pytest.mark.parametrize(("action", "arguments"), CALLS, ids=[action for action, _ in CALLS])
def test_what_is_done_holds_and_its_undo_brings_it_back(
    action: str, arguments: dict[str, Any], reach: Pretended
) -> None:
    call, before = Call(action, arguments), reach.state()
    undo = call.reverse(BED, reach)
    assert not call.holds(BED, reach)

    call.apply(BED, reach)
    call.apply(BED, reach)
    assert call.holds(BED, reach)
    assert reach.state() != before

    for _ in range(2):
        for one in undo:
            one.apply(BED, reach)
    assert all(one.holds(BED, reach) for one in undo)
    assert reach.state() == before


@pytest.mark.parametrize(("action", "arguments"), CALLS, ids=[action for action, _ in CALLS])
def test_an_undo_holds_no_secret(action: str, arguments: dict[str, Any], reach: Pretended) -> None:
    written = json.dumps([call.written() for call in Call(action, arguments).reverse(BED, reach)])

    assert SECRET not in written
    assert GATE not in written


@pytest.mark.parametrize(
    ("well", "healthy"),
    [
        ({"bettley": True, "cargyll": True, "dalt": True}, True),
        ({"bettley": True, "cargyll": True, "dalt": False}, False),
        ({"bettley": True, "cargyll": True}, False),
    ],
    ids=["all there", "one failed", "one struck off"],
)
def test_a_server_that_failed_is_missed_even_when_it_is_struck_off(
    well: dict[str, bool], healthy: bool, reach: Pretended
) -> None:
    reach.well = well

    assert [Call("consul.servers", {"healthy": said}).holds(BED, reach) for said in (True, False)] == [
        healthy,
        not healthy,
    ]


@pytest.mark.parametrize(("behind", "caught_up"), [((), True), (("bettley",), False)])
def test_writes_that_come_while_servers_are_asked_leave_none_behind(
    behind: tuple[str, ...], caught_up: bool, reach: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = count(100)

    def raft(bed: Bed, reach: Reach, node: str) -> dict[str, str]:
        index = str(next(written))
        return {"commit_index": index, "applied_index": "7" if node in behind else index}

    monkeypatch.setattr(consul_looks, "_raft", raft)

    assert consul_looks._caught_up(BED, reach) is caught_up


def test_a_bed_without_consul_refuses_them() -> None:
    other = BED.model_copy(update={"consul": None})

    assert [slip.said for slip in Call("consul.well").slips(other)] == ["the bed declares no Consul"]
