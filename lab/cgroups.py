"""The cgroups of a lab's machines: below `/plumbline/<bed>` in each hierarchy, of version 1, 2 or both."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from plumbline.cgroup import processes

ROOT = Path("/sys/fs/cgroup")
WEIGHT = 8
"""How many ordinary processes the machines of a bed weigh together when the processor is short.

A cgroup weighs as much as one process by itself: a whole bed would get as little as one of a gate's workers.
"""
_CPU = {"cpu.shares": 1024, "cpu.weight": 100}


def parent(bed: str) -> str:
    """The cgroup below which every machine of the bed has its own."""
    return f"/plumbline/{bed}"


def weigh(bed: str) -> None:
    """Give the machines of the bed, which must be there, the share of the processor that a bed needs to answer."""
    for folder in _trees(bed):
        for file, ordinary in _CPU.items():
            if (weight := folder.parent / file).exists():
                weight.write_text(f"{WEIGHT * ordinary}\n")


def kill(bed: str) -> None:
    """End every process in the cgroups of the bed: what its machines and their supervisors may have left."""
    for pid in _processes(bed):
        _end(pid)


def folders(bed: str) -> list[Path]:
    """Where the processes of the bed's machines are listed; none while no machine of it was ever started."""
    return sorted(_trees(bed))


def alive(bed: str) -> bool:
    """Whether any process of the bed's machines runs; without one, what is there are the remains of a lab."""
    return any(_processes(bed))


def remove(bed: str, deadline: float) -> None:
    """Remove the cgroups of the bed, as soon as the last process has left them; `deadline` as of `time.monotonic()`."""
    while True:
        left = list(_trees(bed))
        for folder in left:
            for place, _, _ in os.walk(folder, topdown=False):
                _rmdir(Path(place))
            _rmdir(folder.parent)
        if not left or time.monotonic() > deadline:
            return
        time.sleep(0.02)


def _processes(bed: str) -> Iterator[int]:
    """The processes of the bed, some of them in each hierarchy, and so more than once."""
    for folder in _trees(bed):
        yield from processes(folder)


def _trees(bed: str) -> Iterator[Path]:
    """The bed's folder in each hierarchy: the one of version 2 at the root, those of version 1 one level below."""
    for hierarchy in (ROOT, *ROOT.iterdir()):
        folder = hierarchy / parent(bed).lstrip("/")
        if folder.is_dir():
            yield folder


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _rmdir(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
