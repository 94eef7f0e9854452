"""`python -m locustfiles TARGET [--bed FILE] [--ca FILE] [--netns NAME]`: runs one declared load target and judges it.

A target that is to be borne *during* another one has that beside it, from its own place: --during-netns.

0 every promise is kept, 1 one is broken or nothing is known, 2 wrong words or files, or a bed that does not allow it,
10 the place to send from cannot be entered, 12 the bed is held by another run, 130 interrupted, with what was measured.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from locustfiles import headless
from locustfiles.declared import Refused, targets
from locustfiles.kube.api import ApiError
from locustfiles.pods.drive import drive
from plumbline import namespace
from plumbline.bed import Bed, BedError, load
from plumbline.bed.model import Target
from plumbline.collect.access import Access
from plumbline.ending import end
from plumbline.hold import Held, hold
from plumbline.load import baseline, spread, verdict
from plumbline.load import result as results
from plumbline.load.attack import doubted, weak
from plumbline.load.result import Result
from plumbline.outcome import BedUnreachable
from plumbline.report.words import duration

FOLDER = Path(__file__).parent
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
GRACE = 60.0
"""Seconds that Locust has for its start and its end."""
BEGINS = 20.0
"""Seconds that what is driven beside a target has until its Locust begins; the target does not wait for longer."""
_STARTS = timedelta(seconds=60)
"""What all that is there for a run alone takes at most, in most cases, to be made and removed."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the target and prints one line for each promise."""
    options = _parser().parse_args(arguments)
    try:
        bed = load(options.bed)
        target, authority = _target(bed, options.target), _authority(options.ca)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends this ends its load
        with (
            hold(bed.bed, timeout=options.hold_timeout, purpose=f"load {options.target}"),
            _beside(bed, options, target.during) as attack,
        ):
            asks = target.from_ is None or target.workers or target.promise.spread  # from the runner's own place
            if asks and (place := Access.of(bed).netns):
                namespace.enter(place)
            result = _run(bed, options, target, authority)
            attack.wanted = result is not None and not result.stopped
        return 1 if result is None else _judged(bed, options, target, result, attack.said)
    except (BedError, Refused) as error:
        print(f"load: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (BedUnreachable, Held) as error:
        print(f"load: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _target(bed: Bed, name: str) -> Target:
    declared = targets(bed)
    if name not in declared:
        raise Refused(f"{bed.path} has no load target {name}; there are: {', '.join(declared) or 'none'}")
    if not (FOLDER / f"{declared[name].profile}.py").is_file():
        raise Refused(
            f"{bed.where(f'load.targets.{name}.profile')}: there is no locustfiles/{declared[name].profile}.py"
        )
    return declared[name]


def _authority(file: Path | None) -> str:
    """PEM of those whom users trust; Refused where it cannot be read, before anything is driven."""
    try:
        return file.read_text(encoding="ascii") if file else ""
    except OSError as error:
        raise Refused(f"--ca {file}: {error.strerror}") from None
    except ValueError:
        raise Refused(f"--ca {file}: this is no PEM") from None


def _file(options: argparse.Namespace, target: str) -> Path:
    """Where the result of a target's run is, or was."""
    folder: Path = options.report_dir.resolve() / "load" / target
    return folder / "result.json"


@dataclass
class _Attack:
    """What is driven beside a target: whether it is still wanted when that has ended, and what it said at its end."""

    wanted: bool = True
    said: str = ""


@contextmanager
def _beside(bed: Bed, options: argparse.Namespace, name: str | None) -> Iterator[_Attack]:
    """Another target is driven from its own place until it has ended by itself, or is interrupted with the first."""
    attack = _Attack()
    if name is None:
        yield attack
        return
    command = [sys.executable, "-m", "locustfiles", name, "--bed", str(options.bed), "--report-dir"]
    command += [str(options.report_dir), *(["--netns", options.during_netns] if options.during_netns else [])]
    command += ["--ca", str(options.ca)] if options.ca else []
    around, log = targets(bed)[name].around.total_seconds() + GRACE, _file(options, name).with_name("locust.log")
    for left in (log, _file(options, name)):
        left.unlink(missing_ok=True)
    null, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(
        command, stdin=null, stdout=null, stderr=pipe, text=True, start_new_session=True
    ) as process:  # fmt: skip
        try:
            _await(log, process)
            yield attack
            with suppress(subprocess.TimeoutExpired):
                attack.said = process.communicate(timeout=around if attack.wanted else 0)[1].strip()
        finally:
            end(process, around + GRACE)
    if attack.said:
        print(f"load: {name}: {attack.said}", file=sys.stderr)


def _await(log: Path, process: subprocess.Popen[str]) -> None:
    """Returns when Locust begins there, as its log tells: from then on both have the same way to go to their first request."""
    deadline = time.monotonic() + BEGINS
    while not log.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)


def _run(bed: Bed, options: argparse.Namespace, target: Target, authority: str) -> Result | None:
    """From pods or from here; what the run has told, None where that is nothing, and then it is said why."""
    file = _file(options, options.target)
    folder = file.parent
    folder.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with _shown(options.target, target):
        said = _in_pods(bed, options, folder, authority) if target.workers else _here(bed, options, folder)
    result = results.find(file)
    if result is None:
        log = folder / "locust.log"
        told = log.read_text(encoding="utf-8", errors="replace").strip()[-600:] if log.exists() else ""
        print(f"load: {said}{f': {told}' if told else ''}", file=sys.stderr)
    elif target.promise.spread:
        result.uses = spread.look(bed, Access.of(bed), target.service or "", result.began)
        results.write(result, file)
    return result


def _judged(bed: Bed, options: argparse.Namespace, target: Target, result: Result, attack: str) -> int:
    """Says what became of each promise; `attack` is what was said by what was driven beside it."""
    judged = list(verdict.judge(result, target))
    if target.promise.spread:
        judged.append(spread.judge(result, target.promise.spread))
    if ratio := target.promise.ratio:
        judged.append(verdict.ratio(result, baseline.beside(_file(options, ratio.of), bed, ratio.of, result), ratio))
    if target.during:
        told = results.find(_file(options, target.during)) or f"no result: {attack[-300:]}"
        why = weak(target.during, told, targets(bed)[target.during], result)
        judged = list(doubted(judged, why))
    for one in judged:
        print(f"{one.outcome}: {one.found}; expected {one.expected}")
    return 0 if all(one.outcome == "passed" for one in judged) else 1


@contextmanager
def _shown(name: str, target: Target) -> Iterator[None]:
    """How long it takes, and has taken: in a terminal as it goes on, elsewhere in one line before."""
    around = min(target.around, _STARTS) / 2
    console, takes = Console(stderr=True), f"about {duration((target.time + around).total_seconds())}"
    if not console.is_terminal:
        print(f"load: {name}, {takes}", flush=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TextColumn(f"[dim]of {takes}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(f"load {name}", total=None)
        yield


def _in_pods(bed: Bed, options: argparse.Namespace, folder: Path, authority: str) -> str:
    """Master and workers in the cluster; how that ended."""
    (folder / "locust.log").unlink(missing_ok=True)
    try:
        drive(bed, options.target, authority, folder)
    except ApiError as error:
        return str(error)
    except KeyboardInterrupt:
        return "it was interrupted"
    return "the master told no result"


def _here(bed: Bed, options: argparse.Namespace, folder: Path) -> str:
    """Locust in a process of its own, since it changes Python under whoever imports it; how that ended.

    Interrupted, it ends with what was measured, and so it does where it does not end by itself.
    """
    target, ca = targets(bed)[options.target], str(options.ca.resolve()) if options.ca else ""
    profile, around = str(FOLDER / f"{target.profile}.py"), target.around.total_seconds() + GRACE
    words = headless.command(sys.executable, profile, str(options.bed.resolve()), options.target, ca)
    with (folder / "locust.log").open("wb") as log, ThreadPoolExecutor(1) as there:
        process = there.submit(_start, [*words, *headless.files(str(folder))], log, options.netns).result()
        try:
            process.wait(target.time.total_seconds() + around)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            pass
        finally:
            end(process, around)
    return f"Locust ended with {process.returncode} and told no result"


def _start(words: list[str], log: BinaryIO, netns: str) -> subprocess.Popen[bytes]:
    """In a namespace that the calling thread enters for this; the process of the run itself stays where it is."""
    if netns:
        namespace.enter(netns)
    return subprocess.Popen(
        words, cwd=FOLDER.parent, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m locustfiles", description=__doc__)
    parser.add_argument("target", metavar="TARGET", help="of the bed file's load section")
    parser.add_argument("--bed", type=Path, default=Path("inventories/lab.yaml"), metavar="FILE", help="%(default)s")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="PEM of those whom users trust; default: the system's")
    parser.add_argument("--netns", default="", metavar="NAME", help="network namespace, or its file, to send from")
    parser.add_argument(
        "--during-netns", default="", metavar="NAME", help="where what is driven beside it is sent from"
    )
    parser.add_argument("--report-dir", type=Path, default=Path("reports"), metavar="DIR", help="%(default)s")
    parser.add_argument("--hold-timeout", type=float, default=10.0, metavar="SECONDS", help="for a bed that is held")
    return parser


if __name__ == "__main__":
    sys.exit(main())
