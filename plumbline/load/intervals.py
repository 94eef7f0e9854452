"""In which interval the truth lies with 95 % confidence: of a mean of seconds, and of a share."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

from plumbline.load.histogram import CONFIDENCE, TAIL

_T = (
    12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23,
    2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09, 2.09,
)  # fmt: skip
"""Student's t for 95 %, two-sided, by degrees of freedom; beyond the last the normal distribution is near enough."""
_FEW = 100


def by_second(counts: Sequence[int]) -> tuple[float, float, float]:
    """The mean of the seconds and its interval, by Student's t; infinitely wide for fewer than two seconds."""
    if not counts:
        return 0.0, 0.0, math.inf
    mean = statistics.fmean(counts)
    if len(counts) < 2:
        return 0.0, mean, math.inf
    freedom = len(counts) - 1
    spread = (_T[freedom - 1] if freedom <= len(_T) else CONFIDENCE) * statistics.stdev(counts) / math.sqrt(len(counts))
    return mean - spread, mean, mean + spread


def proportion(hits: int, every: int) -> tuple[float, float]:
    """The interval of a share: of few hits by Poisson's distribution, which is exact where they are rare, else Wilson's."""
    if hits <= _FEW:
        low = _root(lambda mean: 1 - _at_most(hits - 1, mean), hits) if hits else 0.0
        high = _root(lambda mean: 1 - _at_most(hits, mean), 2 * hits + 10, share=1 - TAIL)
        return low / every, min(1.0, high / every)
    share, z2 = hits / every, CONFIDENCE * CONFIDENCE
    centre = (share + z2 / (2 * every)) / (1 + z2 / every)
    spread = CONFIDENCE / (1 + z2 / every) * math.sqrt(share * (1 - share) / every + z2 / (4 * every * every))
    return max(0.0, centre - spread), min(1.0, centre + spread)


def _at_most(hits: int, mean: float) -> float:
    """The probability of at most so many hits where so many are expected (Poisson)."""
    term = total = math.exp(-mean)
    for number in range(1, hits + 1):
        term *= mean / number
        total += term
    return total


def _root(rising: Callable[[float], float], above: float, share: float = TAIL) -> float:
    """Where a rising function of a mean reaches a share, between 0 and `above`."""
    low, high = 0.0, float(above)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < share else (low, middle)
    return high
