"""Rows of the matrix: a fault is put in, the gate looks, the fault is taken out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from chaos.actions.inventory import copy_of
from chaos.call import ActionFailed
from chaos.fault import Fault
from chaos.proof import copy, together
from chaos.proof.gate import Looked, NoGate, look
from chaos.proof.judge import Expected, judge
from chaos.proof.model import Row, Seconds, State
from chaos.proof.plan import BEDLESS, HEALTHY, LOAD, Plan
from chaos.session import Expired, NoEffect, NotSettled, session
from chaos.undo import StillIn
from chaos.watchdog import NoWatchdog
from plumbline.bed import Bed, BedError
from plumbline.load import baseline

_START = timedelta(seconds=20)
"""What Locust takes for its start and its end, at most."""


def on_a_copy(fault: Fault) -> bool:
    """Whether a fault is put into a copy of the bed file, and not into the bed."""
    return all(call.action.partition(".")[0] == BEDLESS for call in fault.inject)


def _driven(faults: Sequence[Fault]) -> list[str]:
    """The targets that faults of the load are about, by their names."""
    subjects = [subject for fault in faults if fault.layer == LOAD for subject in fault.subject]
    return list(dict.fromkeys(subject.removeprefix(f"{LOAD}:") for subject in subjects))


def load_of(faults: Sequence[Fault]) -> list[str]:
    """The words that have a gate drive the targets which faults of the load are about; none for other faults."""
    names = _driven(faults)
    return ["--load", *(f"--load-target={name}" for name in names)] if names else []


def driving(bed: Bed, faults: Sequence[Fault]) -> float:
    """Seconds that the gate takes longer for it: with starts and ends, and what a target is measured beside."""
    targets = bed.load.targets if bed.load else {}
    driven = set(_driven(faults)) & set(targets)
    beside = {ratio.of for name in driven if (ratio := targets[name].promise.ratio)}
    return sum((targets[name].time + targets[name].around + _START).total_seconds() for name in driven | beside)


def on_copy(plan: Plan, fault: Fault) -> Row:
    """A fault of the bed file. One that contradicts itself is seen without a bed; else the gate looks at the bed."""
    begun = time.monotonic()
    suites = [plan.suites / BEDLESS if fault.layer == BEDLESS else plan.suites]
    workers = "0" if fault.layer == BEDLESS else plan.workers
    try:
        with copy.copied(Path(plan.bed.path), fault.inject) as file:
            rows = _judged(
                plan, [fault], begun, lambda folder: look(file, suites, folder, {}, workers=workers, limit=plan.limit)
            )
    except (ActionFailed, BedError) as error:
        return _unjudged(fault, "not-injected", str(error), begun)
    return rows[0]


def on_the_bed(plan: Plan, faults: Sequence[Fault]) -> list[Row]:
    """Faults of the bed itself, in one session: whatever happens, all are taken out, and the bed seen to be as before.

    A row for each; where there are several, one that is not hit has been disturbed by the others, or has to be mended.
    """
    begun = time.monotonic()
    rows: list[Row] = []
    try:
        with session(plan.bed, together.settling(plan.bed, together.merged(faults))) as injected:
            rows = _judged(
                plan,
                faults,
                injected.since,
                lambda folder: look(
                    file if (file := copy_of(plan.bed)).exists() else Path(plan.bed.path),
                    [plan.suites],
                    folder,
                    injected.environment,
                    workers=plan.workers,
                    limit=plan.limit + driving(plan.bed, faults),
                    options=load_of(faults),
                ),
            )
    except NoEffect as error:
        rows = [_unjudged(fault, "no-effect", str(error), begun) for fault in faults]
    except (ActionFailed, NoWatchdog) as error:
        rows = [_unjudged(fault, "not-injected", str(error), begun) for fault in faults]
    except StillIn as error:
        rows = _kept(rows, faults, "not-undone", str(error), begun)
    except (NotSettled, Expired) as error:
        rows = _kept(rows, faults, "not-settled", str(error), begun)
    total = round((time.monotonic() - begun) / len(faults), 2)
    return [
        row.model_copy(
            update={
                "seconds": row.seconds.model_copy(update={"total": total}),
                "beside": tuple(fault.fault for fault in faults if fault.fault != row.fault),
            }
        )
        for row in rows
    ]


def _kept(rows: list[Row], faults: Sequence[Fault], state: State, error: str, begun: float) -> list[Row]:
    """What the gate said is kept, beside what went wrong after it."""
    if not rows:
        return [_unjudged(fault, state, error, begun) for fault in faults]
    return [row.model_copy(update={"state": state, "error": error}) for row in rows]


def _judged(plan: Plan, faults: Sequence[Fault], begun: float, see: Callable[[Path], Looked]) -> list[Row]:
    """The gate's reports stay in reports/proof/<fault>/ where one was not hit; of a group, also if it is hit later."""
    reports = plan.folder / "proof" / together.merged(faults).fault
    shutil.rmtree(reports, ignore_errors=True)
    before = plan.folder / HEALTHY / baseline.FOLDER
    if _driven(faults) and before.is_dir():  # what a fault of the load costs is told beside the run without it
        shutil.copytree(before, reports / baseline.FOLDER)
    try:
        looked = see(reports)
    except NoGate as error:
        return [_unjudged(fault, "no-gate", str(error), begun) for fault in faults]
    rows = [_row_of(fault, [f for f in faults if f is not fault], looked, begun) for fault in faults]
    if all(row.hit for row in rows):
        shutil.rmtree(reports, ignore_errors=True)
    return rows


def _row_of(fault: Fault, beside: Sequence[Fault], looked: Looked, begun: float) -> Row:
    judged = judge(expected_of(fault), together.own(looked.report, beside))
    return _row(fault).model_copy(
        update={
            "verdict": looked.report["verdict"],
            "detected": judged.detected,
            "localised": judged.localised,
            "missed": judged.missed,
            "first": judged.first,
            "extra": judged.extra,
            "red": judged.red,
            "consequences": judged.consequences,
            "roots": judged.roots,
            "seconds": Seconds(
                named=round(looked.ended - begun, 2),
                gate=round(looked.seconds, 2),
                total=round(time.monotonic() - begun, 2),
            ),
        }
    )


def expected_of(fault: Fault) -> Expected:
    """What a fault file says of the gate."""
    return Expected(fault.layer, fault.subject, fault.red, fault.also)


def _row(fault: Fault) -> Row:
    return Row(
        fault=fault.fault,
        layer=fault.layer,
        subjects=fault.subject,
        stands_for=fault.stands_for,
        summary=fault.summary,
        expected=fault.red,
    )


def _unjudged(fault: Fault, state: State, error: str, begun: float) -> Row:
    took = Seconds(total=round(time.monotonic() - begun, 2))
    return _row(fault).model_copy(update={"state": state, "error": error, "missed": fault.red, "seconds": took})
