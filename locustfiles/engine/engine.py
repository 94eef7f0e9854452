"""The engine: users whose requests run side by side in one thread, each followed by the next without a barrier."""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial

from locustfiles.engine import failures
from locustfiles.engine.model import Batch, Crew, Joining, Left, Limits, Slot
from locustfiles.engine.reactor import Reactor, System
from locustfiles.engine.request import Request
from locustfiles.engine.tally import Row, Tally
from locustfiles.engine.watch import Watch
from locustfiles.engine.wire import Wire
from locustfiles.engine.wires import Network, Wires

BATCH = 0.5
"""Seconds between two batches of results."""
SWEEP = 0.1
"""Seconds between two looks for requests that take too long: so much later than their time they end."""


class Engine:
    """Runs users until it is stopped or a limit is reached. `run` is for one thread; join, leave, stop are for any.

    `emit` is given each batch, in the engine's thread. `system` is what that thread waits with.
    """

    def __init__(
        self, emit: Callable[[Batch], None], limits: Limits | None = None, *, system: System | None = None
    ) -> None:
        self._emit = emit
        self._limits = limits or Limits()
        self._reactor = Reactor(system or System())
        self._network = Network(self._reactor)
        self._orders: deque[Callable[[float], None]] = deque()
        self._slots: dict[Hashable, Slot] = {}
        self._crews: dict[Hashable, Crew] = {}
        self._resting: list[tuple[float, int, Slot]] = []
        self._tally = Tally()
        self._begun = 0
        self._waiting = 0
        self._left: list[Left] = []
        self._over = False
        self._until = math.inf
        self._swept = 0.0
        self.spent = ""
        """Which limit was reached; empty as long as none was."""

    def join(self, joining: Joining) -> None:
        """Lets a user begin; it may be called from any thread."""
        self._order(lambda now: self._enter(joining, now))

    def leave(self, user: Hashable, *, at_once: bool = True) -> None:
        """Ends a user, at once or when its request has its answer."""
        self._order(lambda now: self._let_go(user, at_once))

    def stop(self) -> None:
        """Ends all users and then the engine, with a last batch."""

        def end(now: float) -> None:
            self._over = True

        self._order(end)

    def _order(self, order: Callable[[float], None]) -> None:
        self._orders.append(order)
        self._reactor.wake()

    def run(self) -> None:
        """The loop, until `stop`; raises whatever no script may be blamed for."""
        self._watch = Watch()
        self._clock = time.time() - time.monotonic()
        self._until = time.monotonic() + self._limits.seconds
        due = time.monotonic() + BATCH
        try:
            while not self._over:
                self._reactor.turn(self._patience(due))
                woken = self._reactor.woken
                while self._orders:
                    self._orders.popleft()(woken)
                if self._resting or self._crews or woken >= self._until:
                    self._begin_due(time.monotonic())
                ended = time.monotonic()
                self._watch.turn(ended - woken)
                if ended >= self._swept + SWEEP:
                    self._sweep(ended)
                if ended >= due:
                    self._send_batch()
                    due = max(due + BATCH, ended)
        finally:
            self._close()

    def _patience(self, due: float) -> float:
        """How long nothing is to be done, whatever happens on the sockets."""
        multi = self._network.multi
        patience = multi.turn() if multi.under_way else math.inf
        soonest = min(due, self._swept + SWEEP, math.inf if self.spent else self._until)
        if self._resting:
            soonest = min(soonest, self._resting[0][0])
        for crew in self._crews.values():
            if crew.free:
                soonest = min(soonest, crew.plan.next)
        return max(0.0, min(patience, soonest - time.monotonic()))

    def _enter(self, joining: Joining, now: float) -> None:
        if self._over:
            if joining.stopped is not None:
                joining.stopped("")
            return
        crew = None
        if joining.pace > 0:
            crew = self._crews.setdefault(joining.crew, Crew())
            crew.pace += joining.pace
            crew.plan.pace(crew.pace, now)
        slot = Slot(joining, crew, free_since=now)
        slot.wires = Wires(self._network, joining.settings, partial(self._completed, slot))
        self._slots[joining.user] = slot
        self._next(slot, now)

    def _let_go(self, user: Hashable, at_once: bool) -> None:
        slot = self._slots.get(user)
        if slot is None:
            return
        if slot.running and not at_once:
            slot.leaving = True
        else:
            self._remove(slot)

    def _remove(self, slot: Slot, why: str = "") -> None:
        """Takes a user out. What it is waiting for is left: neither an answer nor a failure."""
        if self._slots.pop(slot.about.user, None) is None:
            return
        now = time.monotonic()
        if slot.running:
            slot.wire.give_up()
            self._waiting -= 1
            self._leave(slot.planned, now)
        slot.running, slot.leaving = False, True
        slot.wires.close()
        if slot.crew is not None:
            slot.crew.pace -= slot.about.pace
            slot.crew.plan.pace(max(0.0, slot.crew.pace), now)
            slot.crew.parted = now
            if slot in slot.crew.free:
                slot.crew.free.remove(slot)
        if slot.script is not None:
            slot.script.close()
        if slot.about.stopped is not None:
            slot.about.stopped(why)

    def _leave(self, planned: float, now: float) -> None:
        self._left.append(Left(now + self._clock, now - planned))

    def _next(self, slot: Slot, now: float, planned: Request | None = None) -> None:
        """Asks the user for its next request, where none is `planned` ahead, and begins it or lets it wait for its time."""
        try:
            request = planned or self._ask(slot)
        except StopIteration:
            slot.script = None
            rest = slot.about.wait() if slot.about.wait is not None else 0.0
            if rest > 0:
                heapq.heappush(self._resting, (now + rest, id(slot), slot))
                return
            try:
                request = self._ask(slot)
            except StopIteration:
                self._remove(slot, "a script that asks for nothing")
                return
        except Exception as error:  # a mistake in a script ends its user, not the others
            self._remove(slot, f"{type(error).__name__}: {error}")
            return
        slot.request = request
        slot.free_since = now
        if slot.crew is None:
            self._begin(slot, now)
        else:
            slot.crew.free.append(slot)

    def _ask(self, slot: Slot) -> Request:
        """The next request: of what was planned ahead, else of the script, which may plan several."""
        request = next(slot.ahead, None)
        while request is None:
            if slot.script is None:
                slot.script = slot.about.script()
                asked = next(slot.script)
            else:
                asked = slot.script.send(slot.answer)
            if isinstance(asked, Request):
                return asked
            slot.ahead = iter(asked)
            request = next(slot.ahead, None)
        return request

    def _begin_due(self, now: float) -> None:
        """Begins what is due: of those who rested, and of the plans of open loops, as far as users are free."""
        while self._resting and self._resting[0][0] <= now:
            due, _, slot = heapq.heappop(self._resting)
            if slot.about.user in self._slots:
                self._watch.lag(now - due)
                self._next(slot, now)
        for crew in self._crews.values():
            while crew.free and (planned := crew.plan.take(now)) is not None:
                slot = crew.free.popleft()
                self._watch.lag(now - max(planned, slot.free_since))
                self._begin(slot, planned)
        if now >= self._until and not self.spent:
            self.spent = f"{self._limits.seconds:.0f} seconds"

    def _begin(self, slot: Slot, planned: float) -> None:
        if self._begun >= self._limits.requests:
            self.spent = f"{self._limits.requests} requests"
        if self.spent:
            self._remove(slot)
            return
        self._begun += 1
        if slot.request is not slot.on_wire:
            slot.wire = slot.wires.of(slot.request)
            slot.on_wire = slot.request
        slot.begun = time.monotonic()
        slot.planned, slot.running = planned if slot.crew is not None else slot.begun, True
        slot.answer.planned = slot.planned
        self._waiting += 1
        slot.wire.begin(slot.request, slot.begun)

    def _sweep(self, now: float) -> None:
        """Ends what takes too long. libcurl could, but setting and clearing its timer is dear for each request."""
        self._swept = now
        for slot in list(self._slots.values()):
            if slot.running and now - slot.begun > slot.about.settings.timeout:
                self._completed(slot, slot.wire.give_up(), now)

    def _completed(self, slot: Slot, failure: str, now: float) -> None:
        """Counts a request that has ended, and goes on with its user. Every line of it is paid by each request."""
        request, answer, wire = slot.request, slot.answer, slot.wire
        self._waiting -= 1
        slot.running = False
        status, size = wire.status, wire.size
        row = self._tally.row(request.key, int(now + self._clock))
        if wire.fresh:
            _count_connection(row, wire)
        if not failure and not request.accepts(status):
            failure = failures.of_status(status)
        if failure:
            row.failures[failure] += 1
        else:
            # Without a plan a request on a kept connection counts from its sending: its making is no time of the bed's.
            made = 0 if wire.fresh or slot.crew is not None else wire.made
            row.total.append(max(0, int((now - slot.planned) * 1e6) - made))
            row.first_byte.append(wire.first_byte)
        row.size += size
        answer.status, answer.error, answer.seconds, answer.size = status, failure, now - slot.begun, size
        if request.wants_body:
            answer.body = wire.body
        if slot.leaving:
            self._remove(slot)
            return
        planned = next(slot.ahead, None)
        if planned is None or slot.crew is not None:
            self._next(slot, now, planned)
        else:
            slot.request = planned
            self._begin(slot, now)

    def _send_batch(self) -> None:
        sample = self._watch.sample(len(self._slots), self._waiting)
        self._emit(Batch(self._tally.batch(), sample, tuple(self._left)))
        self._left.clear()

    def _close(self) -> None:
        for slot in list(self._slots.values()):
            self._remove(slot)
        for crew in self._crews.values():
            for planned in crew.plan.behind:
                self._leave(planned, crew.parted)
        self._send_batch()
        while self._orders:  # whoever waits for an answer to a late order gets it
            self._orders.popleft()(time.monotonic())
        self._network.multi.close()
        self._reactor.close()


def _count_connection(row: Row, wire: Wire) -> None:
    """The phases of a connection that was made for a request."""
    if wire.connect:
        row.connect.append(wire.connect)
    if wire.tls:
        row.tls.append(wire.tls)
