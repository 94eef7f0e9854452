"""`python -m chaos torture`: runners are killed at random moments, and each time the bed must be as it was before.

Every fifth time the watchdog is killed too, so that the next command has to undo what is left.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from chaos import ledger
from chaos.call import Call
from chaos.fault import Fault, find
from chaos.reach import Reach
from chaos.session import NoEffect
from chaos.undo import until
from plumbline import places
from plumbline.bed import Bed, load

_ROOT = Path(__file__).resolve().parents[1]
_BED = """version: 1
bed: {name}
realised_by: hardware
allow: {{chaos: true}}
nodes:
  scratch: {{role: scratch, ssh: false}}
networks:
  none: {{cidr: 192.0.2.0/24}}
"""
_FAULT = """fault: scratch
stands_for: no document; a file of the temporary folder
summary: three files are not as they were
layer: host
subject: "node:scratch"
inject:
  - scratch.file: {{path: {folder}/one, text: changed, seconds: 0.05}}
  - scratch.file: {{path: {folder}/two, text: changed, seconds: 0.05}}
  - scratch.file: {{path: {folder}/one, text: null}}
red: [host.none]
time_to_live: 20s
"""
_STAYS = 0.3
_SPARE = 10.0
_EVERY = 5
_EARLY = 0.1
_HEALTHY_LIMIT = 180.0


@dataclass
class Counts:
    """What has come of it so far."""

    killed: int = 0
    restored: int = 0
    by_watchdog: int = 0
    by_command: int = 0
    untouched: int = 0
    longest: float = 0.0


def command(bed: Bed | None, names: Sequence[str], times: int, seed: int | None) -> int:
    """Kills `times` runners; prints a line each and the counts last. 0 where all was restored, else 11."""
    dice = random.Random(seed)
    if bed is not None:
        return torture(bed, [find(name, bed) for name in names], times, dice)
    with _scratch() as (made, fault):
        return torture(made, [fault], times, dice)


def torture(bed: Bed, faults: Sequence[Fault], times: int, dice: random.Random) -> int:
    """Injects the faults in turn, and kills each runner at a random moment, most between their first entry and their end."""
    counts = Counts()
    with Reach(bed) as reach:
        moments = {fault.fault: _moments(bed, fault) for fault in faults}
        attempts = 0
        while counts.killed < times and attempts < times * 3 + 10:
            fault = faults[attempts % len(faults)]
            attempts += 1
            first, rest = moments[fault.fault]
            early = dice.random() < _EARLY
            moment = dice.uniform(0, first if early else rest)
            if line := _kill(bed, reach, fault, moment, counts, early=early):
                print(line, flush=True)
            else:  # it was quicker than the one that was measured
                moments[fault.fault] = (first, rest * 0.9)
    left = counts.killed - counts.restored
    print(
        f"undone by the watchdog: {counts.by_watchdog}, by the next command: {counts.by_command}, "
        f"killed before anything was in or after it was out: {counts.untouched}; longest {counts.longest:.1f} s"
    )
    print(f"{counts.killed} killed, {counts.restored} restored, {left} left")
    return 0 if not left and counts.killed >= times else ledger.Refused.exit_code


def _kill(bed: Bed, reach: Reach, fault: Fault, moment: float, counts: Counts, *, early: bool) -> str:
    """One runner, killed so long after its first entry (`early`: after its start); a line of it, empty if it ended."""
    before = _as_it_is(bed, reach, fault)
    runner = _start(bed, fault)
    while not early and runner.poll() is None and not places.leftovers(bed.bed):
        time.sleep(0.002)
    with suppress(subprocess.TimeoutExpired):
        runner.wait(moment)
        return ""
    entries = places.leftovers(bed.bed)
    watchdog = _child(runner.pid) if counts.killed % _EVERY == _EVERY - 1 else None
    runner.kill()
    runner.wait()
    if watchdog is not None:
        with suppress(ProcessLookupError):
            os.kill(watchdog, signal.SIGKILL)
    counts.killed += 1
    began = time.monotonic()
    limit = fault.time_to_live.total_seconds() + _SPARE
    how = "nothing was in"
    if entries and watchdog is None:
        how = "the watchdog"
        while places.leftovers(bed.bed) and time.monotonic() - began < limit:
            time.sleep(0.05)
    if entries and places.leftovers(bed.bed):
        how = "the next command"
        _undo(bed)
    left = [*map(str, until(bed, reach, before, 5.0)), *(file.stem for file in places.leftovers(bed.bed))]
    took = time.monotonic() - began
    counts.longest = max(counts.longest, took)
    counts.restored += not left
    counts.by_watchdog += how == "the watchdog"
    counts.by_command += how == "the next command"
    counts.untouched += not entries
    told = f"LEFT: {'; '.join(left)}" if left else f"restored by {how}" if entries else how
    when = f"{moment:.2f} s after its {'start' if early else 'first entry'}"
    return f"{counts.killed:>3} {fault.fault}: killed {when}, {told}, {took:.1f} s"


def _moments(bed: Bed, fault: Fault) -> tuple[float, float]:
    """Seconds from a runner's start to its first entry in the ledger, and from there to its end, if nobody kills it."""
    began = time.monotonic()
    runner = _start(bed, fault)
    first = 0.0
    while runner.poll() is None:
        if not first and places.leftovers(bed.bed):
            first = time.monotonic() - began
        if time.monotonic() - began > _HEALTHY_LIMIT:
            runner.terminate()
        time.sleep(0.01)
    if runner.returncode != 0:
        raise NoEffect(f"{fault.fault} cannot even be injected and undone in peace (exit code {runner.returncode})")
    return first, time.monotonic() - began - first


def _as_it_is(bed: Bed, reach: Reach, fault: Fault) -> list[Call]:
    """What would hold if nobody had touched the bed; twice the same where two steps are about one thing."""
    return [call for step in reversed(fault.inject) for call in step.reverse(bed, reach)]


def _start(bed: Bed, fault: Fault) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "chaos", "inject", str(fault.path.resolve()), "--for", f"{_STAYS}s"]
    return subprocess.Popen(
        [*command, "--bed", str(bed.path.resolve())],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _undo(bed: Bed) -> None:
    command = [sys.executable, "-m", "chaos", "ledger", "undo", "--bed", str(bed.path.resolve())]
    subprocess.run(command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=180, check=False)


def _child(pid: int) -> int | None:
    """The watchdog that a runner has started, while the runner lives."""
    with suppress(OSError, IndexError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            words = Path("/proc", child, "cmdline").read_bytes().split(b"\0")
            if b"watch" in words and b"chaos" in words:
                return int(child)
    return None


@contextmanager
def _scratch() -> Iterator[tuple[Bed, Fault]]:
    """A bed that is no bed, a ledger of its own, and a fault that changes files of a temporary folder."""
    before = os.environ.get("PLUMBLINE_STATE")
    with TemporaryDirectory(prefix="plumbline-") as name:
        folder = Path(name)
        for file in ("one", "two"):
            (folder / file).write_text("as it was", encoding="utf-8")
        (folder / "bed.yaml").write_text(_BED.format(name=f"torture-{os.getpid()}"), encoding="utf-8")
        (folder / "scratch.yaml").write_text(_FAULT.format(folder=folder), encoding="utf-8")
        os.environ["PLUMBLINE_STATE"] = str(folder / "state")
        try:
            bed = load(folder / "bed.yaml")
            yield bed, find(str(folder / "scratch.yaml"), bed)
        finally:
            places.hold_file(f"torture-{os.getpid()}").unlink(missing_ok=True)
            os.environ.pop("PLUMBLINE_STATE")
            if before is not None:
                os.environ["PLUMBLINE_STATE"] = before
