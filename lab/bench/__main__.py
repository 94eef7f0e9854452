"""`python -m lab.bench [--bed FILE] [--only NAME …] [--runs N]`: what the lab and the gate cost, beside the goals."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from lab.bench import figures, measure
from lab.errors import LabError
from lab.progress import Progress
from lab.rootfs import require_root
from plumbline.bed import Bed, BedError, load
from plumbline.hold import Held

DEFAULT_BED = Path("inventories/lab.yaml")
DEFAULT_RUNS = 3
EXIT_USAGE = 2
EXIT_FAILED = 1
_WIDTH = 140
"""Load for each core above which others are at work on the machine."""


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 0 measured, whatever the figures are, 1 something could not be measured, 2 wrong words."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    try:
        bed = load(options.bed)
        order = measure.Order(bed, options.runs, _node(bed, options.node), Progress())
        return _bench(order, options.only or list(measure.GROUPS), options.report_dir, console)
    except BedError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return EXIT_FAILED
    except Held as held:
        print(f"bench: {held}", file=sys.stderr)
        return Held.exit_code
    except KeyboardInterrupt:
        print("bench: interrupted; `python -m lab status` says what the lab is now", file=sys.stderr)
        return 130


def _bench(order: measure.Order, wanted: list[str], folder: Path, console: Console) -> int:
    """Each group by itself: one that cannot be measured leaves the others standing."""
    require_root()
    if order.bed.realised_by != "lab":
        raise LabError(f"{order.bed.path} declares a bed of hardware", remedy="measure a bed with `realised_by: lab`")
    started = datetime.now(UTC).isoformat(timespec="seconds")
    found: list[figures.Figure] = []
    notes = figures.company()
    failed = False
    for name in [group for group in measure.GROUPS if group in wanted]:
        try:
            if name in measure.NEED_LAB:
                measure.require_lab(order.bed)
            found += measure.GROUPS[name](order)
        except (LabError, Held) as error:
            failed = True
            notes.append(f"not measured: {name}: {error}")
    figures.show(console, f"{order.bed.bed}, {order.runs} runs each", found, notes)
    file = folder / "bench.json"
    figures.write(file, figures.as_json(order.bed.bed, started, found, notes))
    console.print(f"bench: {len(found)} figures; {file}", markup=False)
    return EXIT_FAILED if failed else 0


def _node(bed: Bed, asked: str | None) -> str:
    """The node for goss: the one asked for, or the first that the checks of layer host log in to."""
    names = [name for name, node in bed.nodes.items() if node.ssh]
    if asked and asked not in names:
        raise LabError(f"there is no node {asked} to log in to", remedy=f"nodes: {', '.join(names)}")
    if not names:
        raise LabError(f"{bed.path} declares no node to log in to")
    return asked or next((name for name in names if name in bed.kubernetes_nodes), names[0])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.bench", description=__doc__)
    parser.add_argument("--bed", type=Path, default=DEFAULT_BED, metavar="FILE", help=f"bed file ({DEFAULT_BED})")
    parser.add_argument(
        "--only", nargs="+", choices=list(measure.GROUPS), metavar="NAME", help=f"of {', '.join(measure.GROUPS)}"
    )
    parser.add_argument(
        "--runs", type=figures.count, default=DEFAULT_RUNS, metavar="N", help=f"of each ({DEFAULT_RUNS})"
    )
    parser.add_argument("--node", metavar="NODE", help="whose host facts goss and plumbline check")
    parser.add_argument("--report-dir", type=Path, default=Path("reports"), metavar="DIR", help="for bench.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
