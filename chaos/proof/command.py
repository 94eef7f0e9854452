"""`python -m chaos prove`: what the command line says, and what the one who waits sees."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chaos.proof.model import TOGETHER, Proof, Row
from plumbline.report.words import duration

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from chaos.fault import Fault
    from chaos.proof.select import Selected
    from plumbline.bed import Bed
    from plumbline.check import Case

DEFAULT_BED = Path("inventories/lab.yaml")
GOALS_MISSED, CANNOT = 1, 2
HELP = "put in fault after fault, let the gate look, and tell which checks turned red and which never do"


def add(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command `prove` to the parser of `python -m chaos`; it sets `run`, which returns the exit code."""
    parser = subparsers.add_parser("prove", help=HELP, description=HELP)
    parser.add_argument("--bed", type=Path, default=DEFAULT_BED, metavar="FILE", help="bed file; default: %(default)s")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME", help="only this fault, or the fault file at this path"
    )
    parser.add_argument("--layer", action="append", default=[], metavar="NAME", help="only faults of this layer")
    parser.add_argument("--without", action="append", default=[], metavar="LAYER", help="no faults of this layer")
    parser.add_argument(
        "--sample",
        action="store_true",
        help="the quickest fault of each layer, and those whose file or check has changed",
    )
    parser.add_argument("--since", default="", metavar="REF", help="what --sample compares with; default: origin/main")
    parser.add_argument("--most", type=int, default=0, metavar="N", help="no more than N faults in the sample")
    parser.add_argument("--resume", action="store_true", help="keep the rows of the last run that hit and still count")
    parser.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="how many faults of the bed file at a time; default: 2"
    )
    parser.add_argument(
        "--together",
        type=int,
        default=TOGETHER,
        metavar="N",
        help="how many faults that have nothing to do with each other to put in at a time; default: %(default)s",
    )
    parser.add_argument("--suites", type=Path, default=Path("suites"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--faults", type=Path, default=None, metavar="DIR", help="default: chaos/faults")
    parser.add_argument("--report-dir", type=Path, default=Path("reports"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("-n", "--workers", default="auto", metavar="N", help="pytest's -n for the gate; default: auto")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs what was selected: 0 the goals hold, 1 they do not, 2 a name that nothing has, 11 a fault is still in."""
    from chaos.proof.changed import NoBase
    from chaos.proof.plan import Plan
    from chaos.proof.report import last_line, print_proof, read, write
    from chaos.proof.run import Stop, Unhealthy, prove
    from chaos.proof.select import NoSuch
    from plumbline.bed import load

    console = Console(highlight=False)
    bed = load(options.bed)
    try:
        selected = _selected(options, bed)
    except (NoSuch, NoBase) as error:
        print(f"chaos: {error}", file=sys.stderr)
        return CANNOT
    plan = Plan(
        bed=bed,
        faults=selected.faults,
        suites=options.suites,
        folder=options.report_dir,
        selection=selected.said,
        jobs=max(1, options.jobs),
        together=max(1, options.together),
        workers=options.workers,
        cases=_cases(options.suites, bed),
        whole_layers=selected.whole_layers,
    )
    file = options.report_dir / "proof.json"
    with _Progress(console, len(selected.faults)) as told:
        try:
            proof = prove(plan, read(file) if options.resume else None, told, lambda p: _save(p, options.report_dir))
        except Stop as stop:
            print(stop, file=sys.stderr)
            return stop.exit_code
        except Unhealthy as error:
            print(f"{error}\nremedy: pytest {options.suites} --bed {options.bed}", file=sys.stderr)
            return GOALS_MISSED
    print_proof(proof, console)
    page = write(proof, options.report_dir)
    console.print()
    print(last_line(proof, str(page)))
    return 0 if proof.held else GOALS_MISSED


def _save(proof: Proof, folder: Path) -> None:
    from chaos.proof.report import write

    write(proof, folder)


def _cases(suites: Path, bed: Bed) -> dict[str, tuple[Case, ...]]:
    """What the checks of plumbline's own suites run on."""
    from plumbline import catalogue

    if suites.resolve() != catalogue.ROOT / "suites":
        return {}
    return {entry.check.id: entry.cases for entry in catalogue.entries(catalogue.ROOT, bed)}


def _selected(options: argparse.Namespace, bed: Bed) -> Selected:
    from chaos.fault import FAULTS, find, load_all
    from chaos.proof.changed import Changed, NoBase, changed
    from chaos.proof.select import select

    folder = options.faults or FAULTS
    outside = [find(name, bed, folder) for name in options.fault if name.endswith(".yaml")]
    inside = load_all(bed, folder) if len(outside) < len(options.fault) or not options.fault else []
    faults: dict[str, Fault] = {fault.fault: fault for fault in [*inside, *outside]}
    names = [Path(name).stem if name.endswith(".yaml") else name for name in options.fault]
    sample = None
    if options.sample:
        try:
            sample = changed(Path.cwd(), options.since, str(options.suites))
        except NoBase as error:
            if options.since:
                raise
            print(f"chaos: one fault a layer only, since git cannot tell what has changed: {error}", file=sys.stderr)
            sample = Changed("", frozenset(), frozenset(), frozenset())
    selected = select(
        faults, names=names, layers=options.layer, without=options.without, sample=sample, most=options.most
    )
    if selected.left_out:
        print(f"chaos: {selected.left_out} more faults are touched by the change: `make prove` runs them all")
    return selected


class _Progress:
    """A line a fault, and beneath them how far it is and how long it takes yet."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[left]}"), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._total = total
        self._done = 0
        self._left = ""
        self._task = self._bar.add_task("proof", total=total, left="")

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def kept(self, number: int) -> None:
        """Rows of an earlier run that still count."""
        self._done = number
        self._bar.update(self._task, completed=number)
        if number:
            self._console.print(f"{number} of {self._total} rows are kept from the last run")

    def look(self, what: str) -> None:
        """What is done now."""
        self._bar.update(self._task, description=what)

    def again(self, row: Row) -> None:
        """A row that misses in company, or for the first time by itself: it has another turn later."""
        from chaos.proof.report import why

        self._console.print(f"[dim]  later ↻ {row.layer:12} {row.fault}[/]  ", end="")
        self._console.print(why(row), style="dim", markup=False, soft_wrap=True)

    def row(self, row: Row, left: float) -> None:
        """A row is done; `left` seconds remain, as far as can be told."""
        from chaos.proof.report import why

        self._done += 1
        self._bar.update(self._task, completed=self._done, left=f"about {duration(left)} left")
        sign, colour = ("✓", "green") if row.hit else ("✗", "bold red")
        said = "" if row.hit else f"  {why(row)}"
        said += f"  (the first time: {row.first_time})" if row.first_time else ""
        rest = f"about {duration(left)} left" if left else ""
        self._console.print(
            f"[dim]{self._done:3}/{self._total}[/] [{colour}]{sign}[/] {row.layer:12} {row.fault}"
            f"  [dim]{row.seconds.named:.1f} s  {rest}[/]",
            end="",
        )
        self._console.print(said, markup=False, soft_wrap=True)
