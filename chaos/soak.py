"""`python -m chaos soak`: random experiments for hours, one every few minutes, and what they leave behind.

Each is a process of its own, which asks the gate before and after. Between them the machine and the bed are measured: what
grows from the first measurement to the last is a leak.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.choose import Lacks
from chaos.declared import EXPERIMENTS, files, load
from chaos.reach import Reach
from chaos.run import NotOfThisBed
from chaos.session import allowed
from plumbline.bed import Bed
from plumbline.bed import load as load_bed
from plumbline.report.files import write_atomically

if TYPE_CHECKING:
    from argparse import _SubParsersAction

PASSED, FAILED = 0, 1
LIMIT = 1800.0
MOST = {"memory": 0.15, "files": 0.15, "processes": 0.05, "mounts": 0.0, "namespaces": 0.0, "pods": 0.0}
"""By how much of what it was each figure may have grown at the end; a log that is read anew, a cache that has filled."""
_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Figures:
    """What a leak would make larger: MiB in use, open files, processes, mounts and namespaces of this machine; pods."""

    memory: int
    files: int
    processes: int
    mounts: int
    namespaces: int
    pods: int


def measured(bed: Bed) -> Figures:
    """The figures now."""
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    used = (int(memory["MemTotal"].split()[0]) - int(memory["MemAvailable"].split()[0])) >> 10
    named = Path("/run/netns")
    pods = 0
    if bed.kubernetes is not None:
        with Reach(bed) as reach:
            pods = len((reach.get("/api/v1/pods") or {"items": []})["items"])
    return Figures(
        memory=used,
        files=int(Path("/proc/sys/fs/file-nr").read_text().split()[0]),
        processes=sum(entry.name.isdigit() for entry in Path("/proc").iterdir()),
        mounts=len(Path("/proc/self/mounts").read_text().splitlines()),
        namespaces=len(list(named.iterdir())) if named.is_dir() else 0,
        pods=pods,
    )


def grown(first: Figures, last: Figures) -> list[str]:
    """What has grown by more than it may, in sentences."""
    return [
        f"{name}: {before} at first, {after} at last"
        for name, before in asdict(first).items()
        if (after := getattr(last, name)) > before * (1 + MOST[name])
    ]


def add(
    subparsers: _SubParsersAction[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
    seconds: Callable[[str], float],
) -> None:
    """Adds the command `soak` to the parser of `python -m chaos`; it sets `run`, which returns the exit code."""
    parser = subparsers.add_parser(
        "soak", parents=[common], help="random experiments for hours; what do they leave behind?"
    )
    parser.add_argument("experiment", nargs="*", help="of these only; default: all that the bed has all for")
    parser.add_argument("--time", type=seconds, default=7200.0, metavar="TIME", help="default: 2h")
    parser.add_argument("--every", type=seconds, default=120.0, metavar="TIME", help="default: 2m")
    parser.add_argument("--seed", type=int, help="the same experiments again")
    parser.add_argument("--report-dir", type=Path, default=Path("reports/soak"), metavar="DIR")
    parser.set_defaults(
        run=lambda told: command(load_bed(told.bed), told.experiment, told.time, told.every, told.seed, told.report_dir)
    )


def command(bed: Bed, names: Sequence[str], seconds: float, every: float, seed: int | None, folder: Path) -> int:  # noqa: PLR0917
    """Runs experiments until the time is over, each begun `every` seconds after the last, or at its end; the exit code."""
    allowed(bed)
    chosen = list(names) or suitable(bed)
    if not chosen:
        raise NotOfThisBed(f"the bed {bed.bed} has all for none of the experiments in {EXPERIMENTS.name}/")
    number = random.randrange(1 << 32) if seed is None else seed
    names_dealt, end = dealt(random.Random(number), chosen), time.monotonic() + seconds
    print(f"{len(chosen)} experiments, for {seconds / 60:.0f} min, seed {number}", flush=True)
    runs, figures, worst = list[dict[str, object]](), [measured(bed)], PASSED
    try:
        while (begun := time.monotonic()) < end:
            name = next(names_dealt)
            code, said = _run(bed, name, folder)
            figures.append(measured(bed))
            runs.append({"experiment": name, "exit_code": code, "said": said, "figures": asdict(figures[-1])})
            print(f"{len(runs):3}  {(end - time.monotonic()) / 60:4.0f} min left  {said}", flush=True)
            worst = max(worst, code if code >= 0 else FAILED)  # below: the number of the signal that killed it
            if code not in (PASSED, FAILED):
                break
            time.sleep(max(0.0, min(end, begun + every) - time.monotonic()))
    except KeyboardInterrupt:  # what was measured so far counts; whether anything is still in, the caller tells
        _told(bed, number, runs, figures, folder)
        raise
    leaks = _told(bed, number, runs, figures, folder)
    return worst or (FAILED if leaks else PASSED)


def dealt(dice: random.Random, names: Sequence[str]) -> Iterator[str]:
    """Names in random order without end, each once before any comes again: two hours of dice leave one in ten out."""
    while True:
        yield from dice.sample(names, len(names))


def _told(bed: Bed, seed: int, runs: list[dict[str, object]], figures: list[Figures], folder: Path) -> list[str]:
    """Writes and says what there is so far; what has grown."""
    # the first experiment fills caches that stay: growth counts from there
    leaks = grown(figures[1] if len(figures) > 2 else figures[0], figures[-1])
    failed = sum(run["exit_code"] != PASSED for run in runs)
    told = {"bed": bed.bed, "seed": seed, "first": asdict(figures[0]), "leaks": leaks, "runs": runs}
    write_atomically(folder / "soak.json", json.dumps(told, indent=1) + "\n")
    print("\n".join(f"  grown  {leak}" for leak in leaks), end="\n" if leaks else "")
    print(f"{len(runs)} experiments, {failed} failed, {len(leaks)} figures grown · {folder / 'soak.json'}")
    return leaks


def suitable(bed: Bed) -> list[str]:
    """Experiments that this bed has all for."""
    found = []
    for file in files():
        try:
            load(file, bed)
        except Lacks:
            continue
        found.append(file.stem)
    return found


def _run(bed: Bed, name: str, folder: Path) -> tuple[int, str]:
    argv = [sys.executable, "-m", "chaos", "run", name, "--bed", str(bed.path.resolve())]
    try:
        done = subprocess.run(
            [*argv, "--report-dir", str(folder.resolve())], cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return FAILED, f"FAILED · {name} · it did not end within {LIMIT / 60:.0f} min"
    said = done.stdout.strip() or done.stderr.strip()[-300:]
    return done.returncode, said
