"""Times as a histogram that is fine where a few microseconds matter, and small enough to be sent twice a second."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_STEPS = ((10_000, 10), (100_000, 100), (1_000_000, 1_000), (math.inf, 10_000))
"""Below so many microseconds a key is a multiple of so many: 0.01 ms below 10 ms, 0.1 ms below 100 ms, then 1 %."""
CONFIDENCE = 1.96
"""Standard deviations of a normal distribution that hold 95 % of it."""
TAIL = 0.025
"""What is left of it on either side."""


def needed(share: float) -> int:
    """How many times it takes until the largest is, with 95 % confidence, beyond this quantile: 6 for p50, 368 for p99."""
    return math.ceil(math.log(TAIL) / math.log(share))


@dataclass(slots=True)
class Histogram:
    """Counts by time; keys are microseconds, rounded as `key` says. `total` is the sum of the unrounded times."""

    counts: dict[int, int] = field(default_factory=dict)
    total: int = 0
    least: int = 0
    largest: int = 0

    @property
    def count(self) -> int:
        """How many times it holds."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float:
        """In microseconds; 0 where it is empty."""
        count = self.count
        return self.total / count if count else 0.0

    def add(self, other: Histogram) -> None:
        """Takes over all that another one holds."""
        if not other.counts:
            return
        self.least = min(self.least, other.least) if self.counts else other.least
        self.largest = max(self.largest, other.largest)
        self.total += other.total
        for key, number in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + number

    def beyond(self, microseconds: float) -> Histogram:
        """What of it is longer than this."""
        counts = {key: number for key, number in self.counts.items() if key > microseconds}
        if not counts:
            return Histogram()
        return Histogram(counts, sum(key * number for key, number in counts.items()), min(counts), self.largest)

    def quantile(self, share: float) -> int:
        """The time in microseconds that this share (0 to 1) of all kept to; ValueError where it is empty."""
        return self._at(max(1, math.ceil(share * self.count)))

    def interval(self, share: float) -> tuple[float, float]:
        """Where the quantile lies with a confidence of 95 %, by the ranks of a binomial distribution.

        An end that so few times cannot tell is 0, or infinite: fifty have no 99th percentile that anybody knows. It takes
        each time as independent of the others, as they nearly are between users. ValueError where it is empty.
        """
        count = self.count
        spread = CONFIDENCE * math.sqrt(count * share * (1 - share))
        low, high = math.floor(share * count - spread), math.ceil(share * count + spread) + 1
        least = self._at(max(1, low)) if low >= 1 or count >= needed(1 - share) else 0
        if high <= count:
            return least, self._at(high)
        return least, self.largest if count >= needed(share) else math.inf

    def _at(self, rank: int) -> int:
        seen = 0
        for key in sorted(self.counts):
            seen += self.counts[key]
            if seen >= rank:
                return key
        raise ValueError("a quantile of nothing")

    def as_dict(self) -> dict[str, object]:
        """As JSON holds it."""
        counts = {str(key): self.counts[key] for key in sorted(self.counts)}
        return {"counts": counts, "total": self.total, "least": self.least, "largest": self.largest}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Histogram:
        """Reads what `as_dict` wrote; KeyError, TypeError or ValueError where it is something else."""
        counts = data["counts"]
        if not isinstance(counts, Mapping):
            raise TypeError("counts by time were expected")
        total, least, largest = (int(str(data[name])) for name in ("total", "least", "largest"))
        return cls({int(key): int(number) for key, number in counts.items()}, total, least, largest)


def key(microseconds: int) -> int:
    """The key of a time: it, rounded to a step that grows with it and stays below 1 % from 1 ms on."""
    step = next(step for below, step in _STEPS if microseconds < below)
    return round(microseconds / step) * step


def of_microseconds(times: Iterable[int]) -> Histogram:
    """The histogram of whole microseconds."""
    exact = list(times)
    if not exact:
        return Histogram()
    finest = _STEPS[0][1]
    # Counted in C first, so that what is rounded in Python are the few keys and not the many times.
    counted = Counter([(time + finest // 2) // finest for time in exact])
    counts: dict[int, int] = {}
    for tens, number in counted.items():
        rounded = key(tens * finest)
        counts[rounded] = counts.get(rounded, 0) + number
    return Histogram(counts, sum(exact), min(exact), max(exact))
