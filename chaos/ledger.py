"""The ledger: what would bring a bed back, on disk before the bed is changed, so that whoever comes next can do it.

One JSON file a session, 0600 in a folder 0700. It is signed with a key of that folder: an undo runs as an administrator
of the bed, and does only what plumbline itself wrote for this bed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from chaos.call import Call
from plumbline import namespace, places
from plumbline.bed import Bed

_KEY, _LOCK = ".key", ".lock"
LOCK_LIMIT = 120.0
"""Seconds to wait for another process that is undoing."""


class Refused(Exception):
    """An entry that must not be undone blindly: altered, of another bed, or not to be read. Exit code 11."""

    exit_code = 11


class Entry(BaseModel):
    """One session's faults. `undo` is in the order to make the calls: the last fault's first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    bed: str
    identity: str
    fault: str
    since: str
    pid: int
    started: str
    host: str
    time_to_live: float
    state: Literal["open", "failed"] = "open"
    error: str = ""
    undo: tuple[dict[str, Any], ...] = ()

    def calls(self) -> list[Call]:
        """The calls that bring the bed back."""
        return [Call.of(written) for written in self.undo]

    def alive(self) -> bool:
        """Whether the process that put the fault in still runs, on this machine and since the same start."""
        return self.host == socket.gethostname() and bool(self.started) and started(self.pid) == self.started

    def __str__(self) -> str:
        who = f"process {self.pid} on {self.host}{'' if self.alive() else ', which is gone'}"
        return (
            f"{self.id}: {self.fault} in {self.bed} since {self.since} ({who}){f': {self.error}' if self.error else ''}"
        )


def new(bed: Bed, fault: str, time_to_live: float) -> Entry:
    """An entry of this process with nothing to undo yet; not written."""
    moment = datetime.now(UTC)
    return Entry(
        id=f"{moment:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
        bed=bed.bed,
        identity=identity(bed),
        fault=fault,
        since=moment.isoformat(timespec="seconds"),
        pid=os.getpid(),
        started=started(os.getpid()),
        host=socket.gethostname(),
        time_to_live=time_to_live,
    )


def identity(bed: Bed) -> str:
    """What tells this bed from another of its name: a lab by its making, hardware by its nodes and their addresses."""
    told = [f"{name}={node.oobi}" for name, node in sorted(bed.nodes.items())]
    if bed.realised_by == "lab":
        with suppress(OSError):
            made = namespace.path_of(f"{bed.bed}-runner").stat()
            told.append(f"{boot()}:{made.st_dev}:{made.st_ino}:{made.st_ctime_ns}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


def gone(bed: Bed) -> bool:
    """Whether the bed is a lab that is not there: whatever was broken in it went with it."""
    return bed.realised_by == "lab" and not namespace.path_of(f"{bed.bed}-runner").exists()


def write(entry: Entry) -> None:
    """Puts an entry on disk, whole or not at all, and returns when the disk has it."""
    folder = _folder(entry.bed)
    body = entry.model_dump(mode="json")
    text = json.dumps({**body, "signature": _signature(folder, body)}, indent=1)
    part = folder / f".{entry.id}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:  # all of it: a disk that is nearly full takes a part without a word
        file.write(text.encode())
        file.flush()
        os.fsync(descriptor)
    part.rename(folder / f"{entry.id}.json")
    _sync(folder)


def remove(entry: Entry) -> None:
    """Takes an entry away; one that is gone is fine."""
    file = places.ledger(entry.bed) / f"{entry.id}.json"
    file.unlink(missing_ok=True)
    _sync(file.parent)


def exists(entry: Entry) -> bool:
    """Whether the entry is still there: whoever undoes it takes it away."""
    return (places.ledger(entry.bed) / f"{entry.id}.json").exists()


def read(bed: Bed, file: Path) -> Entry:
    """An entry of this bed, as plumbline wrote it; Refused says what is wrong with any other."""
    by_hand = f"see `python -m chaos ledger show {file.stem}`, mend the bed by hand, then `ledger forget {file.stem}`"
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        signature = told.pop("signature", "")
        entry = Entry.model_validate(told)
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        raise Refused(f"{file.stem}: the entry cannot be read ({type(error).__name__})\nremedy: {by_hand}") from None
    if not hmac.compare_digest(str(signature), _signature(file.parent, told)):
        raise Refused(f"{file.stem}: the entry was altered since it was written\nremedy: {by_hand}")
    if entry.id != file.stem:
        raise Refused(f"{file.stem}: the entry calls itself {entry.id}\nremedy: {by_hand}")
    if entry.bed != bed.bed or entry.identity != identity(bed):
        raise Refused(
            f"{file.stem}: the entry belongs to another bed ({entry.bed} as it was at {entry.since})\nremedy: {by_hand}"
        )
    return entry


def sweep(bed: str) -> None:
    """Removes what writers that were killed, and watchdogs of entries that are gone, left beside the entries."""
    folder = places.ledger(bed)
    if not folder.is_dir():
        return
    with locked(bed):
        for part in (
            *folder.glob(".*.part"),
            *(log for log in folder.glob("*.log") if not log.with_suffix(".json").exists()),
        ):
            part.unlink(missing_ok=True)


@contextmanager
def locked(bed: str, limit: float = LOCK_LIMIT) -> Iterator[None]:
    """Only one process changes entries, or undoes them, at a time. Refused after `limit` seconds."""
    lock = FileLock(_folder(bed) / _LOCK, mode=0o600)
    try:
        lock.acquire(timeout=limit, poll_interval=0.05)
    except Timeout:
        raise Refused(f"another process has been undoing in the bed {bed} for {limit:.0f} s") from None
    try:
        yield
    finally:
        lock.release()


def boot() -> str:
    """The kernel's name for its run since the machine was started."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def started(pid: int) -> str:
    """What tells a process from a later one of the same number; empty where it is gone, or only its corpse is left."""
    try:
        fields = Path("/proc", str(pid), "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot()}:{fields[19]}"


def _folder(bed: str) -> Path:
    folder = places.ledger(bed)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")
    folder.chmod(0o700)
    return folder


def _signature(folder: Path, body: dict[str, Any]) -> str:
    told = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(_key(folder), told, hashlib.sha256).hexdigest()


def _key(folder: Path) -> bytes:
    """Made once a ledger; the one who is first to link it in place wins."""
    file = folder / _KEY
    if not file.exists():
        part = folder / f"{_KEY}.{os.getpid()}"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(32))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with suppress(FileExistsError):
            os.link(part, file)
        part.unlink()
    return file.read_bytes()


def _sync(folder: Path) -> None:
    with suppress(FileNotFoundError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
