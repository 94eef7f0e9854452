"""The order of a proof: what is missed in company is put in again in less, and last by itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from chaos.fault import Fault
from chaos.proof import rows, run, together
from chaos.proof.gate import Looked, NoGate
from chaos.proof.model import Healthy, Proof, Row
from chaos.proof.plan import Plan
from plumbline.bed import load
from tests.chaos.gates import check, finding, gate

NAMES = ("a", "b", "c", "d", "e")


class Quiet:
    """One who is told nothing."""

    def kept(self, number: int) -> None: ...
    def look(self, what: str) -> None: ...
    def again(self, row: Row) -> None: ...
    def row(self, row: Row, left: float) -> None: ...


class Bench:
    """A bed on which some faults are hit only in so much company, and others never."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hit_among: dict[str, int]) -> None:
        self.hit_among, self.put_in = hit_among, list[tuple[str, ...]]()
        self.looks = 0
        self.plan = Plan(load(Path("inventories/lab.yaml")), [_fault(name) for name in NAMES], Path("suites"), tmp_path)
        monkeypatch.setattr(rows, "on_the_bed", self._on_the_bed)
        monkeypatch.setattr(rows, "on_a_copy", lambda fault: False)
        monkeypatch.setattr(run, "_look_once", self._look)
        monkeypatch.setattr(run, "digest", lambda plan, fault: "same")
        monkeypatch.setattr(together, "groups", _cut)

    def prove(self, most: int) -> Proof:
        plan = Plan(self.plan.bed, self.plan.faults, self.plan.suites, self.plan.folder, "some", together=most)
        return run.prove(plan, None, Quiet(), lambda proof: None)

    def _on_the_bed(self, plan: Plan, faults: Sequence[Fault]) -> list[Row]:
        names = tuple(fault.fault for fault in faults)
        self.put_in.append(names)
        return [self._row(name, [n for n in names if n != name]) for name in names]

    def _row(self, name: str, beside: list[str]) -> Row:
        hit = len(beside) < self.hit_among.get(name, 99)
        told = {
            "fault": name,
            "layer": "host",
            "stands_for": "x",
            "subjects": ("node:ucs-1",),
            "summary": "x",
            "expected": ("host.mtu",),
        }
        return Row.model_validate({**told, "detected": hit, "localised": hit, "beside": beside})

    def _look(
        self, plan: Plan, state: object, told: object, after: str, *, whole: bool, driven: Sequence[Fault] = ()
    ) -> Healthy:
        self.looks += 1
        if whole:
            state.whole, state.applying = True, frozenset({"host.unproved"})  # type: ignore[attr-defined]
        run_ = Healthy(after=after, verdict="go", checks=1, red=(), alarms=0, seconds=1.0)
        state.healthy.append(run_)  # type: ignore[attr-defined]
        return run_


def _fault(name: str) -> Fault:
    told = {
        "fault": name, "stands_for": "seed 000, chapter 1", "summary": "something is broken", "layer": "host",
        "subject": "node:ucs-1", "inject": [{"scratch.file": {"path": "/tmp/x"}}], "red": ["host.mtu"],
    }  # fmt: skip
    return Fault.model_validate(told)


def _cut(bed: object, faults: Sequence[Fault], most: int, _cases: object) -> list[tuple[Fault, ...]]:
    return [tuple(faults[at : at + most]) for at in range(0, len(faults), most)]


def test_what_is_missed_in_company_is_put_in_in_less_and_last_by_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench = Bench(monkeypatch, tmp_path, {"b": 2, "d": 1})
    proof = bench.prove(5)
    assert bench.put_in == [("a", "b", "c", "d", "e"), ("b", "d"), ("d",)]
    assert {row.fault for row in proof.rows if row.first_time} == {"b", "d"}
    assert proof.detected == len(NAMES)
    assert proof.again == 0
    assert bench.looks == 4  # before, and after each round


@pytest.mark.parametrize(("subject", "kept"), [("node:ucs-2", ["a-and-1-more"]), ("node:ucs-1", [])])
def test_what_the_gate_said_of_a_group_is_kept_where_one_of_it_was_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, subject: str, kept: list[str]
) -> None:
    first, second = _fault("a"), _fault("b").model_copy(update={"red": ("host.swap",)})
    said = gate(
        [check("host.mtu", "node:ucs-1", "failed"), check("host.swap", subject, "failed")],
        [finding("host.mtu", ["node:ucs-1"]), finding("host.swap", [subject])],
    )
    monkeypatch.setattr(rows, "session", lambda bed, fault: nullcontext(SimpleNamespace(since=0.0, environment={})))
    monkeypatch.setattr(
        rows, "look", lambda bed, suites, folder, *_, **__: folder.mkdir(parents=True) or Looked(said, 1, 1)
    )
    bed = load(Path("inventories/lab.yaml"))

    rows.on_the_bed(Plan(bed, [first, second], Path("suites"), tmp_path), [first, second])

    assert [folder.name for folder in (tmp_path / "proof").glob("*")] == kept


def test_load_with_a_fault_is_measured_beside_the_run_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = _fault("slow").model_copy(update={"layer": "load", "subject": ("load:kept",)})
    good = tmp_path / "healthy" / "baselines" / "lab" / "kept" / "machine.json"
    good.parent.mkdir(parents=True)
    good.write_text("good")
    found: list[str] = []

    def see(bed: object, suites: object, folder: Path, *_: object, **__: object) -> Looked:
        found.extend(file.read_text() for file in folder.glob("baselines/lab/kept/*.json"))
        raise NoGate("it is not to be judged here")

    monkeypatch.setattr(rows, "session", lambda bed, fault: nullcontext(SimpleNamespace(since=0.0, environment={})))
    monkeypatch.setattr(rows, "look", see)
    plan = Plan(load(Path("inventories/lab.yaml")), [slow], Path("suites"), tmp_path)
    rows.on_the_bed(plan, [slow])
    rows.on_the_bed(plan, [_fault("other")])

    assert found == ["good"]


def test_reports_of_an_earlier_proof_go_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("proof/lost-and-9-more/gate.json", "proof/mine/notes.txt", "healthy/baselines/lab/kept/x.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()

    Bench(monkeypatch, tmp_path, {}).prove(1)

    assert [folder.name for folder in (tmp_path / "proof").iterdir()] == ["mine"]
    assert list((tmp_path / "healthy").iterdir()) == []


def test_what_is_missed_by_itself_has_one_more_turn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bench = Bench(monkeypatch, tmp_path, {"c": 0})
    proof = bench.prove(1)
    assert bench.put_in == [("a",), ("b",), ("c",), ("d",), ("e",), ("c",)]
    assert [(row.fault, row.hit, row.again) for row in proof.rows if not row.hit or row.again] == [("c", False, True)]


def test_for_faults_of_the_load_the_gate_drives_what_they_are_about() -> None:
    load_fault = _fault("slow").model_copy(update={"layer": "load", "subject": ("load:kept", "load:new")})

    assert rows.load_of([_fault("other"), load_fault]) == ["--load", "--load-target=kept", "--load-target=new"]
    assert rows.load_of([_fault("other")]) == []
    assert rows.driving(load(Path("inventories/lab.yaml")), [_fault("other")]) == 0


def test_a_gate_has_the_time_of_the_load_and_of_what_it_is_measured_beside() -> None:
    beside = _fault("slow").model_copy(update={"layer": "load", "subject": ("load:inspected-beside",)})

    assert rows.driving(load(Path("inventories/lab.yaml")), [beside]) == 2 * (5 + 20 + 20)


def test_a_part_of_all_is_looked_at_without_a_fault_after_some_groups_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench = Bench(monkeypatch, tmp_path, {})
    bench.prove(1)
    assert len(bench.put_in) == 5
    assert bench.looks == 3  # before, after the fourth, after the last


def test_a_proof_that_goes_on_where_it_was_still_knows_which_checks_no_fault_proves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench = Bench(monkeypatch, tmp_path, {})
    plan = replace(bench.plan, selection="--without load", whole_layers=frozenset({"host"}))
    first = run.prove(plan, None, Quiet(), lambda proof: None)

    again = run.prove(plan, first, Quiet(), lambda proof: None)

    assert len(bench.put_in) == len(NAMES), "nothing was put in a second time"
    assert first.checks_without_fault == again.checks_without_fault == ("host.unproved",)
    assert not again.held
