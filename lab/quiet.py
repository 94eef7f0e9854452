"""Waiting until the machine has caught up with what was started on it; a bed on a machine that is behind looks sick.

Pressure stall information says for how much of a time something waited for a processor or for the disk
(docs.kernel.org/accounting/psi.html).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

PRESSURE = Path("/proc/pressure")
LIMIT = 30.0
CALM = 0.5
"""The share of a second in which something may wait while the machine still counts as quiet."""
_WINDOW = 1.0


def wait_quiet(progress: Callable[[str], None], limit: float = LIMIT, pressure: Path = PRESSURE) -> bool:
    """Wait until nothing waits much for the machine; False where that was not so within `limit` seconds.

    A kernel that does not measure pressure is taken for a quiet one.
    """
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        before, began = _waited(pressure), time.monotonic()
        time.sleep(_WINDOW)  # a window to measure in, not a guess at how long something takes
        took = time.monotonic() - began
        shares = {kind: (now - before[kind]) / took for kind, now in _waited(pressure).items()}
        busy = [kind for kind, share in shares.items() if share > CALM]
        if not busy:
            return True
        progress(f"the machine is behind: {', '.join(f'{kind} {100 * shares[kind]:.0f} %' for kind in busy)}")
    return False


def _waited(pressure: Path) -> dict[str, float]:
    """Seconds in which something has waited since the machine started, by what it waited for."""
    return {kind: _total(pressure / kind) for kind in ("cpu", "io") if (pressure / kind).exists()}


def _total(file: Path) -> float:
    some = file.read_text(encoding="ascii").splitlines()[0]
    return int(some.rpartition("total=")[2]) / 1e6
