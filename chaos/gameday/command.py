"""`python -m chaos gameday PLAN.yaml`: runs a plan, shows how it goes, and writes the report."""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live

from chaos.gameday import plan as plans
from chaos.gameday.report import Day, Played, write
from chaos.gameday.screen import new, screen
from chaos.history.recorder import END_LIMIT
from chaos.session import allowed
from chaos.undo import LIMIT as UNDO_LIMIT
from plumbline import places
from plumbline.bed import Bed, load

if TYPE_CHECKING:
    from argparse import _SubParsersAction

ROOT = Path(__file__).resolve().parents[2]
PASSED, FAILED, STILL_IN, INTERRUPTED = 0, 1, 11, 130
ENDS_IN = 2 * UNDO_LIMIT + END_LIMIT
"""Seconds that an experiment has to undo, to settle and to end its record after it was aborted."""
_TICK = 0.25
_ABORT = b"aq\x03"


def add(subparsers: _SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Adds the command `gameday` to the parser of `python -m chaos`."""
    words = "run a plan of experiments in front of a screen, and write reports/gameday.html"
    parser = subparsers.add_parser("gameday", parents=[common], help=words, description=words)
    parser.add_argument("plan", type=Path, metavar="PLAN", help="its file, such as chaos/gamedays/first.yaml")
    parser.add_argument("--report-dir", type=Path, default=Path("reports"), metavar="DIR", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 where all went as it should, 1 where not, 11 where a fault is still in, 130 aborted and undone."""
    bed = load(options.bed)
    allowed(bed)
    plan, ready = plans.load(options.plan, bed)
    folder = options.report_dir / "gameday"
    names = [f"{number:02}-{each.experiment.name}" for number, each in enumerate(ready, start=1)]
    day = Day(
        plan,
        bed.bed,
        [Played(each, folder / name / each.experiment.name) for each, name in zip(ready, names, strict=True)],
    )
    console = Console(highlight=False)
    page = options.report_dir / "gameday.html"
    code = PASSED
    with _keys() as aborted, Live(console=console, auto_refresh=False, transient=True) as live:
        for number, played in enumerate(day.played):
            done = _play(bed, day, number, live, aborted)
            day.played[number] = Played(played.ready, played.folder, done)
            write(day, page)
            code = max(code, FAILED if done not in (STILL_IN, INTERRUPTED, PASSED) else done)
            if done in (STILL_IN, INTERRUPTED) or not _pause(day, number, live, aborted):
                break
    for played in day.played:
        console.print(f"{played.word:<9} {played.ready.experiment.name}", markup=False)
    print(day.last_line(write(day, page)))
    return code if code or day.passed else INTERRUPTED


def _play(bed: Bed, day: Day, number: int, live: Live, aborted: Callable[[], bool]) -> int:
    """Runs one experiment in a process of its own; what it ended with."""
    played = day.played[number]
    command = [sys.executable, "-m", "chaos", "run", str(played.ready.experiment.path.resolve())]
    command += ["--bed", str(bed.path.resolve()), "--report-dir", str(played.folder.parent.resolve())]
    played.folder.mkdir(parents=True, exist_ok=True)
    for name in ("moments.jsonl", "result.json", "journal.json"):  # of an earlier day
        (played.folder / name).unlink(missing_ok=True)
    ends_by: float | None = None
    told = 0
    with (played.folder / "run.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            while process.poll() is None:
                if aborted() and ends_by is None:
                    process.send_signal(signal.SIGINT)
                    ends_by = time.monotonic() + ENDS_IN
                if ends_by is not None and time.monotonic() > ends_by:
                    process.kill()  # its watchdog undoes what is in
                if live.console.is_terminal:
                    live.update(screen(day, played, "aborting: what is in is undone" if ends_by else ""), refresh=True)
                else:
                    told = _print(live.console, played, told)
                time.sleep(_TICK)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(ENDS_IN)
                process.kill()
                process.wait()
    if not live.console.is_terminal:
        _print(live.console, played, told)
    if process.returncode < 0 and not _undone(bed):
        return STILL_IN
    return INTERRUPTED if ends_by is not None and process.returncode != STILL_IN else process.returncode


def _undone(bed: Bed) -> bool:
    """Whether the watchdog of an experiment that was killed undoes it in time."""
    deadline = time.monotonic() + 2 * UNDO_LIMIT
    while places.leftovers(bed.bed):
        if time.monotonic() > deadline:
            return False
        time.sleep(_TICK)
    return True


def _print(console: Console, played: Played, told: int) -> int:
    fresh = new(played.folder, told)
    for moment in fresh:
        holds = "" if moment.holds is None else " yes" if moment.holds else " no"
        clock = time.strftime("%H:%M:%S", time.gmtime(moment.at))
        console.print(
            f"{clock} {played.ready.experiment.name} {moment.name}{holds} {moment.said}".rstrip(),
            markup=False,
            soft_wrap=True,
        )
    return told + len(fresh)


def _pause(day: Day, number: int, live: Live, aborted: Callable[[], bool]) -> bool:
    """Waits before the next experiment, if there is one; False where it was aborted."""
    if number + 1 == len(day.played):
        return True
    seconds = day.played[number].ready.item.pause.total_seconds()
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and not aborted():
        if live.console.is_terminal:
            live.update(screen(day, None, f"{left:.0f} s until the next experiment · a or Ctrl-C: abort"), refresh=True)
        time.sleep(min(_TICK, left))
    return not aborted()


@contextmanager
def _keys() -> Iterator[Callable[[], bool]]:
    """Gives a question: whether somebody wants to abort, by a key, Ctrl-C or SIGTERM."""
    wanted: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: wanted.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    terminal = sys.stdin.fileno() if sys.stdin.isatty() else None
    settings = None
    if terminal is not None:
        import termios
        import tty

        settings = termios.tcgetattr(terminal)
        tty.setcbreak(terminal)

    def aborted() -> bool:
        if terminal is not None and select.select([terminal], [], [], 0)[0] and os.read(terminal, 1) in _ABORT:
            wanted.append(0)
        return bool(wanted)

    try:
        yield aborted
    finally:
        if terminal is not None and settings is not None:
            import termios

            termios.tcsetattr(terminal, termios.TCSADRAIN, settings)
        for number, handler in before.items():
            signal.signal(number, handler)
