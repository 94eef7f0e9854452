"""The generators: how each is started for one round, and how its own report is read."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from lab import programs
from lab.bench.load.path import Route
from lab.programs.table import PROGRAMS

Mode = Literal["kept", "new", "paused"]
"""Kept alive; a connection for each request; or kept alive with a pause before each request, so that the rate is the same
for all, well below what they reach, and their times may be compared."""
PAUSE = (1, 9)
"""Whole milliseconds between which a pause is chosen at random, each as often as the others."""
PAUSED_USERS = 4
"""At most, of each generator: wrk's pauses end on whole milliseconds, so that more users ask in crowds and wait in line."""
PAUSED_LONGER = 3
"""How many times as long as the others: of 7,000 requests, wrk's p99 and ours differ by a tenth from round to round."""
LOCUSTFILES = Path(__file__).parents[3] / "locustfiles" / "bench"
_K6 = """
import http from "k6/http";
export const options = {{ vus: {users}, duration: "{seconds}s", noConnectionReuse: {new}, discardResponseBodies: true,
  summaryTrendStats: ["p(50)", "p(99)"] }};
export default function () {{ http.get("{url}"); }}
"""


@dataclass(frozen=True)
class Round:
    """One measurement: whom, how many users, for how many seconds, and a folder for what a tool writes."""

    route: Route
    mode: Mode
    users: int
    seconds: int
    folder: Path


@dataclass(frozen=True)
class Measured:
    """What a tool said of its round: requests a second, median and 99th percentile in ms, failures. `cpu` is in µs."""

    rate: float
    p50: float = 0.0
    p99: float = 0.0
    failed: int = 0
    cpu: float = 0.0


@dataclass(frozen=True)
class Tool:
    """A generator; `command` gives its arguments, `read` makes figures of what it printed."""

    name: str
    command: Callable[[Round], list[str]]
    read: Callable[[str, Round], Measured]
    program: str = ""
    package: str = ""
    modes: tuple[Mode, ...] = ("kept", "new")
    environment: Callable[[Round], dict[str, str]] = field(default=lambda _: {})

    @property
    def missing(self) -> str:
        """What is to be done where it is not here; empty where it is."""
        if self.program and not shutil.which(self.program):
            return f"not installed: apt-get install {self.package}"
        return ""


def _number(pattern: str, text: str, default: float | None = None) -> float:
    """The first number in a text that stands where the pattern says; ValueError where none does."""
    match = re.search(pattern, text)
    if match is None and default is not None:
        return default
    if match is None:
        raise ValueError(f"no figures in what it printed: {text.strip()[-300:]}")
    return float(match[1])


def _milliseconds(pattern: str, text: str) -> float:
    match = re.search(pattern + r"\s+([\d.]+)(us|ms|s)", text)
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[match[2]] if match else 0.0


def _wrk(one: Round) -> list[str]:
    more = ["-H", "Connection: close"] if one.mode == "new" else []
    if one.mode == "paused":
        script = one.folder / "pause.lua"
        script.write_text("function delay() return math.random({}, {}) end\n".format(*PAUSE), encoding="utf-8")
        more = ["-s", str(script)]
    return ["wrk", "-t1", f"-c{one.users}", f"-d{one.seconds}s", "--latency", *more, one.route.url]


def _read_wrk(text: str, one: Round) -> Measured:
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    lost = sum(map(int, errors.groups())) if errors else 0
    bad = int(_number(r"Non-2xx or 3xx responses: (\d+)", text, 0))
    rate = _number(r"Requests/sec:\s+([\d.]+)", text)
    return Measured(rate, _milliseconds("50%", text), _milliseconds("99%", text), lost + bad)


def _h2load(*more: str) -> Callable[[Round], list[str]]:
    def command(one: Round) -> list[str]:
        return ["h2load", "-t1", f"-c{one.users}", "-m1", f"--duration={one.seconds}", *more, one.route.url]

    return command


def _read_h2load(text: str, one: Round) -> Measured:
    failed = int(_number(r"(\d+) failed", text))
    return Measured(_number(r"finished in [^,]+, ([\d.]+) req/s", text), failed=failed)


def _ab(one: Round) -> list[str]:
    kept = ["-k"] if one.mode == "kept" else []
    return ["ab", "-q", *kept, "-c", str(one.users), "-t", str(one.seconds), "-n", "10000000", one.route.url]


def _read_ab(text: str, one: Round) -> Measured:
    failed = int(_number(r"Failed requests:\s+(\d+)", text))
    rate = _number(r"Requests per second:\s+([\d.]+)", text)
    return Measured(rate, _number(r"\n\s+50%\s+(\d+)", text, 0), _number(r"\n\s+99%\s+(\d+)", text, 0), failed)


def _k6(one: Round) -> list[str]:
    script = one.folder / "k6.js"
    new = str(one.mode == "new").lower()
    script.write_text(_K6.format(users=one.users, seconds=one.seconds, new=new, url=one.route.url), encoding="utf-8")
    summary = one.folder / "k6.json"
    program = programs.available(next(row for row in PROGRAMS if row.name == "k6")) or {}
    return [str(program["k6"]), "run", "--quiet", "--no-usage-report", "--summary-export", str(summary), str(script)]


def _read_k6(text: str, one: Round) -> Measured:
    metrics = json.loads((one.folder / "k6.json").read_text(encoding="utf-8"))["metrics"]
    duration, failed = metrics["http_req_duration"], metrics["http_req_failed"]["passes"]
    return Measured(metrics["http_reqs"]["rate"], duration["p(50)"], duration["p(99)"], failed)


class _K6Tool(Tool):
    @property
    def missing(self) -> str:
        """k6 is built by the lab, from its pinned source."""
        there = programs.available(next(row for row in PROGRAMS if row.name == "k6"))
        return "" if there else "not built: python -m lab.bench.load --build"


def _locust(file: str) -> Callable[[Round], list[str]]:
    def command(one: Round) -> list[str]:
        return [
            sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / file), "--headless", "--json", "--skip-log-setup",
            "-u", str(one.users), "-r", str(one.users), "-t", f"{one.seconds}s",
        ]  # fmt: skip

    return command


def _locust_environment(one: Round) -> dict[str, str]:
    return {
        "BENCH_URL": one.route.url,
        "BENCH_CA": one.route.ca,
        "BENCH_NEW": "1" if one.mode == "new" else "",
        "BENCH_PAUSE": "{} {}".format(*PAUSE) if one.mode == "paused" else "",
        "PYTHONPATH": str(LOCUSTFILES.parents[1]),
    }


def _read_locust(text: str, one: Round) -> Measured:
    """Whole seconds only: what Locust needs for its start and its end is no round of the generator's."""
    entries: list[dict[str, Any]] = json.loads(text[text.index("[") :])
    entry = next(entry for entry in entries if entry["method"] == "GET")
    seconds = {int(second): number for second, number in entry["num_reqs_per_sec"].items()}
    whole = [seconds.get(at, 0) for at in range(min(seconds) + 1, max(seconds))] or list(seconds.values())
    times = sorted((float(time), number) for time, number in entry["response_times"].items())
    return Measured(sum(whole) / len(whole), _quantile(times, 0.5), _quantile(times, 0.99), entry["num_failures"])


def _quantile(times: list[tuple[float, int]], share: float) -> float:
    rank, seen = share * sum(number for _, number in times), 0
    for time, number in times:
        seen += number
        if seen >= rank:
            return time
    return 0.0


TOOLS: tuple[Tool, ...] = (
    Tool("wrk", _wrk, _read_wrk, "wrk", "wrk", get_args(Mode)),
    Tool("h2load", _h2load("--h1"), _read_h2load, "h2load", "nghttp2-client", ("kept",)),
    Tool("h2load-h2", _h2load(), _read_h2load, "h2load", "nghttp2-client", ("kept",)),
    Tool("ab", _ab, _read_ab, "ab", "apache2-utils"),
    _K6Tool("k6", _k6, _read_k6, environment=lambda one: {"SSL_CERT_FILE": one.route.ca}),
    Tool("locust", _locust("plain.py"), _read_locust, environment=_locust_environment),
    Tool(
        "plumbline", _locust("engine.py"), _read_locust, modes=get_args(Mode), environment=_locust_environment,
    ),
    Tool(
        "plumbline-h2", _locust("engine.py"), _read_locust, modes=("kept",),
        environment=lambda one: {**_locust_environment(one), "BENCH_PROTOCOL": "h2"},
    ),
)  # fmt: skip
"""In the order of a round. h2load opens each connection once, so that it has no figure of new ones. Only wrk and ours
pause: the others are not what times are compared with."""


def environment_of(tool: Tool, one: Round) -> dict[str, str]:
    """What its process sees: nothing that would send its requests elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, **tool.environment(one)}
