"""`python -m chaos faults|inject|run|gameday|experiment|ledger|prove|torture|soak`: faults for a bed, and their undo.

Exit codes: 0 done; 1 the fault did not take, or did not settle; 2 wrong words, bed file or fault file, or a bed that does
not allow faults; 10 the bed cannot be reached; 11 a fault is still in, or a ledger's entry was refused; 12 the bed is
held by another run; 130 interrupted, and undone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from plumbline.bed import Bed, BedError, load
from plumbline.bed.types import Duration
from plumbline.hold import Held
from plumbline.outcome import BedUnreachable

DEFAULT_BED = Path("inventories/lab.yaml")
ROOT = Path(__file__).resolve().parents[1]
EXIT_FAILED, EXIT_USAGE, EXIT_STILL_IN, EXIT_INTERRUPTED = 1, 2, 11, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code."""
    options = _parser().parse_args(arguments)
    from chaos.call import ActionFailed, CallError
    from chaos.history.recorder import NoRecorder
    from chaos.lease import LeftElsewhere
    from chaos.ledger import Refused
    from chaos.run import NotOfThisBed
    from chaos.session import Expired, NoEffect, NotAllowed, NotSettled
    from chaos.undo import StillIn
    from chaos.watchdog import NoWatchdog

    try:
        return int(options.run(options))
    except (BedError, CallError) as error:
        return _ended(error, EXIT_USAGE)
    except (NotAllowed, NotOfThisBed, StillIn, Refused, LeftElsewhere, Held, BedUnreachable) as error:
        return _ended(error, error.exit_code)
    except (NoEffect, Expired, NotSettled, ActionFailed, NoWatchdog, NoRecorder, OSError) as error:
        return _ended(error, EXIT_FAILED)
    except KeyboardInterrupt:
        return _interrupted(options)


def _interrupted(options: argparse.Namespace) -> int:
    """Nothing is said to be undone that the ledger still has."""
    from plumbline import places

    if left := places.leftovers(load(options.bed).bed):
        entries = ", ".join(file.stem for file in left)
        print(f"chaos: interrupted, and still in: {entries}", file=sys.stderr)
        print(f"remedy: python -m chaos ledger undo --bed {options.bed}", file=sys.stderr)
        return EXIT_STILL_IN
    print("chaos: interrupted; what was in the bed is undone", file=sys.stderr)
    return EXIT_INTERRUPTED


def _ended(error: Exception, code: int) -> int:
    print(f"chaos: {error}", file=sys.stderr)
    return code


def _faults(options: argparse.Namespace) -> int:
    """Every fault, or what is wrong with any of them."""
    from chaos import fault

    bed = load(options.bed)
    checks = _checks(bed)
    for one in fault.load_all(bed, options.folder or fault.FAULTS, checks):
        if options.layer in (None, one.layer):
            print(f"{one.layer:<13} {one.fault:<40} {', '.join(one.red)}\n{'':<13} {one.summary} ({one.stands_for})")
    return 0


def _checks(bed: Bed) -> frozenset[str]:
    from plumbline import catalogue

    return frozenset(entry.check.id for entry in catalogue.entries(ROOT, bed))


def _inject(options: argparse.Namespace) -> int:
    from chaos.fault import find
    from chaos.session import rest, session

    bed = load(options.bed)
    fault = find(options.fault, bed)
    stays = options.stays or fault.time_to_live.total_seconds()
    ttl = max(fault.time_to_live.total_seconds(), stays + 10.0)
    with session(bed, fault, ttl, hold_limit=options.hold_timeout, told=_say):
        rest(stays)
    return 0


def _experiment(options: argparse.Namespace) -> int:
    from chaos import experiment

    return experiment.command(load(options.bed), options.fault, options.journal, options.write)


def _run(options: argparse.Namespace) -> int:
    from chaos import run

    return run.command(load(options.bed), options.experiment, options.report_dir, dry=options.dry_run)


def _ledger_list(options: argparse.Namespace) -> int:
    from chaos import ledger
    from plumbline import places

    bed = load(options.bed)
    files = places.leftovers(bed.bed)
    for file in files:
        try:
            print(ledger.read(bed, file))
        except ledger.Refused as refused:
            print(f"{refused}")
    if not files:
        print(f"no fault is in the bed {bed.bed}, as far as this machine knows")
    return EXIT_STILL_IN if files and options.check else 0


def _ledger_show(options: argparse.Namespace) -> int:
    file = _entry_file(options)
    print(file.read_text(encoding="utf-8"))
    return 0


def _ledger_undo(options: argparse.Namespace) -> int:
    from chaos import undo

    bed = load(options.bed)
    if options.id:
        _entry_file(options)
    undone = undo.reap(bed, only=options.id or "", limit=options.limit)
    print(f"undone: {', '.join(undone)}" if undone else f"nothing to undo in the bed {bed.bed}")
    return 0


def _ledger_forget(options: argparse.Namespace) -> int:
    file = _entry_file(options)
    file.unlink()
    print(f"{file.stem} is forgotten; what it told of is yours to mend")
    return 0


def _entry_file(options: argparse.Namespace) -> Path:
    from plumbline import places
    from plumbline.bed.errors import Spot, nearest

    bed = load(options.bed)
    by_name = {file.stem: file for file in places.leftovers(bed.bed)}
    if options.id not in by_name:
        folder = Spot(str(places.ledger(bed.bed)))
        raise BedError.one(folder, found=f"there is no entry {options.id}", hint=nearest(options.id, by_name))
    return by_name[options.id]


def _watch(options: argparse.Namespace) -> int:
    from chaos.watchdog import watch

    return watch(load(options.bed), options.id, options.runner)


def _torture(options: argparse.Namespace) -> int:
    from chaos import torture

    bed = load(options.bed) if options.fault else None
    return torture.command(bed, options.fault, options.times, options.seed)


def _say(line: str) -> None:
    print(line, flush=True)


def _seconds(text: str) -> float:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter[Duration](Duration).validate_python(text).total_seconds()
    except ValidationError:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 60s or 5m") from None


def _parser() -> argparse.ArgumentParser:
    from chaos import soak
    from chaos.gameday import command as gameday
    from chaos.proof import command as proof

    parser = argparse.ArgumentParser(prog="python -m chaos", description="Faults for a bed, undone whatever happens.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--bed", type=Path, default=DEFAULT_BED, metavar="FILE", help=f"bed file ({DEFAULT_BED})")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    faults = commands.add_parser("faults", parents=[common], help="list the faults, and check their files")
    faults.add_argument("--layer", help="of one layer only")
    faults.add_argument("--folder", type=Path, help="of another folder than chaos/faults")
    faults.set_defaults(run=_faults)

    inject = commands.add_parser("inject", parents=[common], help="put a fault in for a while, then take it out")
    inject.add_argument("fault", help="its name, or the path of its file")
    inject.add_argument("--for", dest="stays", type=_seconds, metavar="TIME", help="such as 60s; default: its own time")
    inject.add_argument(
        "--hold-timeout", type=float, default=10.0, metavar="SECONDS", help="how long to wait for the bed"
    )
    inject.set_defaults(run=_inject)

    played = commands.add_parser(
        "run", parents=[common], help="run experiments of chaos/experiments, one after the other"
    )
    played.add_argument("experiment", nargs="+", help="its name, or the path of its file")
    played.add_argument(
        "--report-dir", type=Path, default=Path("reports/chaos"), metavar="DIR", help="default: %(default)s"
    )
    played.add_argument("--dry-run", action="store_true", help="only say what would be done")
    played.set_defaults(run=_run)

    experiment = commands.add_parser("experiment", parents=[common], help="run a fault and the gate by Chaos Toolkit")
    experiment.add_argument("fault", help="its name, or the path of its file")
    experiment.add_argument("--journal", type=Path, default=Path("reports/journal.json"), metavar="FILE")
    experiment.add_argument("--write", action="store_true", help="only print the experiment, for `chaos run`")
    experiment.set_defaults(run=_experiment)

    ledger = commands.add_parser("ledger", help="what is in the bed, and how it is undone").add_subparsers(
        required=True, metavar="list|show|undo|forget"
    )
    listed = ledger.add_parser("list", parents=[common], help="a line for each fault that is in")
    listed.add_argument("--check", action="store_true", help="end with 11 where there is any")
    listed.set_defaults(run=_ledger_list)
    undo = ledger.add_parser("undo", parents=[common], help="undo what runs that are gone left in")
    undo.add_argument("id", nargs="?", help="only this entry")
    undo.add_argument("--limit", type=float, default=60.0, metavar="SECONDS", help="how long to try")
    undo.set_defaults(run=_ledger_undo)
    for name, run, help in (
        ("show", _ledger_show, "an entry as it is written"),
        ("forget", _ledger_forget, "remove an entry whose fault was mended by hand"),
    ):
        one = ledger.add_parser(name, parents=[common], help=help)
        one.add_argument("id")
        one.set_defaults(run=run)

    proof.add(commands)
    gameday.add(commands, common)

    torture = commands.add_parser("torture", parents=[common], help="kill runners at random moments; is all undone?")
    torture.add_argument("--times", type=int, default=50, metavar="N")
    torture.add_argument("--fault", action="append", default=[], help="a fault of the bed; default: one without a bed")
    torture.add_argument("--seed", type=int, help="the same moments again")
    torture.set_defaults(run=_torture)
    soak.add(commands, common, _seconds)

    watch = commands.add_parser("watch", parents=[common])
    watch.add_argument("id")
    watch.add_argument("runner", type=int)
    watch.set_defaults(run=_watch)
    return parser


if __name__ == "__main__":
    sys.exit(main())
