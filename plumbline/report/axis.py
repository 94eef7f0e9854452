"""What charts over time share: how wide they are, their columns, and where the ticks of their axis stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 900
"""Of the plot, in pixels."""
_MOST_TICKS = 12


@dataclass(frozen=True)
class Column:
    """Requests in a short time: the heights of those that succeeded and of those that did not."""

    x: float
    width: float
    good: float
    lost: float
    said: str


def ticks(seconds: float, steps: Sequence[int]) -> range:
    """Where ticks stand, in seconds: by the first of `steps` that gives no more than twelve, or by the last."""
    step = next((step for step in steps if seconds / step <= _MOST_TICKS), steps[-1])
    return range(0, int(seconds) + 1, step)
