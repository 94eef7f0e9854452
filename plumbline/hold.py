"""Who uses a bed: checks hold it shared, faults hold it alone, so that a game-day and a gate never overlap."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from plumbline.places import hold_file

PASS = "PLUMBLINE_HOLD"
"""The environment variable by which the one who holds a bed alone lets a gate of its own through."""
_POLL = 0.05


class Held(Exception):
    """Another run holds the bed; the text says who, as far as is known. Exit code 12."""

    exit_code = 12


@contextmanager
def hold(bed: str, *, alone: bool = False, timeout: float = 10.0, purpose: str = "gate") -> Iterator[dict[str, str]]:
    """Holds a bed, shared or alone, until the block or the process ends; waits `timeout` seconds, then raises Held.

    Gives what to put into the environment of a gate that is to run although this one holds the bed alone.
    The kernel lets go of the lock with the process, so that a killed run leaves nothing to clean up.
    """
    if not alone and let_through(bed):
        yield {}
        return
    file = hold_file(bed)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    while (descriptor := _take(file, alone)) is None:
        if time.monotonic() >= deadline:
            raise Held(f"the bed is held by another run: {_holder(file)}")
        time.sleep(_POLL)
    token = secrets.token_hex(16)
    try:
        _sign(descriptor, alone, purpose, token)
        yield {PASS: token}
    finally:
        _let_go(descriptor, file)


def let_through(bed: str) -> bool:
    """Whether this process was started by the one who holds the bed alone, and who still does."""
    token = os.environ.get(PASS)
    if not token:
        return False
    with suppress(OSError, ValueError, KeyError):
        file = hold_file(bed)
        note = json.loads(file.read_text(encoding="utf-8"))
        if note["alone"] and secrets.compare_digest(str(note["token"]), _digest(token)):
            return _held(file)
    return False


def _held(file: Path) -> bool:
    """Whether the lock is taken: the note of a run that was killed stays behind, its lock does not."""
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


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


def _sign(descriptor: int, alone: bool, purpose: str, token: str) -> None:
    """Who holds it, for the one who waits; many may hold it shared, of whom the last is named."""
    note = {
        "pid": os.getpid(),
        "alone": alone,
        "purpose": purpose,
        "token": _digest(token),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(note).encode(), 0)


def _holder(file: Path) -> str:
    with suppress(OSError, ValueError):
        note = json.loads(file.read_text(encoding="utf-8"))
        return f"{note['purpose']} (process {note['pid']}, since {note['since']})"
    return "it did not say who it is"
