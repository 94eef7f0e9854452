"""What became of each object, from its planned start, all by the clock of the client; and the result that this makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from locustfiles.kube.objects import is_fulfilled, is_scheduled
from plumbline.load.histogram import Histogram, of_microseconds
from plumbline.load.result import CREATED, SCHEDULED, Result, seconds_of

NOT_SCHEDULED, NOT_FULFILLED = "not scheduled in time", "not fulfilled in time"
Ended = tuple[float, int, str]
"""When an object came to its end (time.monotonic), after how many microseconds, and what failed, if anything."""


@dataclass(slots=True)
class Attachment:
    """One object: the moments of its stages (time.monotonic), 0 for those that have not come."""

    planned: float = 0.0
    created: float = 0.0
    scheduled: float = 0.0
    fulfilled: float = 0.0
    failure: str = ""

    def ended(self, now: float, timeout: float) -> Ended | None:
        """Its end; None while it may still be fulfilled in time. `timeout` in seconds, from the planned start."""
        if not self.planned:  # its request has no answer yet
            return None
        if self.failure:
            return self.created, 0, self.failure
        due = self.planned + timeout
        if self.planned < self.fulfilled <= due:
            return self.fulfilled, _us(self.fulfilled - self.planned), ""
        if due > now:
            return None
        return due, 0, NOT_FULFILLED if 0 < self.scheduled <= due else NOT_SCHEDULED


@dataclass
class Journal:
    """All objects of a run by name. Engine and watch write to it, each in its own thread."""

    timeout: float
    objects: dict[str, Attachment] = field(default_factory=dict)

    def expect(self, name: str) -> None:
        """An object of this name is about to be made: the watch may see it before the answer is here."""
        self.objects[name] = Attachment()

    def answered(self, name: str, planned: float, now: float, failure: str) -> None:
        """The API server has answered, or has not in time; `planned` is when the request was to start."""
        one = self.objects[name]
        one.planned, one.created, one.failure = planned, now, failure

    @property
    def any_made(self) -> bool:
        """Whether the API server has made one: then whoever watches is told of it."""
        return any(one.planned and not one.failure for one in self.objects.values())

    def seen(self, pod: dict[str, Any], now: float) -> None:
        """The watch tells of a change. Only the first sight of each stage counts."""
        one = self.objects.get(pod["metadata"]["name"])
        if one is None:
            return
        if not one.scheduled and is_scheduled(pod):
            one.scheduled = now
        if not one.fulfilled and is_fulfilled(pod):
            one.fulfilled = now

    def fill(self, result: Result, now: float, clock: float) -> None:
        """Puts what ended in the steady phase in the place of what requests alone would tell.

        `now` is time.monotonic, `clock` what has to be added to that for Unix time.
        """
        every = tuple(self.objects.values())
        ended = [end for one in every if (end := one.ended(now, self.timeout))]
        inside = [end for end in ended if result.began <= end[0] + clock < result.began + result.seconds]
        result.total = of_microseconds(us for _, us, failure in inside if not failure)
        result.failures = dict(Counter(failure for *_, failure in inside if failure))
        result.by_second = seconds_of(_rows(ended, clock))
        over = result.began + result.seconds - clock
        result.unanswered.add(
            of_microseconds(_us(over - one.planned) for one in every if self._is_open(one, now, over))
        )
        for name in (CREATED, SCHEDULED):
            moments = ((one.planned, getattr(one, name)) for one in every if not one.failure)
            result.phases[name] = of_microseconds(
                _us(moment - planned)
                for planned, moment in moments
                if 0 < planned < moment and result.began <= moment + clock < result.began + result.seconds
            )

    def _is_open(self, one: Attachment, now: float, over: float) -> bool:
        """Whether an object was asked for before the steady phase was over, and came to no end in it."""
        end = one.ended(now, self.timeout)
        return 0 < one.planned < over and (end is None or end[0] >= over)


def _rows(ended: Iterable[Ended], clock: float) -> Iterator[tuple[int, Histogram, int]]:
    for moment, us, failure in ended:
        yield int(moment + clock), Histogram() if failure else of_microseconds([us]), int(bool(failure))


def _us(seconds: float) -> int:
    return max(0, int(seconds * 1e6))
