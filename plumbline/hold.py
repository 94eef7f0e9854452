"""Who uses a bed: checks hold it shared, faults hold it alone, so that a game-day and a gate never overlap."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from plumbline.places import hold_file

_POLL = 0.05


class Held(Exception):
    """Another run holds the bed; the text says who, as far as is known. Exit code 12."""

    exit_code = 12


@contextmanager
def hold(bed: str, *, alone: bool = False, timeout: float = 10.0, purpose: str = "gate") -> Iterator[None]:
    """Holds a bed, shared or alone, until the block or the process ends; waits `timeout` seconds, then raises Held.

    The kernel lets go of the lock with the process, so that a killed run leaves nothing to clean up.
    """
    file = hold_file(bed)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    while (descriptor := _take(file, alone)) is None:
        if time.monotonic() >= deadline:
            raise Held(f"the bed is held by another run: {_holder(file)}")
        time.sleep(_POLL)
    try:
        _sign(descriptor, alone, purpose)
        yield
    finally:
        _let_go(descriptor, file)


def _take(file: Path, alone: bool) -> int | None:
    """The locked file, or None where somebody has it, or has just removed it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(file)):
            return descriptor
    os.close(descriptor)
    return None


def _let_go(descriptor: int, file: Path) -> None:
    """The last to leave removes the file; it may only do so while nobody else has it."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.unlink()
    os.close(descriptor)


def _sign(descriptor: int, alone: bool, purpose: str) -> None:
    """Who holds it, for the one who waits; many may hold it shared, of whom the last is named."""
    note = {
        "pid": os.getpid(),
        "alone": alone,
        "purpose": purpose,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(note).encode(), 0)


def _holder(file: Path) -> str:
    with suppress(OSError, ValueError):
        note = json.loads(file.read_text(encoding="utf-8"))
        return f"{note['purpose']} (process {note['pid']}, since {note['since']})"
    return "it did not say who it is"
