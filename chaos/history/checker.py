"""Judges a history that somebody else has recorded: what was promised and is not so. Pure functions, no bed.

A value that was acknowledged must be there at the end; one that was refused must not. A read that begins after a write
was acknowledged must see it, where the service promises so. Of an operation whose outcome nobody knows, either is right,
and so of a write that a service had not saved yet when it was killed, where it says that it saves some time later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from chaos.history.model import Moment, Operation

INJECT, UNDOING, UNDONE, NOTICED, WHOLE, STEADY = "inject", "undoing", "undone", "noticed", "whole", "steady"
"""Names of the moments that `times` knows."""
EFFECTIVE, STOP, RECORDED = "effective", "stop", "recorded"
"""The fault was seen to be in; clients were told to end; what they did has been written down, all of it or not."""
Window = tuple[float, float]
"""From when until when, in seconds of the epoch."""
NEVER: Window = (0.0, 0.0)


@dataclass(frozen=True)
class Gap:
    """The longest time without a success, in seconds, and when it began (seconds of the epoch)."""

    seconds: float = 0.0
    since: float = 0.0


@dataclass(frozen=True)
class Told:
    """What the history says of one client."""

    operations: int
    failed: int
    unknown: int
    gap: Gap
    missing: tuple[int, ...] = ()
    """Values that were acknowledged and are not there at the end."""
    returned: tuple[int, ...] = ()
    """Values that were refused and are there all the same."""
    stale: tuple[Operation, ...] = ()
    """Reads that did not see what was acknowledged before they began."""
    unsaved: tuple[int, ...] = ()
    """Values that were acknowledged so shortly before the fault that the service did not promise them yet, and are lost."""
    unread: int = 0
    """Acknowledged values of which nobody knows whether they are there, since nobody could read them at the end."""

    @property
    def lost(self) -> int:
        """Requests that got no answer that is of any use."""
        return self.failed + self.unknown


@dataclass(frozen=True)
class Times:
    """Seconds from the fault; `mend` and `steady` from when it is taken out, where the bed cannot mend it by itself.

    None: it never came.
    """

    detect: float | None = None
    mend: float | None = None
    steady: float | None = None


@dataclass(frozen=True)
class Promise:
    """What an experiment expects of a client: in seconds the longest gap, and until it succeeds again after a fault.

    And whether it may notice anything at all.
    """

    gap: float | None = None
    recover: float | None = None
    unaffected: bool = False
    silent: float = math.inf
    """The longest gap of one that is to be unaffected, and has no gap of its own: one of which nothing is heard lost none."""
    saved: float = 0.0
    """Seconds within which the service saves what it has acknowledged: a kill before may lose it."""
    refused: bool = False
    """Whether no write may be acknowledged from when the fault was noticed, or seen to be in, until its undo."""


@dataclass(frozen=True)
class Judged:
    """All that is wrong, in sentences; empty: the history is sound, and all budgets were kept."""

    told: dict[str, Told]
    times: Times
    wrong: tuple[str, ...] = field(default=())


def judge(
    history: Sequence[Operation],
    moments: Sequence[Moment],
    promises: dict[str, Promise],
    budgets: dict[str, float],
    *,
    by_undo: bool = False,
) -> Judged:
    """Compares what happened with what was promised; `budgets` has seconds by the fields of `Times`."""
    windows = {name: _unpromised(moments, promise.saved) for name, promise in promises.items() if promise.saved}
    told, taken = check(history, windows, _first(moments, STOP)), times(moments, by_undo=by_undo)
    wrong = [
        f"not all was recorded: {moment.said}" for moment in moments if moment.name == RECORDED and not moment.holds
    ]
    for client, promise in promises.items():
        seen = told.get(client)
        if seen is None:
            wrong.append(f"{client}: nothing was recorded")
            continue
        wrong += [f"{client}: {said}" for said in _broken(seen, promise)]
        if promise.refused and (
            taken_in := acknowledged_meanwhile([o for o in history if o.client == client], moments)
        ):
            wrong.append(f"{client}: {taken_in} writes were acknowledged while it had to refuse them")
        if promise.recover is not None:
            took = recovered([o for o in history if o.client == client], moments, by_undo=by_undo)
            wrong += (
                [] if took is not None and took <= promise.recover else [f"{client}: {_late(took, promise.recover)}"]
            )
    for name, most in budgets.items():
        took = getattr(taken, name)
        if took is None:
            wrong.append(f"seconds to {name}: it never came; at most {most:g} s are allowed")
        elif took > most:
            wrong.append(f"seconds to {name}: {took:.1f} s, and at most {most:g} s are allowed")
    return Judged(told, taken, tuple(wrong))


def acknowledged_meanwhile(own: Sequence[Operation], moments: Sequence[Moment]) -> int:
    """Writes that were begun after a fault was noticed, or seen to be in, and acknowledged before its undo began."""
    since, undoing = _in_since(moments), _first(moments, UNDOING)
    if since is None:
        return 0
    return sum(
        o.kind == "write" and o.outcome == "ok" and o.begun >= since and (undoing is None or o.ended <= undoing)
        for o in own
    )


def _in_since(moments: Sequence[Moment]) -> float | None:
    """From when on the bed must have felt the fault: it has noticed, or nobody is asked whether and it is seen to be in."""
    injected = _first(moments, INJECT)
    if injected is None:
        return None
    asked = any(moment.name == NOTICED for moment in moments)
    return _first(moments, NOTICED if asked else EFFECTIVE, injected)


def recovered(own: Sequence[Operation], moments: Sequence[Moment], *, by_undo: bool) -> float | None:
    """Seconds until all that a client does succeeded again after the last of it had failed; None where it never did.

    From the fault, or from its undo where that mends. What succeeded before the fault was in is no recovery, and that an
    undo disturbs what had mended by itself is none of it.
    """
    since, undoing = since_when(moments, by_undo=by_undo), _first(moments, UNDOING)
    if since is None:
        return None
    felt = since if by_undo else max(since, _first(moments, EFFECTIVE, since) or since)
    until = math.inf if by_undo or undoing is None else undoing
    taken = [0.0]
    for kind in {o.kind for o in own} - {"final"}:
        of_kind = [o for o in own if o.kind == kind]
        bad = [o.ended for o in of_kind if o.outcome != "ok" and o.ended >= since and o.begun < until]
        good = [o.ended for o in of_kind if o.outcome == "ok" and o.begun >= max([felt, *bad])]
        if not good:
            return None
        taken.append(min(good) - since)
    return max(taken)


def _late(took: float | None, most: float) -> str:
    said = "it never succeeded again" if took is None else f"{took:.1f} s until it succeeded again"
    return f"{said}, and at most {most:g} s are allowed"


def _broken(seen: Told, promise: Promise) -> list[str]:
    wrong = []
    if seen.missing:
        wrong.append(f"{len(seen.missing)} acknowledged writes are missing: {_some(seen.missing)}")
    if seen.returned:
        wrong.append(f"{len(seen.returned)} writes were refused and are there all the same: {_some(seen.returned)}")
    if seen.unread:
        wrong.append(f"nobody could read at the end whether {seen.unread} acknowledged writes are there")
    if seen.stale:
        wrong.append(f"{len(seen.stale)} reads did not see what was acknowledged before them")
    if promise.unaffected and seen.lost:
        wrong.append(f"{seen.lost} of {seen.operations} operations were lost, and it was not to be affected")
    if promise.unaffected and promise.gap is None and seen.gap.seconds > promise.silent:
        wrong.append(f"{seen.gap.seconds:.1f} s without a success, and it was not to be affected")
    if promise.gap is not None and seen.gap.seconds > promise.gap:
        wrong.append(f"{seen.gap.seconds:.1f} s without a success, and at most {promise.gap:g} s are allowed")
    return wrong


def check(
    history: Sequence[Operation], unpromised: Mapping[str, Window] | None = None, until: float | None = None
) -> dict[str, Told]:
    """What the history says of each client, by name.

    `unpromised`: when what was acknowledged might still be lost; `until`: when clients were told to end.
    """
    by_client = sorted(history, key=lambda operation: operation.client)
    return {
        client: _told(sorted(own, key=lambda operation: operation.ended), (unpromised or {}).get(client, NEVER), until)
        for client, own in groupby(by_client, key=lambda operation: operation.client)
    }


def _unpromised(moments: Sequence[Moment], saved: float) -> Window:
    """From so long before the fault until the bed has noticed: whoever was killed acknowledges nothing after that."""
    injected = _first(moments, INJECT)
    if injected is None:
        return NEVER
    return injected - saved, _first(moments, NOTICED, injected) or injected


def _told(own: Sequence[Operation], unpromised: Window, until: float | None) -> Told:
    asked = [operation for operation in own if operation.kind != "final"]
    writes = [operation for operation in own if operation.kind == "write"]
    acknowledged = {value for write in writes if write.outcome == "ok" for value in _values(write)}
    refused = {value for write in writes if write.outcome == "failed" for value in _values(write)}
    finals = [operation for operation in own if operation.kind == "final" and operation.outcome == "ok"]
    there = set(_values(finals[-1])) if finals else set()
    early, late = unpromised
    recent = {value for w in writes if early <= w.ended <= late for value in _values(w)}
    promised = [o for o in own if not (o.kind == "write" and recent & set(_values(o)))]
    unsaved = recent & (acknowledged - there)
    return Told(
        operations=len(asked),
        failed=sum(operation.outcome == "failed" for operation in asked),
        unknown=sum(operation.outcome == "unknown" for operation in asked),
        gap=longest_gap(asked, until),
        missing=tuple(sorted(acknowledged - there - unsaved)) if finals else (),
        returned=tuple(sorted(refused & there)),
        stale=stale(promised),
        unsaved=tuple(sorted(unsaved)) if finals else (),
        unread=0 if finals else len(acknowledged),
    )


def stale(own: Sequence[Operation]) -> tuple[Operation, ...]:
    """Reads of one client that saw less than what was acknowledged before they began."""
    writes = [operation for operation in own if operation.kind == "write" and operation.outcome == "ok"]
    found = []
    for read in own:
        if read.kind != "read" or read.outcome != "ok":
            continue
        least = max((max(_values(write)) for write in writes if write.ended <= read.begun), default=None)
        if least is not None and max(_values(read), default=-1) < least:
            found.append(read)
    return tuple(found)


def longest_gap(asked: Sequence[Operation], until: float | None = None) -> Gap:
    """The longest time without a success; a client that reads and writes may miss either.

    One that falls silent tells of no failure: the time goes on `until` it was told to end.
    """
    gaps = [Gap()]
    for kind in {operation.kind for operation in asked}:
        own = [operation for operation in asked if operation.kind == kind]
        successes = [operation.ended for operation in own if operation.outcome == "ok"]
        edges = [min(o.begun for o in own), *sorted(successes), max(until or 0.0, *(o.ended for o in own))]
        gaps += [Gap(later - earlier, earlier) for earlier, later in pairwise(edges)]
    return max(gaps, key=lambda gap: gap.seconds)


def times(moments: Sequence[Moment], *, by_undo: bool = False) -> Times:
    """From the moments of an experiment how long what took; `by_undo`: the fault had to be taken out."""
    injected, since = _first(moments, INJECT), since_when(moments, by_undo=by_undo)
    if injected is None:
        return Times()
    noticed = _first(moments, NOTICED, injected)
    asked = any(moment.name == NOTICED for moment in moments)
    if since is None or (asked and noticed is None):
        return Times(_between(injected, noticed))
    told_of = moments if by_undo else _before_undo(moments)  # the undo changes the bed once more: steady tells of that
    whole = _stays(told_of, WHOLE, max(since, noticed or since))
    steady = _first(moments, STEADY, since)
    if steady is not None:
        steady -= _reading(moments, steady)
    return Times(_between(injected, noticed), _between(since, whole), _between(since, steady))


def _reading(moments: Sequence[Moment], until: float) -> float:
    """Seconds before then in which clients read what is there at the end: meanwhile nobody asks the gate."""
    stopped = _first(moments, STOP)
    read = next((moment.at for moment in moments if moment.name == RECORDED), None)
    return max(0.0, read - stopped) if stopped and read and read <= until else 0.0


def _before_undo(moments: Sequence[Moment]) -> Sequence[Moment]:
    undoing = _first(moments, UNDOING)
    return moments if undoing is None else [moment for moment in moments if moment.at <= undoing]


def since_when(moments: Sequence[Moment], *, by_undo: bool) -> float | None:
    """From when on a bed has to mend: from the fault, or from when it is taken out."""
    injected = _first(moments, INJECT)
    return injected if injected is None or not by_undo else _first(moments, UNDOING, injected)


def _between(since: float, at: float | None) -> float | None:
    return None if at is None else at - since


def _first(moments: Sequence[Moment], name: str, since: float = 0.0) -> float | None:
    """When something happened, or a probe began to hold, for the first time since then.

    A probe that held all the time tells nothing.
    """
    return next((m.at for m in moments if m.name == name and m.at >= since and m.holds is not False), None)


def _stays(moments: Sequence[Moment], name: str, since: float) -> float | None:
    """From when on, at or after `since`, a probe holds that holds to the end; None where it does not."""
    begun = None
    for moment in moments:
        if moment.name == name:
            begun = (begun or moment.at) if moment.holds else None
    return None if begun is None else max(begun, since)


def _values(operation: Operation) -> tuple[int, ...]:
    value = operation.value
    return () if value is None else value if isinstance(value, tuple) else (value,)


def _some(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:5])) + (", …" if len(values) > 5 else "")
