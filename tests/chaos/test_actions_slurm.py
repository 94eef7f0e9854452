"""Actions on Slurm: settings of one node, one partition or all; states are looked at before they are changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from chaos.actions.slurm import Config
from chaos.call import ActionFailed, Call
from chaos.reach import LIMIT, Done, Reach
from chaos.undo import until
from plumbline.bed import load
from plumbline.collect.access import Access

BED = load(Path(__file__).parents[1] / "lab" / "beds" / "slurm.yaml")
TEXT = "ClusterName=a\nNodeName=jast CPUs=2 State=UNKNOWN\nNodeName=jas CPUs=2\nPartitionName=debug Nodes=jast\n"


class Told(Reach):
    """Programs of Slurm on a node that is not there: the words of a command, and what it changes."""

    def __init__(self) -> None:
        super().__init__(BED, Access())
        self.state, self.flags = "idle", list[str]()
        self.partitions = {
            n: {"State": "UP", "Default": "YES" if n == "general" else "NO"} for n in ("general", "debug")
        }
        self.limit, self.users, self.jobs = "cpu=3", ["gate"], ["7"]

    def ask(self, node: str, argv: Sequence[str], *, input: str = "", limit: float = LIMIT) -> Done:
        words = [w for w in argv if w not in ("timeout", "5", "-n", "-P", "-i", "--oneliner", "--json")]
        given = dict(w.lower().partition("=")[::2] for w in words if "=" in w)
        match words:
            case ["sinfo"]:
                said = {"state": self.state, "state_flags": self.flags, "slurmd_version": "22.05.8"}
                return Done(0, json.dumps({"nodes": [{"name": name, **said} for name in ("erenford", "jast")]}), "")
            case ["scontrol", "ping"]:
                return Done(0, "Slurmctld(primary) at bettley is UP\nSlurmctld(backup) at cargyll is UP", "")
            case ["squeue", *_]:
                return Done(0, "\n".join(self.jobs), "")
            case ["scontrol", "update", _, state, *_] if "nodename" in given:
                self.flags = ["DRAIN"] if state == "state=drain" else []
            case ["scontrol", "update", *_]:
                self._partition(given)
            case ["scontrol", "show", "partition", name]:
                values = {"MaxTime": "UNLIMITED", **self.partitions[name]}
                return Done(0, " ".join(f"{k}={v}" for k, v in values.items()), "")
            case ["sacctmgr", "show", "associations", form]:
                return Done(0, self._associations(form), "")
            case ["sacctmgr", "modify", *_]:
                self.limit = "" if words[-1].endswith("-1") else words[-1].partition("=")[2]
            case ["scancel", *_]:
                self.jobs = []
            case ["sacctmgr", "delete", *_] if self.jobs:
                return Done(1, "", "Error with request: Job(s) active")
            case ["sacctmgr", "delete", *_]:
                self.users = []
            case ["sacctmgr", "add", *_]:
                self.users = ["gate"]
        return Done(0, "", "")

    def _partition(self, given: Mapping[str, str]) -> None:
        name = given["partitionname"]
        if "state" in given:
            self.partitions[name]["State"] = given["state"].upper()
        if "default" in given:
            for other in self.partitions.values():
                other["Default"] = "NO"
            self.partitions[name]["Default"] = given["default"].upper()

    def _associations(self, form: str) -> str:
        rows = [{"Account": "gate", "User": "", "MaxTRESPerJob": self.limit}]
        rows += [{"Account": "gate", "User": user, "MaxTRESPerJob": ""} for user in self.users]
        columns = form.partition("=")[2].split(",")
        return "\n".join("|".join({"Cluster": "t-slurm", **row}[c] for c in columns) for row in rows)


CALLS = [
    ("slurm.node", {"node": "jast", "drained": True}),
    ("slurm.partition", {"partition": "debug", "state": "DOWN"}),
    ("slurm.partition", {"partition": "debug", "default": True}),
    ("slurm.association", {"user": "gate", "account": "gate", "present": False}),
    ("slurm.limit", {"account": "gate", "cpus": -1}),
    ("slurm.limit", {"account": "gate", "cpus": 9}),
]


@pytest.mark.parametrize(("action", "arguments"), CALLS, ids=[f"{a} {list(b.values())}" for a, b in CALLS])
def test_what_is_done_holds_and_its_undo_brings_it_back(action: str, arguments: dict[str, object]) -> None:
    call = Call(action, arguments)
    with Told() as reach:
        before = json.dumps([reach.flags, reach.partitions, reach.limit, reach.users])
        undo = call.reverse(BED, reach)
        assert not call.holds(BED, reach)
        call.apply(BED, reach)
        call.apply(BED, reach)
        assert call.holds(BED, reach)
        for step in undo:
            step.apply(BED, reach)
            step.apply(BED, reach)

        assert all(step.holds(BED, reach) for step in undo)
        assert json.dumps([reach.flags, reach.partitions, reach.limit, reach.users]) == before


@pytest.mark.parametrize(
    ("state", "flags", "up", "down"),
    [("idle", [], True, False), ("idle", ["NOT_RESPONDING"], False, False), ("down", ["NOT_RESPONDING"], False, True)],
)
def test_a_node_that_does_not_answer_is_not_given_up_yet(state: str, flags: list[str], up: bool, down: bool) -> None:
    with Told() as reach:
        reach.state, reach.flags = state, flags

        assert Call("slurm.node", {"node": "jast", "up": True}).holds(BED, reach) is up
        assert Call("slurm.node", {"node": "jast", "down": True}).holds(BED, reach) is down


WELL = Call("slurm.ready", {"idle": False})


def test_a_node_that_slurm_drains_once_its_controllers_are_back_takes_jobs_again() -> None:
    with Told() as reach:
        undo = Call("servers.kill", {"of": "slurm"}).reverse(BED, reach)
        assert WELL.holds(BED, reach)
        reach.flags = ["DRAIN"]  # as for a job that it starts a second time
        assert not WELL.holds(BED, reach)
        for step in undo[2:]:
            step.apply(BED, reach)

        assert WELL.holds(BED, reach)
        assert [step.action for step in undo] == [
            "node.unit",
            "node.unit",
            "slurm.in_charge",
            "slurm.node",
            "slurm.node",
        ]
        assert undo[-1].arguments == {"node": "jast", "drained": False, "reason": "plumbline", "up": True}


@pytest.mark.parametrize(("age", "holds"), [(7, False), (12, True)])
def test_a_controller_is_in_charge_once_it_has_begun_what_it_knew_of(
    monkeypatch: pytest.MonkeyPatch, age: int, holds: bool
) -> None:
    monkeypatch.setattr("chaos.actions.slurm.ask", lambda *_: f"{age}\n")
    with Told() as reach:
        assert Call("slurm.in_charge").holds(BED, reach) is holds


def test_each_node_is_looked_at_again_although_another_call_is_like_it() -> None:
    calls = [Call("slurm.node", {"node": node, "drained": False}) for node in ("erenford", "jast")]
    with Told() as reach:
        assert until(BED, reach, calls, 0.0, seen={0, 1}) == []
        reach.flags = ["DRAIN"]

        assert [left.call for left in until(BED, reach, calls, 0.0, seen={0, 1})] == calls


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (Config(set={"ClusterName": "b"}), "ClusterName=b"),
        (Config(set={"KillWait": "7"}), "KillWait=7"),
        (Config(of="NodeName=jast", set={"CPUs": "1"}), "NodeName=jast State=UNKNOWN CPUs=1"),
        (Config(of="PartitionName=debug", set={"Nodes": None}), "PartitionName=debug"),
    ],
)
def test_a_setting_is_changed_where_it_is_meant(config: Config, line: str) -> None:
    new = config.changed(TEXT, []).splitlines()

    assert line in new
    assert len(set(new) ^ set(TEXT.splitlines())) <= 2


def test_a_line_that_is_not_there_is_told() -> None:
    with pytest.raises(ActionFailed, match="no line begins with NodeName=nobody"):
        Config(of="NodeName=nobody", set={"CPUs": "1"}).changed(TEXT, [])
