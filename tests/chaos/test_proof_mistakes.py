"""Three mistakes, planted into checks: an assertion dropped, a comparison turned round, a time limit ignored.

The first two are planted into a real suite, which then runs on a bed file with a fault in it; what a gate says of the
third, which needs a bed, is written by hand.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chaos.fault import Fault, find
from chaos.proof import rows
from chaos.proof.gate import NoGate, look
from chaos.proof.judge import Expected, judge
from chaos.proof.model import Proof, Row, goals
from chaos.proof.plan import Plan
from chaos.proof.run import Unhealthy, prove
from plumbline.bed import load
from tests.chaos.gates import check, finding, gate

ROOT = Path(__file__).parents[2]
SUITE = "inventory/test_declared_vlans.py"
FAULT = "trunk-without-network"
DROPPED = "    assert not wrong, found(wrong.found, expected=wrong.expected)"
LATE = ("inspection.ngfw-answers", "ngfw:ngfw")


class Silent:
    """Nobody waits."""

    def kept(self, number: int) -> None: ...
    def look(self, what: str) -> None: ...
    def again(self, row: Row) -> None: ...
    def row(self, row: Row, left: float) -> None: ...


@pytest.fixture
def fault() -> Fault:
    return find(FAULT)


@pytest.fixture
def plan(tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A project of its own with the suite of the bed file, in which mistakes can be planted."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "suites").mkdir()
    shutil.copytree(ROOT / "suites" / "inventory", tmp_path / "suites" / "inventory")
    shutil.copytree(ROOT / "reports" / "templates", tmp_path / "reports" / "templates")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return Plan(load(ROOT / "inventories" / "lab.yaml"), [fault], tmp_path / "suites", tmp_path / "reports")


def plant(plan: Plan, mistake: str) -> None:
    """Puts a mistake in place of the assertion of the one check that sees the fault."""
    file = plan.suites / SUITE
    head, name, tail = file.read_text(encoding="utf-8").partition("def test_a_trunk_carries_networks_of_the_bed")
    assert DROPPED in tail
    file.write_text(head + name + tail.replace(DROPPED, mistake, 1), encoding="utf-8")


def test_a_sound_check_sees_the_fault(plan: Plan, fault: Fault) -> None:
    row = rows.on_copy(plan, fault)

    assert row.hit, row


def test_a_dropped_assertion_is_caught(plan: Plan, fault: Fault) -> None:
    plant(plan, "    assert wrong is not None")

    row = rows.on_copy(plan, fault)

    assert not row.detected
    assert row.missed == ("inventory.trunk-without-network",)


def test_a_comparison_turned_round_is_caught_before_the_first_fault(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(plan, "    assert wrong, found(wrong.found, expected=wrong.expected)")
    monkeypatch.setattr("chaos.proof.run._AGAIN", 0.0)

    with pytest.raises(Unhealthy, match="trunk-without-network"):
        prove(plan, None, Silent(), lambda proof: None)


def test_a_comparison_turned_round_is_caught_by_the_fault_as_well(plan: Plan, fault: Fault) -> None:
    plant(plan, "    assert wrong, found(wrong.found, expected=wrong.expected)")

    row = rows.on_copy(plan, fault)

    assert not row.localised, "every node is red but the one with the fault"


def test_an_answer_that_came_too_late_and_counts_as_one_is_caught() -> None:
    """The firewall hangs, and the check takes an answer after its time limit for an answer."""
    report = gate([check(*LATE, "passed")], [], "go")

    judged = judge(Expected("inspection", (LATE[1],), (LATE[0],)), report)

    assert not judged.detected
    assert judged.missed == (LATE[0],)


def test_a_check_that_waits_beyond_its_time_limit_and_never_fails_is_caught() -> None:
    """pytest's own limit ends it: that is unknown, and unknown has detected nothing."""
    report = gate([check(*LATE, "unknown")], [finding(LATE[0], [LATE[1]], outcome="unknown")], "unknown")

    assert not judge(Expected("inspection", (LATE[1],), (LATE[0],)), report).detected


def test_a_gate_that_does_not_end_is_ended_and_proves_nothing(plan: Plan, fault: Fault) -> None:
    (plan.suites / "inventory" / "test_hangs.py").write_text(
        "import time\n\n\ndef test_hangs():\n    time.sleep(60)\n", encoding="utf-8"
    )

    with pytest.raises(NoGate, match="did not end within 4 s"):
        look(ROOT / "inventories" / "lab.yaml", [plan.suites / "inventory"], plan.folder / "late", {}, limit=4.0)


def test_a_proof_with_a_miss_does_not_hold() -> None:
    row = Row(fault="f", layer="network", subjects=("port:a/b",), detected=False, localised=False)
    proof = Proof(bed="lab", bed_file="lab.yaml", started="2026", complete=True, faults=1, rows=(row,))

    assert not proof.held
    assert [goal.held for goal in goals(proof)] == [False, False, True, True]


def test_a_proof_with_a_fault_that_did_not_settle_does_not_hold() -> None:
    row = Row(fault="f", layer="network", subjects=("port:a/b",), detected=True, localised=True, state="not-settled")
    proof = Proof(
        bed="lab", bed_file="lab.yaml", started="2026", complete=True,
        faults=1, detected=1, localised=1, unjudged=1, rows=(row,),
    )  # fmt: skip

    assert [goal.held for goal in goals(proof)] == [True, True, False, True]
