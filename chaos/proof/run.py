"""The matrix: fault after fault, and between them looks at the bed with no fault in."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from chaos.fault import Fault
from chaos.proof import rows, together
from chaos.proof.gate import NoGate, look
from chaos.proof.judge import alarms, applicable, roots_of
from chaos.proof.model import HEALTHY_RUNS, Healthy, Proof, Row
from chaos.proof.plan import BEDLESS, HEALTHY, Plan
from chaos.proof.report import rank, why
from plumbline.load import baseline

_AGAIN = 20.0
_ATTEMPTS = 3
_PART_EVERY = 4
"""Groups between two looks without a fault, where not all faults are run: a look takes as long as half a group."""
_BEDLESS_S, _SESSION_S, _EACH_S = 4.0, 40.0, 3.5
"""Before any row is known: a fault of the bed file; a group of faults of the bed, and each fault in it besides."""


class Unhealthy(Exception):
    """The bed is not go although no fault is in, so that nothing can be proved on it."""


class Stop(Exception):
    """A fault could not be undone: nothing that is measured after it would be true. Exit code 11."""

    exit_code = 11


class Told(Protocol):
    """What the one who waits is told."""

    def kept(self, number: int) -> None: ...
    def look(self, what: str) -> None: ...
    def again(self, row: Row) -> None: ...
    def row(self, row: Row, left: float) -> None: ...


@dataclass
class _State:
    started: str
    begun: float
    rows: dict[str, Row] = field(default_factory=dict)
    healthy: list[Healthy] = field(default_factory=list)
    whole: bool = False
    """Whether this run has looked at the whole bed: only then is it known which checks apply to it."""
    applying: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()


def prove(plan: Plan, earlier: Proof | None, told: Told, save: Callable[[Proof], None]) -> Proof:
    """Runs every fault of the plan but those whose row in `earlier` still counts; saves after each.

    Raises Unhealthy where the bed is not go without a fault, Stop where a fault could not be undone.
    """
    state = _State(datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic())
    wanted = {fault.fault: digest(plan, fault) for fault in plan.faults}
    if earlier is not None:
        state.rows = {row.fault: row for row in earlier.rows if row.hit and wanted.get(row.fault) == row.digest}
        state.healthy = list(earlier.healthy)
        state.begun -= earlier.seconds
    else:
        for kept in (plan.folder / "proof").glob("*/gate.json"):  # of an earlier proof
            shutil.rmtree(kept.parent, ignore_errors=True)
        shutil.rmtree(plan.folder / HEALTHY / baseline.FOLDER, ignore_errors=True)
    left = [fault for fault in plan.faults if fault.fault not in state.rows]
    told.kept(len(state.rows))
    for row in _groups(plan, state, told, left):
        state.rows[row.fault] = row.model_copy(update={"digest": wanted[row.fault]})
        told.row(row, _estimate(plan, state, [f for f in left if f.fault not in state.rows]))
        save(_proof(plan, state))
        if row.state == "not-undone":
            raise Stop(
                f"{row.fault} is still in: {row.error}\nremedy: python -m chaos ledger undo --bed {plan.bed.path}"
            )
    while _looks_wanting(plan, state):
        _look_once(plan, state, told, "every group", whole=True)
    proof = _proof(plan, state).model_copy(update={"complete": True})
    save(proof)
    return proof


def _looks_wanting(plan: Plan, state: _State) -> bool:
    """Ten runs without a fault belong to a whole proof; of a part of it, those around its groups are enough."""
    if not plan.selection and len(state.healthy) < HEALTHY_RUNS:
        return True
    return not state.healthy or (bool(plan.whole_layers) and not state.whole)


def digest(plan: Plan, fault: Fault) -> str:
    """Changes with the fault, the bed file, or the code of a check that it has to turn red."""
    told = hashlib.sha256(fault.path.read_bytes())
    told.update(Path(plan.bed.path).read_bytes())
    for file in sorted(plan.suites.rglob("test_*.py")):
        text = file.read_text(encoding="utf-8")
        if any(f'"{id}"' in text for id in fault.red):
            told.update(text.encode())
    return told.hexdigest()[:16]


def _groups(plan: Plan, state: _State, told: Told, left: Sequence[Fault]) -> Iterator[Row]:
    """Row after row: faults of the bed file; then, from the ground up, of the bed, with looks at it in between."""
    in_order = sorted(left, key=lambda fault: (rank(fault.layer), fault.fault))
    bedless = [fault for fault in in_order if fault.layer == BEDLESS]
    if bedless:
        _look_healthy(plan, state, told, "", whole=False)
        yield from _on_copies(plan, bedless)
    of_the_bed = [fault for fault in in_order if fault.layer != BEDLESS]
    if of_the_bed:
        _look_healthy(plan, state, told, "", whole=True, driven=of_the_bed)
        yield from _on_the_bed(plan, state, told, of_the_bed)


def _on_the_bed(plan: Plan, state: _State, told: Told, faults: Sequence[Fault]) -> Iterator[Row]:
    """Whatever is not hit is put in once more in less company, and last by itself: only then is it the fault's."""
    missed: dict[str, Row] = {}
    left, sizes = list(faults), _rounds(plan.together)
    while left:
        most, again = sizes.pop(0), set[str]()
        for row in _round(plan, state, told, together.groups(plan.bed, left, most, plan.cases)):
            before = missed.get(row.fault)
            now = _once_more(row, before) if before else row
            if row.hit or row.state == "not-undone" or not sizes:
                yield now
                continue
            missed[row.fault] = now
            told.again(row)
            again.add(row.fault)
        left = [fault for fault in left if fault.fault in again]


def _rounds(most: int) -> list[int]:
    """How many faults at a time, the first time and then; 1 at the end, at least twice."""
    return [most, *([most // 2] if most > 3 else []), 1] if most > 1 else [1, 1]


def _once_more(row: Row, before: Row) -> Row:
    """`again`: it was by itself before."""
    return row.model_copy(
        update={"again": before.again or not before.beside, "first_time": before.first_time or why(before)}
    )


def _round(plan: Plan, state: _State, told: Told, groups: Sequence[tuple[Fault, ...]]) -> Iterator[Row]:
    """A look at the bed without a fault after each tenth of the groups, of a part of all not sooner, and after the last."""
    every = max(_PART_EVERY if plan.selection else 1, -(-len(groups) // (HEALTHY_RUNS - 1)))
    for number, group in enumerate(groups, start=1):
        told.look(", ".join(fault.fault for fault in group))
        alone = len(group) == 1 and rows.on_a_copy(group[0])
        made = [rows.on_copy(plan, group[0])] if alone else rows.on_the_bed(plan, group)
        yield from made
        if any(row.state == "not-undone" for row in made):
            return
        unsure = any(row.state == "not-settled" for row in made)
        if unsure or number % every == 0 or number == len(groups):
            _look_healthy(plan, state, told, group[-1].fault, whole=True)


def _on_copies(plan: Plan, faults: Sequence[Fault]) -> Iterator[Row]:
    """Nothing on the bed is touched, so that several may run side by side."""
    with ThreadPoolExecutor(max_workers=plan.jobs) as pool:
        yield from pool.map(lambda fault: rows.on_copy(plan, fault), faults)


def _look_healthy(
    plan: Plan, state: _State, told: Told, after: str, *, whole: bool, driven: Sequence[Fault] = ()
) -> None:
    """Looks until the bed is go; what was red in between is a false alarm all the same."""
    for attempt in range(_ATTEMPTS):
        run = _look_once(plan, state, told, after, whole=whole, driven=driven)
        if run.verdict == "go":
            return
        if attempt + 1 < _ATTEMPTS:
            time.sleep(_AGAIN)
    said = "; ".join(map(str, state.healthy[-1].red[:5]))
    raise Unhealthy(f"the bed is not go {f'after {after}' if after else 'before the first fault'}: {said}")


def _look_once(
    plan: Plan, state: _State, told: Told, after: str, *, whole: bool, driven: Sequence[Fault] = ()
) -> Healthy:
    told.look(f"no fault in{f', after {after}' if after else ''}")
    suites = [plan.suites if whole else plan.suites / BEDLESS]
    try:
        folder = plan.folder / HEALTHY
        looked = look(
            Path(plan.bed.path),
            suites,
            folder,
            {},
            workers=plan.workers,
            limit=plan.limit + rows.driving(plan.bed, driven),
            options=rows.load_of(driven),
        )
    except NoGate as error:
        raise Unhealthy(str(error)) from None
    if looked.report["verdict"] != "go":  # kept, so that a false alarm can be traced
        kept = plan.folder / "proof" / f"no-fault-{len(state.healthy) + 1}"
        shutil.copytree(plan.folder / HEALTHY, kept, dirs_exist_ok=True)
    run = Healthy(
        after=after,
        verdict=looked.report["verdict"],
        checks=len(looked.report["checks"]),
        red=roots_of(looked.report),
        alarms=alarms(looked.report),
        seconds=round(looked.seconds, 1),
    )
    state.whole = state.whole or whole
    applying, silent = applicable(looked.report)
    state.applying, state.silent = state.applying | applying, (state.silent | silent) - applying
    state.healthy.append(run)
    return run


def _proof(plan: Plan, state: _State) -> Proof:
    made = sorted(state.rows.values(), key=lambda row: (rank(row.layer), row.fault))
    reddened = {id for row in made if row.state == "judged" for id in row.red if id in row.expected}
    proved = {id for id in state.applying if id.partition(".")[0] in plan.whole_layers}
    return Proof(
        bed=plan.bed.bed,
        bed_file=str(plan.bed.path),
        selection=plan.selection,
        started=state.started,
        seconds=round(time.monotonic() - state.begun, 1),
        faults=len(made),
        detected=sum(row.detected for row in made),
        localised=sum(row.localised for row in made),
        unjudged=sum(row.state != "judged" for row in made),
        again=sum(row.again for row in made),
        extra_roots=sum(len(row.extra) for row in made),
        false_alarms=sum(run.alarms for run in state.healthy),
        checks=len(proved),
        checks_without_fault=tuple(sorted(proved - reddened)),
        not_applicable=tuple(sorted(state.silent)),
        healthy=tuple(state.healthy),
        rows=tuple(made),
    )


def _estimate(plan: Plan, state: _State, left: Sequence[Fault]) -> float:
    """Seconds until the end, from what rows of the same kind have taken so far."""
    total, size = 0.0, max(1, min(plan.together, len(left)))
    guess = {True: _BEDLESS_S, False: _SESSION_S / size + _EACH_S}
    for bedless in (True, False):
        took = [row.seconds.total for row in state.rows.values() if (row.layer == BEDLESS) == bedless]
        each = sum(took) / len(took) if took else guess[bedless]
        total += each * sum((fault.layer == BEDLESS) == bedless for fault in left)
    return total
