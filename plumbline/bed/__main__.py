"""python -m plumbline.bed check|show FILE, python -m plumbline.bed schema: a bed file without a bed."""

from __future__ import annotations

import argparse
import sys

from plumbline.bed import Bed, BedError, load, schema
from plumbline.bed.consistency import inconsistencies
from plumbline.bed.show import show


def main(arguments: list[str] | None = None) -> int:
    """0 where all is well, 1 where a bed contradicts itself, 2 where its file cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m plumbline.bed", description="Look at a bed file; no bed is needed."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="check|show|schema")
    commands.add_parser("check", help="is the file right, and does the bed not contradict itself?").add_argument("file")
    commands.add_parser("show", help="the bed, its ranges, inventory and base written out").add_argument("file")
    commands.add_parser("schema", help="the JSON Schema of a bed file")
    asked = parser.parse_args(arguments)
    if asked.command == "schema":
        sys.stdout.write(schema.text())
        return 0
    try:
        bed = load(asked.file)
    except BedError as error:
        print(error, file=sys.stderr)
        return 2
    if asked.command == "show":
        sys.stdout.write(show(bed))
        return 0
    return _check(bed)


def _check(bed: Bed) -> int:
    found = list(inconsistencies(bed))
    for item in found:
        print(item, file=sys.stderr)
    if not found:
        print(f"ok: {bed.path}: {len(bed.nodes)} nodes, {len(bed.networks)} networks, {len(bed.workloads)} workloads")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
