"""`python -m plumbline.collect --bed FILE --out DIR [--access FILE] [--active]`: gathers facts in a process of its own.

Exit code 0 where every source was asked (whatever it answered), 4 where the bed file cannot be used, 10 where nothing
was sent because the bed's network namespace is not there.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from plumbline import namespace
from plumbline.bed import BedError, load
from plumbline.collect import consul
from plumbline.collect.access import Access
from plumbline.collect.run import collect
from plumbline.collect.ssh import close, control_folder
from plumbline.facts.source import REFUSAL, write_json
from plumbline.outcome import BedUnreachable

_TIDY_S = 1.5
"""Shorter than the gate's patience with a collector that it ends (fixtures.prepare)."""


def main(arguments: list[str] | None = None) -> int:
    """Reads the bed file, enters the bed's namespace, collects; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m plumbline.collect", description=__doc__.partition("\n")[0])
    parser.add_argument("--bed", type=Path, required=True, help="bed file")
    parser.add_argument("--out", type=Path, required=True, help="folder for the facts")
    parser.add_argument("--access", type=Path, help="how a lab is reached; default: what it says itself")
    parser.add_argument("--active", action="store_true", help="send probes too")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        bed = load(options.bed)
        access = Access.of(bed, options.access)
        folder = control_folder(options.out, bed.nodes)
        signal.signal(signal.SIGTERM, lambda number, _frame: _stop(number, folder))
        if access.netns:
            namespace.enter(access.netns)
        collect(bed, access, options.out, options.active, lambda line: print(f"{_since(started)} {line}", flush=True))
    except (BedError, BedUnreachable) as error:
        print(error, file=sys.stderr)
        write_json(options.out / REFUSAL, str(error))
        return 4 if isinstance(error, BedError) else BedUnreachable.exit_code
    print(f"{_since(started)} done")
    return 0


def _since(started: float) -> str:
    return f"{time.monotonic() - started:6.2f} s"


def _stop(number: int, folder: Path) -> None:
    """Ends at once, without waiting for nodes that are slow to answer; only what it wrote is taken away before."""
    close(folder)
    consul.tidy(_TIDY_S)
    os._exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
