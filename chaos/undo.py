"""Bringing a bed back: what an entry of the ledger says and nothing else, in its order, until the bed is seen to be so."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from chaos import lease, ledger
from chaos.call import Call
from chaos.ledger import Entry
from chaos.reach import Reach
from plumbline import places
from plumbline.bed import Bed

LIMIT = 60.0
"""Seconds that an undo may take: long enough for a node that is restarting."""
POLL = 0.1
_SETTLES = 20.0
_PAUSE = 1.0


@dataclass(frozen=True)
class Left:
    """A call that did not bring the bed back, and why."""

    call: Call
    why: str

    def __str__(self) -> str:
        return f"{self.call}: {self.why}"


class StillIn(Exception):
    """A fault that could not be undone; the text says exactly what is still in. Exit code 11."""

    exit_code = 11


def undo(bed: Bed, reach: Reach, entry: Entry, limit: float = LIMIT) -> list[Left]:
    """Undoes an entry and takes it away; what is left where that fails, and then the entry stays, as failed.

    An entry that somebody else has undone meanwhile is no error.
    """
    with ledger.locked(bed.bed):
        if not ledger.exists(entry):
            return []
        entry = ledger.read(bed, places.ledger(bed.bed) / f"{entry.id}.json")
        left = bring_back(bed, reach, entry.calls(), limit)
        if not left:
            ledger.remove(entry)
        elif ledger.exists(entry):  # and was not forgotten meanwhile, by somebody who mended the bed by hand
            ledger.write(entry.model_copy(update={"state": "failed", "error": "; ".join(map(str, left))}))
    return left


def reap(bed: Bed, reach: Reach | None = None, limit: float = LIMIT, only: str = "") -> list[str]:
    """Undoes all that earlier runs left in the bed, the youngest first; the names of the faults. StillIn, Refused.

    What belongs to a process that still runs is not touched: StillIn says whose it is.
    """
    ledger.sweep(bed.bed)
    if ledger.gone(bed):
        for file in _files(bed, only):
            file.unlink(missing_ok=True)
        return []
    undone: list[str] = []
    troubles: list[str] = []
    with ExitStack() as stack:
        for file in reversed(_files(bed, only)):
            try:
                entry = ledger.read(bed, file)
            except ledger.Refused as refused:
                if file.exists():
                    troubles.append(str(refused))
                continue
            if entry.alive():
                troubles.append(f"{entry}; end that process first, its watchdog undoes what it did")
                continue
            reach = reach or stack.enter_context(Reach(bed))
            left = undo(bed, reach, entry, limit)
            troubles += [f"{entry.fault} ({entry.id}) is still in: {one}" for one in left]
            if not left:
                undone.append(entry.fault)
                lease.release(bed, reach, entry.id)
    if troubles:
        raise StillIn("\n".join(troubles))
    return undone


def bring_back(bed: Bed, reach: Reach, calls: Sequence[Call], limit: float = LIMIT) -> list[Left]:
    """Makes all the calls in order, one that fails no hindrance to the next, and again from the first that did not take.

    Those after it are made again too, since they may stand on it (a file, then the service that reads it).
    """
    deadline = time.monotonic() + limit
    first = 0
    seen: set[int] = set()
    while True:
        failed: dict[int, str] = {}
        for index, call in enumerate(calls[first:], first):
            try:
                call.apply(bed, reach)
            except Exception as error:  # whatever it was, the next undo must have its turn
                failed[index] = f"{type(error).__name__}: {error}"
            if holds(bed, reach, call):  # what could not be done, and is so, needs no doing
                seen.add(index)
                failed.pop(index, None)
        if not failed:
            failed = _look(bed, reach, calls, min(deadline, time.monotonic() + _SETTLES), seen)
        if not failed or time.monotonic() >= deadline:
            return [Left(calls[index], why) for index, why in sorted(failed.items())]
        first = min(failed)
        time.sleep(min(_PAUSE, max(0.0, deadline - time.monotonic())))


def until(
    bed: Bed, reach: Reach, calls: Sequence[Call], limit: float, seen: Collection[int] = frozenset()
) -> list[Left]:
    """Waits until every call holds; those that do not when `limit` seconds have passed.

    `seen` are the places in `calls` of those that were seen to hold when they were made: a later call of the same
    action on the same node, if any is named, may have been about the same thing.
    """
    failed = _look(bed, reach, calls, time.monotonic() + limit, seen)
    return [Left(calls[index], why) for index, why in sorted(failed.items())]


def holds(bed: Bed, reach: Reach, call: Call) -> bool:
    """Whether a call holds right now; what nobody can tell does not."""
    try:
        return call.holds(bed, reach)
    except Exception:
        return False


def _look(bed: Bed, reach: Reach, calls: Sequence[Call], deadline: float, seen: Collection[int]) -> dict[int, str]:
    """The calls that do not hold, or of which nobody can tell, when all hold or the time is up."""
    about = [(call.action, call.arguments.get("node")) for call in calls]
    wanted = [index for index, one in enumerate(about) if index not in seen or one not in about[index + 1 :]]
    while True:
        failed: dict[int, str] = {}
        for index in wanted:
            try:
                if not calls[index].holds(bed, reach):
                    failed[index] = "the bed is not as this says"
            except Exception as error:
                failed[index] = f"nobody can tell whether it holds: {error}"
        if not failed or time.monotonic() >= deadline:
            return failed
        time.sleep(POLL)


def _files(bed: Bed, only: str) -> list[Path]:
    return [file for file in places.leftovers(bed.bed) if only in ("", file.stem)]
