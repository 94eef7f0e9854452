"""One row of the matrix: a fault is put in, the gate looks, the fault is taken out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.actions.inventory import copy_of
from chaos.call import ActionFailed
from chaos.fault import Fault
from chaos.proof import copy
from chaos.proof.gate import Looked, NoGate, look
from chaos.proof.judge import Expected, judge
from chaos.proof.model import Row, Seconds, State
from chaos.session import Expired, NoEffect, NotSettled, session
from chaos.undo import StillIn
from chaos.watchdog import NoWatchdog
from plumbline.bed import BedError

if TYPE_CHECKING:
    from chaos.proof.run import Plan

BEDLESS = "inventory"


def on_a_copy(fault: Fault) -> bool:
    """Whether a fault is put into a copy of the bed file, and not into the bed."""
    return all(call.action.partition(".")[0] == BEDLESS for call in fault.inject)


def on_copy(plan: Plan, fault: Fault) -> Row:
    """A fault of the bed file. One that contradicts itself is seen without a bed; else the gate looks at the bed."""
    begun = time.monotonic()
    suites = [plan.suites / BEDLESS if fault.layer == BEDLESS else plan.suites]
    workers = "0" if fault.layer == BEDLESS else plan.workers
    try:
        with copy.copied(Path(plan.bed.path), fault.inject) as file:
            return _judged(
                plan, fault, begun, lambda folder: look(file, suites, folder, {}, workers=workers, limit=plan.limit)
            )
    except (ActionFailed, BedError) as error:
        return _unjudged(fault, "not-injected", str(error), begun)


def on_the_bed(plan: Plan, fault: Fault) -> Row:
    """A fault of the bed itself, in a session: whatever happens, it is taken out, and the bed seen to be as before."""
    begun = time.monotonic()
    row = None
    try:
        with session(plan.bed, fault) as injected:
            row = _judged(
                plan,
                fault,
                injected.since,
                lambda folder: look(
                    next((file for file in (copy_of(plan.bed),) if file.exists()), Path(plan.bed.path)),
                    [plan.suites],
                    folder,
                    injected.environment,
                    workers=plan.workers,
                    limit=plan.limit,
                ),
            )
    except NoEffect as error:
        return _unjudged(fault, "no-effect", str(error), begun)
    except (ActionFailed, NoWatchdog) as error:
        return _unjudged(fault, "not-injected", str(error), begun)
    except StillIn as error:
        return _kept(row, fault, "not-undone", str(error), begun)
    except (NotSettled, Expired) as error:
        return _kept(row, fault, "not-settled", str(error), begun)
    return row.model_copy(
        update={"seconds": row.seconds.model_copy(update={"total": round(time.monotonic() - begun, 2)})}
    )


def _kept(row: Row | None, fault: Fault, state: State, error: str, begun: float) -> Row:
    """What the gate said is kept, beside what went wrong after it."""
    if row is None:
        return _unjudged(fault, state, error, begun)
    return row.model_copy(update={"state": state, "error": error})


def _judged(plan: Plan, fault: Fault, begun: float, see: Callable[[Path], Looked]) -> Row:
    """The gate's reports stay in reports/proof/<fault>/ where there is something to mend."""
    reports = plan.folder / "proof" / fault.fault
    shutil.rmtree(reports, ignore_errors=True)
    try:
        looked = see(reports)
    except NoGate as error:
        return _unjudged(fault, "no-gate", str(error), begun)
    judged = judge(expected_of(fault), looked.report)
    row = _row(fault).model_copy(
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
    if row.hit:
        shutil.rmtree(reports, ignore_errors=True)
    return row


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
