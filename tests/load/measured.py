"""Results of runs that never were, for those who judge them."""

from __future__ import annotations

from plumbline.load.histogram import of_microseconds
from plumbline.load.result import Result, Sample, Second

CALM = Sample(at=0, seconds=0.5, cpu=0.3, queued=0.1, lag=0.0, longest_turn=0.001, users=10, waiting=3)


def result(by_second: list[int], *, failures: dict[str, int] | None = None, sample: Sample = CALM) -> Result:
    """A steady phase with so many good answers in each second, from a generator that saw this of itself.

    As the recorder makes it: of a second in which nothing ended there is none.
    """
    seconds = tuple(Second(at, number, 0) for at, number in enumerate(by_second) if number)
    times = of_microseconds([1000 + n % 1000 for n in range(sum(by_second))])
    return Result(
        "t", 0.0, len(by_second), 10, times, failures=failures or {}, by_second=seconds, generator=(sample,) * 8
    )
