"""Runs the engine in a test: users, for so many requests, in a thread of its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from locustfiles.engine.engine import Engine
from locustfiles.engine.model import Batch, Joining, Left, Limits
from locustfiles.engine.reactor import System
from locustfiles.engine.request import Script, Settings
from plumbline.load.histogram import Histogram
from plumbline.load.result import Sample

PATIENCE = 20.0


@dataclass
class Seen:
    """All that an engine emitted, added up."""

    total: Histogram = field(default_factory=Histogram)
    phases: dict[str, Histogram] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    size: int = 0
    said: list[str] = field(default_factory=list)
    spent: str = ""

    def take(self, batch: Batch) -> None:
        """One more batch."""
        self.left += batch.left
        self.samples.append(batch.sample)
        for row in batch.rows:
            self.total.add(row.total)
            self.failures.update(row.failures)
            self.size += row.size
            for phase, histogram in row.phases.items():
                self.phases.setdefault(phase, Histogram()).add(histogram)


def drive(
    script: Callable[[], Script],
    settings: Settings | None = None,
    *,
    users: int = 1,
    limits: Limits | None = None,
    pace: float = 0.0,
    wait: Callable[[], float] | None = None,
    stop_after: float | None = None,
    system: System | None = None,
) -> Seen:
    """What users do until the limit is reached or their scripts have failed, or for `stop_after` seconds."""
    seen, left = Seen(), threading.Semaphore(0)
    engine = Engine(seen.take, limits or Limits(requests=20), system=system)

    def stopped(why: str) -> None:
        seen.said.append(why)
        left.release()

    for number in range(users):
        engine.join(Joining(number, settings or Settings(), script, "crew", pace / users, wait, stopped))
    thread = threading.Thread(target=engine.run)
    thread.start()
    if stop_after is None:
        assert all(left.acquire(timeout=PATIENCE) for _ in range(users)), "users did not end"
    else:
        left.acquire(timeout=stop_after)
    engine.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    seen.spent = engine.spent
    return seen
