"""What a running lab takes of the machine: memory and processor time, asked of its cgroups and of /proc."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab import cgroups, machine
from lab.errors import LabError

_TICKS = os.sysconf("SC_CLK_TCK")
_INTERPRETERS = ("python", "node", "sh", "bash", "perl")
SHORT_LIVED = "processes that began and ended meanwhile"


@dataclass(frozen=True)
class Memory:
    """Bytes of all processes of a lab: `pss` shares what is shared; `own` is the cgroup's, without page cache."""

    pss: int
    own: int
    processes: int


@dataclass(frozen=True)
class Process:
    """A process of a lab: what it is called (`ucs-1 kubelet`) and the processor seconds that it has used."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Cpu:
    """Processor time in per cent of one core: of the whole lab, and of each program of each node, dearest first."""

    percent: float
    programs: dict[str, float]


def memory(bed: str) -> Memory:
    """The memory that the lab has in use now; `LabError` where it is not up."""
    members = [pid for pid, _ in _pids(bed)]
    return Memory(sum(map(_pss, members)), _without_cache(_tree(bed, "memory")), len(members))


def cpu(bed: str, nodes: list[str], seconds: float) -> Cpu:
    """What the lab uses of one core over `seconds`; the cgroup also counts what ended meanwhile."""
    homes = _homes(bed, nodes)
    before, used, began = _processes(bed, homes), _used(bed), time.monotonic()
    time.sleep(seconds)
    took, spent = time.monotonic() - began, _used(bed) - used
    programs: dict[str, float] = defaultdict(float)
    for pid, process in _processes(bed, homes).items():
        earlier = before.get(pid)
        same = earlier is not None and earlier.seconds <= process.seconds
        programs[process.name] += process.seconds - (earlier.seconds if same and earlier else 0.0)
    # The kernel counts processes in ticks and cgroups in nanoseconds; the difference is never shown as negative.
    programs[SHORT_LIVED] = max(0.0, spent - sum(programs.values()))
    dearest = sorted(programs.items(), key=lambda entry: -entry[1])
    return Cpu(100 * spent / took, {name: 100 * value / took for name, value in dearest})


def _tree(bed: str, controller: str) -> Path:
    """The bed's cgroup in the hierarchy of a controller, of version 1 or 2."""
    below = cgroups.parent(bed).lstrip("/")
    for folder in (cgroups.ROOT / controller / below, cgroups.ROOT / below):
        if folder.is_dir():
            return folder
    raise LabError(f"bed {bed} has no cgroup: its lab is not up", remedy="python -m lab up")


def _used(bed: str) -> float:
    """Processor seconds that the lab has used since it came up."""
    folder = _tree(bed, "cpuacct")
    old = folder / "cpuacct.usage"
    if old.exists():
        return int(old.read_text()) / 1e9
    return _stat(folder / "cpu.stat")["usage_usec"] / 1e6


def _without_cache(folder: Path) -> int:
    """Anonymous memory, files of tmpfs and the kernel's own for the lab, in bytes."""
    stat = _stat(folder / "memory.stat")
    if "total_rss" not in stat:
        return stat["anon"] + stat["shmem"] + stat.get("kernel", stat.get("slab", 0))
    kernel = folder / "memory.kmem.usage_in_bytes"
    return stat["total_rss"] + stat.get("total_shmem", 0) + (int(kernel.read_text()) if kernel.exists() else 0)


def _stat(file: Path) -> dict[str, int]:
    pairs = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def _pids(bed: str) -> Iterator[tuple[int, str]]:
    """Every process of the lab, and the first folder below the bed's cgroup that it is in."""
    top = _tree(bed, "cpuacct")
    for place, _, files in os.walk(top):
        if "cgroup.procs" in files:
            parts = Path(place).relative_to(top).parts
            with suppress(OSError):
                for pid in (Path(place) / "cgroup.procs").read_text().split():
                    yield int(pid), parts[0] if parts else ""


def _homes(bed: str, nodes: list[str]) -> dict[str, str]:
    """Cgroup folder of a machine → its name."""
    top, homes = cgroups.parent(bed), {}
    for node in nodes:
        with suppress(LabError, OSError):
            for line in Path(f"/proc/{machine.leader(bed, node)}/cgroup").read_text().splitlines():
                path = line.split(":", 2)[2]
                if path.startswith(f"{top}/"):
                    homes[path.removeprefix(f"{top}/").split("/")[0]] = node
    return homes


def _processes(bed: str, homes: dict[str, str]) -> dict[int, Process]:
    found = {}
    for pid, home in _pids(bed):
        with suppress(OSError, ValueError):
            head, _, tail = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
            fields = tail.split()
            words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
            name = f"{homes.get(home, home)} {program(head.partition('(')[2], words)}"
            found[pid] = Process(name, (int(fields[11]) + int(fields[12])) / _TICKS)
    return found


def program(name: str, words: list[str]) -> str:
    """What a process is called: its script where it is an interpreter's, else its program.

    >>> program("python3", ["python3", "-IS", "/programs/agent.py"])
    'agent.py'
    """
    called = Path(words[0].split(" ")[0].rstrip(":")).name if words and words[0] else name
    if called.startswith(_INTERPRETERS):
        scripts = [word for word in words[1:] if word and not word.startswith("-")]
        return Path(scripts[0]).name if scripts and "/" in scripts[0] else called
    return called


def _pss(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
