"""`python -m lab.bench.load [--rounds N] [--seconds S] [--users N]`: load generators side by side on one path.

In each round every tool runs once, one after the other, with the same users, kept alive and with a new connection for
each request. wrk and ours run a third time, at the same moment and with the same pauses between requests, so that both
have the same rate and find the same machine: there their times are compared. Rounds differ more than tools do on a busy
machine: ratios are told within rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

from lab import programs
from lab.bench import figures
from lab.bench.load.path import Route, loopback
from lab.bench.load.tools import PAUSE, PAUSED_LONGER, PAUSED_USERS, TOOLS, Measured, Mode, Round, Tool, environment_of
from lab.errors import LabError
from plumbline import namespace
from plumbline.outcome import BedUnreachable

FORMAT = 1
OURS = "plumbline"
_GRACE = 40.0
_MOST_SECONDS = 60
_KEYS: dict[Mode, str] = {
    "kept": "requests_per_second",
    "new": "connections_per_second",
    "paused": "paused_requests_per_second",
}
_TITLES: dict[Mode, str] = {
    "kept": "requests a second, kept alive",
    "new": "new TLS connections a second",
    "paused": "requests a second, kept alive, at most {} users with a pause of {} to {} ms before each, at the same "
    "moment, {} times as long: the same rate for all".format(PAUSED_USERS, *PAUSE, PAUSED_LONGER),
}
_HEADINGS = ("minimum", "median", "maximum", "ours is ×", "p50 ms", "×", "p99 ms", "×", "failed", "CPU µs each")
Rounds = dict[str, dict[Mode, list[Measured]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 measured, whatever the figures are, 1 nothing could be, 2 wrong words."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    if options.build:
        programs.ensure(["k6"])
    if options.netns:
        try:
            namespace.enter(options.netns)
        except BedUnreachable as error:
            print(f"bench: {error}", file=sys.stderr)
            return error.exit_code
    given: AbstractContextManager[Route] = nullcontext(Route(options.url or "", options.ca, f"given: {options.url}"))
    try:
        with given if options.url else loopback() as route:
            return _bench(options, route, console)
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _bench(options: argparse.Namespace, route: Route, console: Console) -> int:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    wanted = [tool for tool in TOOLS if tool.name in options.only]
    notes = [f"{tool.name}: {tool.missing}" for tool in wanted if tool.missing]
    notes += figures.company()
    tools = [tool for tool in wanted if not tool.missing]
    found: Rounds = {tool.name: {mode: [] for mode in _KEYS} for tool in tools}
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
        for number in range(options.rounds):
            # whoever comes first finds the machine as the last one left it, so that each round begins with another
            turns = [*tools[number % len(tools) :], *tools[: number % len(tools)]]
            for tool, mode, said in _round(turns, Round(route, "kept", options.users, options.seconds, Path(folder))):
                if isinstance(said, Measured):
                    found[tool.name][mode].append(said)
                else:
                    notes.append(f"{tool.name}, {mode}, round {number + 1}: {said}")
    content = as_json(found, notes, started=started, route=route.about, users=options.users, seconds=options.seconds)
    _show(console, content)
    file = options.report_dir / "bench-load.json"
    figures.write(file, content)
    console.print(f"bench: {route.about}; {file}", markup=False, soft_wrap=True)
    return 0 if content[_KEYS["kept"]] else 1


def _round(tools: Sequence[Tool], one: Round) -> Iterator[tuple[Tool, Mode, Measured | str]]:
    """Every tool once, kept alive and with new connections; then those that pause, all at the same moment."""
    for tool in tools:
        for mode in tool.modes:
            if mode != "paused":
                yield tool, mode, _measure(tool, replace(one, mode=mode))
    pausing = [tool for tool in tools if "paused" in tool.modes]
    paused = replace(one, mode="paused", users=min(one.users, PAUSED_USERS), seconds=PAUSED_LONGER * one.seconds)
    with ThreadPoolExecutor(len(TOOLS)) as pool:
        for tool, said in zip(pausing, pool.map(lambda tool: _measure(tool, paused), pausing), strict=True):
            yield tool, "paused", said


def _measure(tool: Tool, one: Round) -> Measured | str:
    """Runs a tool once; why it has no figures, where it has none."""
    command = tool.command(one)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment_of(tool, one), cwd=one.folder
        )
        deadline = time.monotonic() + one.seconds + _GRACE
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                process.returncode = os.waitstatus_to_exitcode(status)
                break
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                return f"it did not end within {one.seconds + _GRACE:.0f} s"
            time.sleep(0.05)
        out.seek(0)
        err.seek(0)
        text, complaint = (file.read().decode("utf-8", "replace") for file in (out, err))
    try:
        said = tool.read(text, one)
    except (ValueError, KeyError, OSError, StopIteration) as error:
        return f"it ended with {process.returncode}: {complaint.strip()[-300:] or error}"
    requests = max(said.rate * one.seconds, 1.0)
    cpu = (usage.ru_utime + usage.ru_stime) / requests * 1e6
    return Measured(said.rate, said.p50, said.p99, said.failed, cpu)


def as_json(
    found: Rounds, notes: Sequence[str], *, started: str, route: str, users: int, seconds: int
) -> dict[str, Any]:
    """What `bench-load.json` holds: [min, median, max] over the rounds by name, and ratios within rounds."""

    def of(mode: Mode, value: str) -> dict[str, list[float]]:
        named = {name: [getattr(m, value) for m in modes[mode]] for name, modes in found.items() if modes[mode]}
        return {name: _three(values) for name, values in named.items()}

    modes: tuple[Mode, ...] = get_args(Mode)
    return {
        "format": FORMAT,
        "started": started,
        "machine": figures.machine(),
        "path": route,
        "users": users,
        "seconds": seconds,
        "rounds": max((len(m["kept"]) for m in found.values()), default=0),
        **{_KEYS[mode]: of(mode, "rate") for mode in modes},
        "ratios": {_KEYS[mode]: ratios(found, mode, "rate") for mode in modes},
        "p50_ratios": {_KEYS[mode]: ratios(found, mode, "p50") for mode in modes},
        "p99_ratios": {_KEYS[mode]: ratios(found, mode, "p99") for mode in modes},
        "p50_ms": {_KEYS[mode]: of(mode, "p50") for mode in modes},
        "p99_ms": {_KEYS[mode]: of(mode, "p99") for mode in modes},
        "failed": {_KEYS[mode]: of(mode, "failed") for mode in modes},
        "cpu_us": {_KEYS[mode]: of(mode, "cpu") for mode in modes},
        "notes": list(notes),
    }


def ratios(found: Rounds, mode: Mode, value: str) -> dict[str, list[float]]:
    """[min, median, max] of ours to each other's rate, or another value, round by round."""

    def of(name: str) -> list[float]:
        return [getattr(measured, value) for measured in found.get(name, {}).get(mode, [])]

    made = {
        name: [mine / theirs for mine, theirs in zip(of(OURS), of(name), strict=False) if theirs]
        for name in found
        if name != OURS
    }
    return {name: _three(values) for name, values in made.items() if values}


def _three(values: Sequence[float]) -> list[float]:
    return [round(value, 3) for value in (min(values), statistics.median(values), max(values))]


def _show(console: Console, content: dict[str, Any]) -> None:
    for mode, title in _TITLES.items():
        key = _KEYS[mode]
        if not content[key]:
            continue
        table = Table(title=title, title_justify="left")
        table.add_column("generator")
        for heading in _HEADINGS:
            table.add_column(heading, justify="right")
        for name, (least, median, most) in content[key].items():
            ratio, half, most_of = (
                _ratio(content[part][key].get(name)) for part in ("ratios", "p50_ratios", "p99_ratios")
            )
            p50, p99, failed, cpu = (
                content[part][key].get(name, [0, 0, 0])[1] for part in ("p50_ms", "p99_ms", "failed", "cpu_us")
            )
            table.add_row(
                name, *map(figures.shown, (least, median, most)), ratio,
                _figure(p50), half, _figure(p99), most_of, _figure(failed), _figure(cpu),
            )  # fmt: skip
        console.print(table)
    for note in content["notes"]:
        console.print(note, markup=False, soft_wrap=True)


def _ratio(of_rounds: list[float] | None) -> str:
    return f"{of_rounds[1]:.2f}" if of_rounds else ""


def _figure(value: float) -> str:
    return figures.shown(value) if value else ""


def _parser() -> argparse.ArgumentParser:
    names = [tool.name for tool in TOOLS]
    parser = argparse.ArgumentParser(prog="python -m lab.bench.load", description=__doc__)
    parser.add_argument("--rounds", type=figures.count, default=3, metavar="N", help="%(default)s")
    parser.add_argument("--seconds", type=_seconds, default=5, metavar="S", help="of each tool and kind; %(default)s")
    parser.add_argument("--users", type=figures.count, default=20, metavar="N", help="at the same time; %(default)s")
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME", help=f"of {', '.join(names)}"
    )
    parser.add_argument("--url", help="another path than the one on loopback; its name has to resolve")
    parser.add_argument("--ca", default="", metavar="FILE", help="PEM of those whom to trust for --url")
    parser.add_argument("--netns", default="", metavar="NAME", help="network namespace, or its file, to measure from")
    parser.add_argument("--build", action="store_true", help="build k6 where it is not there yet")
    parser.add_argument("--report-dir", type=Path, default=Path("reports"), metavar="DIR", help="for bench-load.json")
    return parser


def _seconds(text: str) -> int:
    number = figures.count(text)
    if not 3 <= number <= _MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"3 to {_MOST_SECONDS}")
    return number


if __name__ == "__main__":
    sys.exit(main())
