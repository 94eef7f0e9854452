"""What a load run tells: times by phase, failures by class, second by second, and how the generator itself fared."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from plumbline.load.histogram import Histogram

FORMAT = 1
GENERATOR = "generator: "
"""How a class of failure begins that tells of the generator's machine and not of the bed."""
CREATED, SCHEDULED = "created", "scheduled"
"""Phases of an object, from its planned start: until the API server has answered; until it is seen to have its agent."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a generator's thread saw of itself in about half a second, or what was seen in all of several.

    `at` is Unix time. `cpu` and `queued` are shares of one processor: in which it ran, and in which it was ready to run
    while others had the processors. `lag` is the 99th percentile of how late requests were begun that were due and had a
    free user, `longest_turn` the longest time without a look at the sockets; both in seconds.
    """

    at: float
    seconds: float
    cpu: float
    queued: float
    lag: float
    longest_turn: float
    users: int
    waiting: int
    generator: str = ""


@dataclass(frozen=True, slots=True)
class Second:
    """Requests that ended within one second of the clock; the times of those answered, in microseconds."""

    at: int
    answered: int
    failed: int
    p50: int = 0
    p99: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What the processes of one purpose used on a node from the warm-up to the end of the steady phase.

    `cpu` is in processors, `memory` in bytes at the end, `received` and `sent` in bytes a second over TCP connections
    that were still open at the end. None where it was not measured; `said` has why.
    """

    purpose: str
    node: str = ""
    cpu: float | None = None
    memory: int | None = None
    received: float | None = None
    sent: float | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """What one pod of the target's service used at the end of the steady phase, in processors; None where nobody tells."""

    pod: str
    ready: bool
    cpu: float | None = None


@dataclass
class Result:
    """The steady phase of a run; `seconds` is how long it was, `total` the times of answers from their planned start.

    `phases` are parts of it, by name: connect and tls have one time for each new connection, first byte for each answer.
    Of an object that is made, `total` goes until it is fulfilled. `costs` are those of the bed, where they were measured,
    and `uses` those of single pods.
    `unanswered` has for how long requests had been due that had no answer at its end, microseconds from their plan.
    `stopped` says why it ended before its time, if it did. `declared` is a digest of what the bed file says of the load.
    """

    target: str
    began: float
    seconds: float
    users: int
    total: Histogram = field(default_factory=Histogram)
    phases: dict[str, Histogram] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    unanswered: Histogram = field(default_factory=Histogram)
    size: int = 0
    by_second: tuple[Second, ...] = ()
    generator: tuple[Sample, ...] = ()
    costs: tuple[Cost, ...] = ()
    uses: tuple[Use, ...] = ()
    stopped: str = ""
    declared: str = ""

    @property
    def answered(self) -> int:
        """Requests with a good answer."""
        return self.total.count

    @property
    def failed(self) -> int:
        """Requests without one."""
        return sum(self.failures.values())

    @property
    def own(self) -> dict[str, int]:
        """Failures that tell of the generator's machine and not of the bed, by class."""
        return {name: number for name, number in self.failures.items() if name.startswith(GENERATOR)}

    @property
    def asked(self) -> int:
        """Requests that ended and tell of the bed, answered or failed."""
        return self.answered + self.failed - sum(self.own.values())

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.answered / self.seconds if self.seconds > 0 else 0.0

    @property
    def connections(self) -> float:
        """New connections a second, their TLS handshakes ended where there is TLS."""
        made = self.phases.get("tls") or self.phases.get("connect") or Histogram()
        return made.count / self.seconds if self.seconds > 0 else 0.0

    @property
    def megabits(self) -> float:
        """Bodies received, in Mbit/s."""
        return self.size * 8 / 1e6 / self.seconds if self.seconds > 0 else 0.0

    def whole_seconds(self) -> list[int]:
        """Good answers in each second that lies in the steady phase as a whole: 0 where nothing ended, of which no row tells."""
        answered = {second.at: second.answered for second in self.by_second}
        return [answered.get(at, 0) for at in range(math.ceil(self.began), math.floor(self.began + self.seconds))]

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "format": FORMAT,
            "target": self.target,
            "began": self.began,
            "seconds": self.seconds,
            "users": self.users,
            "answered": self.answered,
            "failed": self.failed,
            "rate": self.rate,
            "connections": self.connections,
            "megabits": self.megabits,
            "total": self.total.as_dict(),
            "phases": {name: histogram.as_dict() for name, histogram in self.phases.items()},
            "failures": self.failures,
            "unanswered": self.unanswered.as_dict(),
            "size": self.size,
            "by_second": [asdict(second) for second in self.by_second],
            "generator": [asdict(sample) for sample in self.generator],
            "costs": [asdict(cost) for cost in self.costs],
            "uses": [asdict(use) for use in self.uses],
            "stopped": self.stopped,
            "declared": self.declared,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """Reads what `as_dict` wrote; ValueError where it is of another format, KeyError or TypeError where broken."""
        if data.get("format") != FORMAT:
            raise ValueError(f"a load result of format {FORMAT} was expected, found {data.get('format')!r}")
        return cls(
            **{name: data[name] for name in ("target", "began", "seconds", "users", "failures", "size", "stopped")},
            total=Histogram.from_dict(data["total"]),
            phases={name: Histogram.from_dict(histogram) for name, histogram in data["phases"].items()},
            by_second=tuple(Second(**second) for second in data["by_second"]),
            generator=tuple(Sample(**sample) for sample in data["generator"]),
            costs=tuple(Cost(**cost) for cost in data.get("costs", ())),
            uses=tuple(Use(**use) for use in data.get("uses", ())),
            declared=data.get("declared", ""),
            unanswered=Histogram.from_dict(data["unanswered"]) if "unanswered" in data else Histogram(),
        )


def write(result: Result, file: Path) -> None:
    """Writes it as JSON, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    part.write_text(json.dumps(result.as_dict()) + "\n", encoding="utf-8")
    part.replace(file)


def read(file: Path) -> Result:
    """Reads it; OSError where there is no file, ValueError, KeyError or TypeError where it is something else."""
    return Result.from_dict(json.loads(file.read_text(encoding="utf-8")))


def find(file: Path) -> Result | None:
    """The result in a file; None where there is none, or one that another version wrote."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return read(file)
    return None


def seconds_of(rows: Iterable[tuple[int, Histogram, int]]) -> tuple[Second, ...]:
    """Rows of (second, times of answers, failed), added up by second, in order of time."""
    times: dict[int, Histogram] = {}
    failed: Counter[int] = Counter()
    for at, histogram, lost in rows:
        times.setdefault(at, Histogram()).add(histogram)
        failed[at] += lost
    return tuple(_second(at, times[at], failed[at]) for at in sorted(times))


def _second(at: int, times: Histogram, failed: int) -> Second:
    if not times.counts:
        return Second(at, 0, failed)
    return Second(at, times.count, failed, times.quantile(0.5), times.quantile(0.99))
