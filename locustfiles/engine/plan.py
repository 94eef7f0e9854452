"""When requests are to start: an open loop's plan, anchored once, that no slow answer moves."""

from __future__ import annotations

import math
from collections import deque


class Plan:
    """Starts at an even pace; times are those of `time.monotonic`, in seconds.

    What was planned and not begun stays planned: `take` gives the oldest first, and whoever starts it counts its time
    from then. A change of pace leaves the past as it was planned.
    """

    def __init__(self) -> None:
        self._gap = math.inf
        self._next = math.inf
        self._behind: deque[float] = deque()

    @property
    def next(self) -> float:
        """When the oldest start is due that nobody has taken; infinite where none is planned."""
        return self._behind[0] if self._behind else self._next

    @property
    def behind(self) -> tuple[float, ...]:
        """Starts that were due at the last change of pace, and that nobody has taken."""
        return tuple(self._behind)

    def pace(self, per_second: float, now: float) -> None:
        """Plans so many starts a second from now on, 0 for none."""
        while self._next <= now:
            self._behind.append(self._next)
            self._next += self._gap
        before, self._gap = self._gap, 1 / per_second if per_second > 0 else math.inf
        if math.isinf(self._gap):
            self._next = math.inf
        elif math.isinf(before):
            self._next = now
        else:
            self._next = now + (self._next - now) * self._gap / before

    def take(self, now: float) -> float | None:
        """The oldest planned start that is due, or None; it is nobody else's from then on."""
        if self._behind:
            return self._behind.popleft()
        if self._next > now:
            return None
        due = self._next
        self._next += self._gap
        return due
