"""`python -m lab.programs`: the table of programs; `python -m lab.programs build [NAME…]`: build them."""

import argparse
import sys

from rich.console import Console
from rich.table import Table

from lab.errors import LabError
from lab.programs import PROGRAMS, Program, available, ensure
from lab.progress import Progress, seconds


def _row(program: Program) -> tuple[str, ...]:
    try:
        found = available(program)
    except LabError as error:
        return program.name, program.version, type(program.source).__name__, f"missing: {error.what}", "", ""
    names = ", ".join(output.name for output in program.outputs)
    size = f"{sum(path.stat().st_size for path in found.values()) / 1e6:.0f} MB" if found else ""
    return (
        program.name,
        program.version,
        type(program.source).__name__,
        names,
        seconds(program.seconds),
        size or "to build",
    )


def main() -> int:
    """Run the command line; the exit code is 0, or 2 where a program cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m lab.programs", description=__doc__)
    actions = parser.add_subparsers(dest="action")
    build = actions.add_parser("build", help="build or fetch programs into the cache")
    build.add_argument("names", nargs="*", metavar="NAME", help="all of them, if none is named")
    arguments = parser.parse_args()
    try:
        if arguments.action == "build":
            for name, path in ensure(arguments.names or [program.name for program in PROGRAMS], Progress()).items():
                print(f"{name:28} {path}")
        else:
            table = Table("program", "version", "source", "files", "cold build", "in the cache")
            for program in PROGRAMS:
                table.add_row(*_row(program))
            Console().print(table)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
