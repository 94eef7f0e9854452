"""A session: a fault is put into a bed, something looks at it, the fault is taken out, whatever happens in between.

The order is the guarantee. Permission, hold, leftovers of others; then for each step: how to undo it is seen and is on
disk, the watchdog is awake, and only then is the step made. See `session`.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from chaos import lease, ledger
from chaos.call import ActionFailed, Call, CallError
from chaos.fault import Breaks
from chaos.ledger import Entry
from chaos.reach import Reach
from chaos.undo import LIMIT, POLL, Left, StillIn, bring_back, holds, reap, until
from chaos.watchdog import Watchdog
from plumbline.bed import Bed
from plumbline.hold import hold

HOLD_LIMIT = 10.0
EFFECT_LIMIT = 20.0
"""Seconds within which an injected fault must be seen to be in."""
UNDONE_SAID = "is undone"
"""How the line ends by which a session tells that the bed is as it was."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_TOOLKIT = (signal.SIGUSR1, signal.SIGUSR2)
"""By which Chaos Toolkit ends an experiment, in the middle of whatever it does."""


_Handler = Callable[[int, FrameType | None], Any] | int | None


class NotAllowed(Exception):
    """The bed file does not allow faults, or the fault is not one of this bed. Exit code 2."""

    exit_code = 2


class NoEffect(Exception):
    """The fault was put in and did not bite, or what it was to bring about did not come; it was undone."""


class Expired(Exception):
    """The fault outlived its time-to-live, so that the watchdog took it out while somebody was still looking."""


class NotSettled(Exception):
    """The fault was undone, and yet the bed did not become again what it has to be in time."""


@dataclass
class Injected:
    """A fault that is in. `environment` lets a gate through that is started while it is."""

    fault: Breaks
    bed: Bed
    id: str
    environment: dict[str, str]
    since: float
    """Time of the first change of the bed, by `time.monotonic`."""
    effective: float = 0.0
    """Time when the effect was seen and what to wait for had come."""


@dataclass
class _Session:
    """What a session has in hand while it runs."""

    bed: Bed
    reach: Reach
    fault: Breaks
    entry: Entry
    watchdog: Watchdog
    undoing: threading.Event
    calls: list[Call] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    ends: float = math.inf
    """When its time-to-live is over, by `time.monotonic`."""


def allowed(bed: Bed) -> None:
    """NotAllowed unless the bed file allows faults by name."""
    if not bed.allow.chaos:
        raise NotAllowed(
            f"{bed.where('allow.chaos')}: the bed {bed.bed} does not allow faults\nremedy: allow: {{chaos: true}}"
        )


@contextmanager
def session(
    bed: Bed,
    fault: Breaks,
    ttl: float | None = None,
    *,
    reach: Reach | None = None,
    hold_limit: float = HOLD_LIMIT,
    told: Callable[[str], None] = lambda line: None,
) -> Iterator[Injected]:
    """Puts a fault in for as long as the block runs, `ttl` seconds at most (default: what the fault says).

    Raises NotAllowed, Held, StillIn, NoEffect, ActionFailed, NoWatchdog, Expired or NotSettled. Of an exception of the
    block and one of the undo, the undo's is raised, with the block's as its context; StillIn means: exit code 11.
    """
    allowed(bed)
    try:
        for call in (*fault.inject, *fault.effect):
            call.understood(bed)
    except CallError as error:
        raise NotAllowed(f"{fault.path}: {error}") from None
    seconds = ttl or fault.time_to_live.total_seconds()
    undoing = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(_signals(undoing))
        environment = stack.enter_context(hold(bed.bed, alone=True, timeout=hold_limit, purpose=f"fault {fault.fault}"))
        way = reach or stack.enter_context(Reach(bed))
        reap(bed, way)
        entry = ledger.new(bed, fault.fault, seconds)
        watchdog = Watchdog.start(bed, entry)
        stack.callback(watchdog.end, entry)
        lease.take(bed, way, entry.id, seconds + LIMIT)
        stack.callback(lambda: None if ledger.exists(entry) else lease.release(bed, way, entry.id))
        here = _Session(bed, way, fault, entry, watchdog, undoing)
        injected = Injected(fault, bed, entry.id, environment, time.monotonic())
        try:
            told(f"{fault.fault}: {fault.summary}")
            _inject(here, injected, seconds)
            told(f"{fault.fault} is in after {time.monotonic() - injected.since:.1f} s")
            injected.effective = time.monotonic()
            yield injected
        finally:
            undoing.set()
            _take_out(here, told)


def _inject(here: _Session, injected: Injected, seconds: float) -> None:
    """Step by step: see how to undo it, have that on disk, then make it. Then see that all of it is in."""
    seen: set[int] = set()
    for number, step in enumerate(here.fault.inject):
        with _told_by(step):
            here.calls = [*step.reverse(here.bed, here.reach), *here.calls]
        _write(here, first=number == 0)
        if number == 0:
            here.watchdog.await_ready()
            here.watchdog.arm(seconds)
            injected.since = time.monotonic()
            here.ends = injected.since + seconds
        if not here.watchdog.alive():
            raise NoEffect("the watchdog is gone; nothing more was injected")
        with _told_by(step):
            step.apply(here.bed, here.reach)
        seen |= {number} if holds(here.bed, here.reach, step) else set()
    wanted = [*here.fault.inject, *here.fault.effect]
    if left := until(here.bed, here.reach, wanted, min(EFFECT_LIMIT, seconds / 2), seen):
        raise NoEffect(f"{here.fault.fault} has no effect: {_said(left)}")
    if (wait := here.fault.wait) is not None and (
        left := until(here.bed, here.reach, wait.holds, min(wait.limit.total_seconds(), seconds))
    ):
        raise NoEffect(f"what {here.fault.fault} was to bring about did not come in time: {_said(left)}")


@contextmanager
def _told_by(step: Call) -> Iterator[None]:
    """Whatever an action raises, it is told as its failure."""
    try:
        yield
    except ActionFailed:
        raise
    except Exception as error:
        raise ActionFailed(f"{type(error).__name__}: {error}", place=str(step)) from error


def _write(here: _Session, first: bool) -> None:
    """The entry as it must be before the next step; one that the watchdog has undone is not written anew."""
    here.entry = here.entry.model_copy(update={"undo": tuple(call.written() for call in here.calls)})
    with ledger.locked(here.bed.bed):
        if not first and not ledger.exists(here.entry):
            raise Expired(f"{here.fault.fault} was undone at its time-to-live, before all of it was in")
        ledger.write(here.entry)


def _take_out(here: _Session, told: Callable[[str], None]) -> None:
    if not here.calls:
        ledger.remove(here.entry)
        return
    over = time.monotonic() >= here.ends
    with ledger.locked(here.bed.bed):  # a watchdog that is undoing right now is let finish
        undone = not ledger.exists(here.entry)
        here.left = bring_back(here.bed, here.reach, here.calls)  # after it too: more was done since, or may have been
        if here.left:
            ledger.write(here.entry.model_copy(update={"state": "failed", "error": _said(here.left)}))
        else:
            ledger.remove(here.entry)
    if here.left:
        raise StillIn(
            f"{here.fault.fault} ({here.entry.id}) is still in: {_said(here.left)}\n"
            f"remedy: python -m chaos ledger undo --bed {here.bed.path}"
        )
    told(f"{here.fault.fault} {UNDONE_SAID}")
    settle = here.fault.settle
    if settle and (left := until(here.bed, here.reach, settle.holds, settle.limit.total_seconds())):
        raise NotSettled(f"{here.fault.fault} is undone, and yet: {_said(left)}")
    if over or undone:
        raise Expired(f"{here.fault.fault} was undone at its time-to-live of {here.entry.time_to_live:.0f} s")


def _said(left: list[Left]) -> str:
    return "; ".join(map(str, left))


@contextmanager
def _signals(undoing: threading.Event) -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP end the block as Ctrl-C does; during the undo they are only remembered.

    So are those by which Chaos Toolkit ends an experiment: a safeguard aborts at any moment, and half an undo is none.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do; the watchdog is there all the same
        return
    late: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        if undoing.is_set():
            late.append(number)
            return
        undoing.set()  # a second signal must not interrupt what the first has begun
        _as_before(number, before[number], frame)

    before: dict[int, _Handler] = {number: signal.getsignal(number) for number in (*_SIGNALS, *_TOOLKIT)}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if late:
        _as_before(late[0], before[late[0]], None)


def _as_before(number: int, handler: _Handler, frame: FrameType | None) -> None:
    """What a signal means to a session: KeyboardInterrupt, or what the toolkit has it mean."""
    if number in _TOOLKIT and callable(handler):
        handler(number, frame)
    raise KeyboardInterrupt(signal.Signals(number).name)


def rest(seconds: float) -> None:
    """Waits in a block until the time is over or a signal comes."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, POLL * 5))
