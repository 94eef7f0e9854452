"""Users on plain Locust, a greenlet each, whose calls are recorded as the engine's requests are: for what is no HTTP.

A call costs some 150 µs of CPU here, where a request costs the engine 30: enough for names and jobs, not for a flood.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
from gevent import GreenletExit
from gevent.lock import Semaphore
from locust import User
from locust.exception import StopUser

from locustfiles.engine.host import Host
from locustfiles.engine.merge import merge
from locustfiles.engine.model import Batch, Left, Limits
from locustfiles.engine.plan import Plan
from locustfiles.engine.request import Settings
from locustfiles.engine.tally import Tally
from locustfiles.engine.watch import Watch
from locustfiles.failed import CallFailed

if TYPE_CHECKING:
    from locust.env import Environment

Act = Callable[[], float | None]
"""A call: it gives the seconds that it took, where it knows better than whoever waits for it; CallFailed where it fails."""
BEAT = 0.5
"""Seconds between two batches of results."""


class CallUser(User):
    """A user whose tasks make one call after the other, each by `call`.

        class Resolver(CallUser):
            @task
            def name(self):
                self.call("A", "UDP", self._ask)      # raises CallFailed("timeout: no answer")

    With a `pace` the users of a process share one plan of so many calls a second for each of them; without it a call
    follows the end of the one before. What waits in a call has to let other greenlets run, as Locust's sockets do.
    """

    abstract = True
    settings: ClassVar[Settings] = Settings()
    pace: ClassVar[float] = 0.0

    def on_start(self) -> None:
        """Takes its share in the plan."""
        Calls.of(self.environment).joined(self.pace)

    def on_stop(self) -> None:
        """Gives its share in the plan back."""
        Calls.of(self.environment).left(self.pace)

    def call(self, name: str, method: str, act: Act) -> None:
        """Makes one call when its turn has come, and counts it under its name, with its time or its class of failure."""
        Calls.of(self.environment).measure(name, method, act)


class Calls:
    """All calls of a Locust process: their plan, their times, and what the thread of all greenlets saw of itself.

    `limits` hold for each test by itself. Batches go where the engine's go: to Locust's statistics, and to listeners.
    """

    _all: ClassVar[dict[Environment, Calls]] = {}

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.limits = Limits()
        self._turn = Semaphore(1)
        self._beat: Any = None
        self._begin()
        environment.events.test_stop.add_listener(self._end)

    @classmethod
    def of(cls, environment: Environment) -> Calls:
        """The calls of this environment, made when they are first asked for."""
        found = cls._all.get(environment)
        if found is None:
            found = cls._all[environment] = cls(environment)
        return found

    def _begin(self) -> None:
        self._plan, self._tally = Plan(), Tally()
        self._pace = 0.0
        self._users = self._waiting = self._begun = 0
        self._left: list[Left] = []
        self._parted = 0.0

    @property
    def spent(self) -> bool:
        """Whether a limit is reached: no call is begun any more."""
        return self._beat is not None and (self._begun >= self.limits.requests or time.monotonic() >= self._until)

    def joined(self, pace: float) -> None:
        """A user begins; the first one begins the measuring, after Locust has forked."""
        if self._beat is None:
            self._watch, self._clock = Watch(), time.time() - time.monotonic()
            self._until = time.monotonic() + self.limits.seconds
            self._beat = gevent.spawn(self._send_for_ever)
        self._users += 1
        self._paced(pace)

    def left(self, pace: float) -> None:
        """A user has ended."""
        self._users -= 1
        self._paced(-pace)
        self._parted = time.monotonic()

    def _paced(self, more: float) -> None:
        self._pace = max(0.0, self._pace + more)
        self._plan.pace(self._pace, time.monotonic())

    def measure(self, name: str, method: str, act: Act) -> None:
        """See `CallUser.call`. A call whose user is stopped meanwhile is left: neither answered nor failed."""
        planned = self._planned() if self._pace else 0.0
        if self.spent:
            raise StopUser
        self._begun += 1
        self._waiting += 1
        failure, begun, took = "", time.monotonic(), None
        try:
            took = act()
        except CallFailed as error:
            failure = str(error)
        except GreenletExit:
            self._leave(planned or begun, time.monotonic())
            raise
        finally:
            self._waiting -= 1
        now = time.monotonic()
        row = self._tally.row((name, method), int(now + self._clock))
        if failure:
            row.failures[failure] += 1
        else:
            waited = begun - planned if planned else 0.0
            row.total.append(int((waited + (now - begun if took is None else took)) * 1e6))

    def _leave(self, planned: float, now: float) -> None:
        self._left.append(Left(now + self._clock, now - planned))

    def _planned(self) -> float:
        """Waits for the oldest start that is due; 0 where it is begun as planned, else since when it is overdue.

        One user at a time looks at the plan, and the others wait in line. What was due when no user was free counts from
        its plan. That this thread wakes up to a millisecond late is lag of the generator's, and no time of the bed's.
        """
        free_since = time.monotonic()
        with self._turn:
            while (planned := self._plan.take(time.monotonic())) is None:
                gevent.sleep(min(BEAT, max(0.0, self._plan.next - time.monotonic())))
        self._watch.lag(max(0.0, time.monotonic() - max(planned, free_since)))
        return planned if planned < free_since else 0.0

    def _send_for_ever(self) -> None:
        while True:
            due = time.monotonic() + BEAT
            gevent.sleep(BEAT)
            self._watch.turn(time.monotonic() - due)  # so late others are told of what happens to their sockets, too
            self._send()

    def _send(self) -> None:
        batch = Batch(self._tally.batch(), self._watch.sample(self._users, self._waiting), tuple(self._left))
        self._left.clear()
        merge(self.environment.stats, batch.rows)
        for listener in Host.of(self.environment).listeners:
            listener(batch)

    def _end(self, **_: Any) -> None:
        """The test is over: the last batch is taken in."""
        if self._beat is None:
            return
        self._beat.kill()
        self._beat = None
        for planned in self._plan.behind:
            self._leave(planned, self._parted)
        self._send()
        self._begin()
