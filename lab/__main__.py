"""`python -m lab up|build|down|status|shell|logs [--bed FILE]`: the bed of a bed file, on this machine."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab import machine, ovs, topology
from lab import status as lab_status
from lab import up as realise
from lab.command import call
from lab.errors import LabError
from lab.places import is_there
from lab.progress import Progress, seconds
from lab.rootfs import require_root
from plumbline.bed import Bed, BedError, load
from plumbline.bed.consistency import inconsistencies

DEFAULT_BED = Path("inventories/lab.yaml")
EXIT_USAGE = 2
EXIT_FAILED = 1
EXIT_DOWN = 3
EXIT_INTERRUPTED = 130
_INTERRUPTED = "lab: interrupted; the same command goes on from here, `python -m lab down` takes all away"
_SHOW_CURSOR = "\x1b[?25h"


class Usage(LabError):
    """The command line or the bed file asks for what is not there."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 it failed, 2 wrong words or bed file, 3 `status` of a lab that is not whole, 130 Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        bed = _bed(options.bed)
        return int(options.run(bed, options))
    except BedError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, Usage) else EXIT_FAILED
    except OSError as error:
        # What the disk or the kernel refuses is told by its place; a full disk is the usual one.
        print(f"lab: {error.strerror or error}: {error.filename or 'a file of the lab'}", file=sys.stderr)
        print(f"remedy: {_room(error)}", file=sys.stderr)
        return EXIT_FAILED
    except subprocess.TimeoutExpired as error:
        print(f"lab: `{' '.join(map(str, error.cmd))}` did not end within {error.timeout:.0f} s", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        return EXIT_INTERRUPTED


def _room(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space, or set PLUMBLINE_CACHE and PLUMBLINE_STATE to folders on a larger disk"
    return "see to that file, then the same command goes on from here"


def _bed(path: Path) -> Bed:
    bed = load(path)
    if bed.realised_by != "lab":
        raise Usage(f"{path} declares a bed of hardware", remedy="give the lab a bed with `realised_by: lab`")
    return bed


def _check(bed: Bed) -> None:
    """Usage where no lab can be what the bed file says: told before anything is built or booted."""
    found = [str(item) for item in inconsistencies(bed)]
    if topology.OOBI not in bed.networks:
        found.append(f"{bed.path}: networks.{topology.OOBI} is missing: by it the lab reaches its nodes")
    if found:
        raise Usage(
            "\n".join(found), remedy=f"mend the bed file; `python -m plumbline.bed check {bed.path}` looks again"
        )


def _up(bed: Bed, options: argparse.Namespace) -> int:
    _check(bed)
    began = time.monotonic()
    with left_at_once():
        realise.up(bed, Progress())
    print(f"{bed.bed} is up ({seconds(time.monotonic() - began)})")
    return 0


def _build(bed: Bed, options: argparse.Namespace) -> int:
    _check(bed)
    with left_at_once():
        realise.build(bed, Progress())
    return 0


@contextmanager
def left_at_once() -> Iterator[None]:
    """Ctrl-C in the block ends the process there and then, whatever its threads wait for.

    They would be waited for else, for minutes. What they do is made to be killed at any moment.
    """

    def leave(number: int, frame: object) -> None:
        # Written past Python's buffers: the signal may have come while one of them was being written.
        if os.isatty(1):
            os.write(1, f"{_SHOW_CURSOR}\n".encode())
        os.write(2, f"{_INTERRUPTED}\n".encode())
        os._exit(EXIT_INTERRUPTED)

    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:  # as a shell has it for what runs behind it
        signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _down(bed: Bed, options: argparse.Namespace) -> int:
    began = time.monotonic()
    realise.down(bed.bed, Progress())
    print(f"{bed.bed} is down ({seconds(time.monotonic() - began)})")
    return 0


def _status(bed: Bed, options: argparse.Namespace) -> int:
    require_root()
    state = lab_status.status(bed)
    if options.json:
        print(json.dumps(asdict(state), indent=1))
    else:
        _print_status(state)
    return 0 if state.whole else EXIT_DOWN


def _print_status(state: lab_status.Status) -> None:
    console = Console(highlight=False)
    table = Table("node", "state", "units failed", title=f"{state.bed}: {'up' if state.whole else 'not whole'}")
    for node in state.nodes:
        colour = "green" if node.state == "running" and not node.failed else "red"
        table.add_row(node.name, f"[{colour}]{node.state}[/]", " ".join(node.failed))
    console.print(table)


def _shell(bed: Bed, options: argparse.Namespace) -> int:
    return machine.shell(bed.bed, _node(bed, options.node), options.command)


def _power(bed: Bed, options: argparse.Namespace) -> int:
    node = _node(bed, options.node)
    if node == ovs.NODE:
        raise Usage("the switch stays on", remedy=f"one of {', '.join(bed.nodes)}")
    known = machine.status(bed.bed).get(node)
    on = known is not None and known.pid != 0
    if options.state is None:
        print("on" if on else "off")
    elif (options.state == "on") is not on:
        (machine.power_off if on else machine.power_on)(bed.bed, node)
    return 0


def _logs(bed: Bed, options: argparse.Namespace) -> int:
    folder = machine.journal(bed.bed, _node(bed, options.node))
    if not folder.exists():
        raise LabError(f"{options.node} has not booted yet", remedy=f"python -m lab up --bed {bed.path}")
    journal = ["journalctl", "--no-pager", "--quiet", f"--directory={folder}"]
    if options.unit:
        journal.append(f"--unit={options.unit}")
        if not call([*journal, "--lines=1"]).stdout:
            known = sorted(call([*journal[:-1], "--field=_SYSTEMD_UNIT"]).stdout.split())
            raise LabError(f"{options.node} has no entry of a unit {options.unit}", remedy=f"one of {', '.join(known)}")
    return subprocess.run(journal, check=False).returncode


def _node(bed: Bed, name: str) -> str:
    known = [*bed.nodes, ovs.NODE]
    if name not in known:
        raise Usage(f"bed {bed.bed} has no node {name}", remedy=f"one of {', '.join(known)}")
    require_root()
    if not is_there(bed.bed):
        raise LabError(f"the lab of bed {bed.bed} is down", remedy=f"python -m lab up --bed {bed.path}")
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="The bed of a bed file, realised on this machine."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--bed", type=Path, default=DEFAULT_BED, metavar="FILE", help=f"bed file ({DEFAULT_BED})")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", parents=[common], help="bring the bed up, or go on where it was stopped")
    up.set_defaults(run=_up)
    build = commands.add_parser(
        "build", parents=[common], help="build what the bed is made of into the cache; start nothing"
    )
    build.set_defaults(run=_build)
    down = commands.add_parser("down", parents=[common], help="take the bed down and leave nothing behind")
    down.set_defaults(run=_down)
    status = commands.add_parser("status", parents=[common], help="what is up (exit 3: the lab is not whole)")
    status.add_argument("--json", action="store_true", help="as JSON")
    status.set_defaults(run=_status)
    shell = commands.add_parser("shell", parents=[common], help="a shell on a node, or one command: shell NODE -- CMD")
    shell.add_argument("node")
    shell.add_argument("command", nargs="*", metavar="-- CMD")
    shell.set_defaults(run=_shell)
    power = commands.add_parser(
        "power", parents=[common], help="cut a node's power or give it back: power NODE [on|off]"
    )
    power.add_argument("node")
    power.add_argument("state", nargs="?", choices=["on", "off"], help="by default only says which")
    power.set_defaults(run=_power)
    logs = commands.add_parser("logs", parents=[common], help="the journal of a node, or of one unit of it")
    logs.add_argument("node")
    logs.add_argument("unit", nargs="?")
    logs.set_defaults(run=_logs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
