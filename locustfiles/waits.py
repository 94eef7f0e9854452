"""How much of the processor time that other programs wanted they had to wait for: of a generator in many processes."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from plumbline.load.result import Sample

Times = dict[str, tuple[int, int]]
"""By thread: nanoseconds that it ran, and that it was ready to run while others had the processors."""
_SESSION = 3
"""Place of the session in /proc/PID/stat, counted behind the name of the program (proc(5))."""


class Waits:
    """Samples of all processes of a session, as `setsid` makes one."""

    def __init__(self, session: int, name: str) -> None:
        self._session, self._name = session, name
        self._since, self._before = time.monotonic(), times(session)

    def sample(self, users: int, waiting: int) -> Sample:
        """What was seen since the last sample: `cpu` of all processors, `queued` of the time in which they could run.

        A program whose parts waited for a processor half of that time has taken twice as long for what it did.
        """
        now, after = time.monotonic(), times(self._session)
        deltas = [(ran - self._had(key)[0], waited - self._had(key)[1]) for key, (ran, waited) in after.items()]
        ran, waited = sum(ran for ran, _ in deltas), sum(waited for _, waited in deltas)
        seconds = max(now - self._since, 1e-6)
        cpu = ran / 1e9 / seconds / (os.cpu_count() or 1)
        queued = waited / (ran + waited) if ran + waited else 0.0
        self._since, self._before = now, after
        return Sample(time.time(), seconds, min(1.0, cpu), queued, 0.0, 0.0, users, waiting, self._name)

    def _had(self, thread: str) -> tuple[int, int]:
        return self._before.get(thread, (0, 0))


def times(session: int) -> Times:
    """Of each thread of the session's processes; one that ends meanwhile is left out."""
    found: Times = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            behind_name = (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(behind_name[_SESSION]) != session:
                continue
            for thread in (process / "task").iterdir():
                ran, waited, _ = (thread / "schedstat").read_text(encoding="ascii").split()
                found[thread.name] = int(ran), int(waited)
    return found
