"""The generator looks at itself: how much of the time its thread ran, waited for a processor, or was late."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from plumbline.load.result import Sample

_SCHEDULED = Path("/proc/thread-self/schedstat")


class Watch:
    """Samples of the thread that made it."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._cpu = time.thread_time()
        self._queued = _queued()
        self._lags: list[float] = []
        self._longest = 0.0

    def lag(self, seconds: float) -> None:
        """A request was started so much later than it could have been: it was due, and a user was free."""
        self._lags.append(seconds)

    def turn(self, seconds: float) -> None:
        """So long the loop was busy before it looked at its sockets again."""
        self._longest = max(self._longest, seconds)

    def sample(self, users: int, waiting: int) -> Sample:
        """What was seen since the last sample; `users` are those in the engine, `waiting` those without an answer yet."""
        now, cpu, queued = time.monotonic(), time.thread_time(), _queued()
        seconds = max(now - self._since, 1e-6)
        lags = sorted(self._lags)
        sample = Sample(
            at=time.time(),
            seconds=seconds,
            cpu=(cpu - self._cpu) / seconds,
            queued=(queued - self._queued) / seconds,
            lag=lags[int(len(lags) * 0.99)] if lags else 0.0,
            longest_turn=self._longest,
            users=users,
            waiting=waiting,
        )
        self._since, self._cpu, self._queued, self._longest = now, cpu, queued, 0.0
        self._lags.clear()
        return sample


def _queued() -> float:
    """Seconds that this thread was ready to run while others had the processors; 0 where the kernel does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(_SCHEDULED.read_text(encoding="ascii").split()[1]) / 1e9
    return 0.0
