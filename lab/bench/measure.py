"""The groups of figures that `python -m lab.bench` prints, each measured by one function here."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from lab import ovs, programs
from lab.bench import cold, cost, gate, goss
from lab.bench.figures import Figure
from lab.errors import LabError
from lab.places import access_file
from lab.progress import Progress
from plumbline.bed import Bed
from plumbline.hold import hold

IDLE_SECONDS = 20.0
HOLD_WAIT = 120.0
_LAB_LIMIT = 1800.0
_DEAREST = 5
_MILLION = 1e6


@dataclass(frozen=True)
class Order:
    """What to measure: the bed, how often, the node that goss looks at, and where progress is shown."""

    bed: Bed
    runs: int
    node: str
    progress: Progress


def restart(order: Order) -> list[Figure]:
    """`lab down` and `lab up`, whole processes, with everything in the cache."""
    downs, ups = [], []
    with hold(order.bed.bed, alone=True, timeout=HOLD_WAIT, purpose="bench"):
        _lab(order.bed, "build")
        _lab(order.bed, "up")
        for _ in _times(order, "bench: lab down and up", 60):
            downs.append(_lab(order.bed, "down"))
            ups.append(_lab(order.bed, "up"))
    return [
        Figure("lab up, caches warm", "s", tuple(ups), 60, "`python -m lab up` as a process, to everything Ready"),
        Figure("lab down", "s", tuple(downs), 10, "`python -m lab down` as a process"),
    ]


def idle(order: Order) -> list[Figure]:
    """Memory and processor time of a lab that nobody uses."""
    name, usages, memories = order.bed.bed, [], []
    nodes = [ovs.NODE, *order.bed.nodes]
    with hold(name, alone=True, timeout=HOLD_WAIT, purpose="bench"):
        for _ in _times(order, "bench: idle lab", IDLE_SECONDS + 1):
            memories.append(cost.memory(name))
            usages.append(cost.cpu(name, nodes, IDLE_SECONDS))
    middle = sorted(usages, key=lambda usage: usage.percent)[len(usages) // 2]
    dearest = {program: round(percent, 2) for program, percent in list(middle.programs.items())[:_DEAREST]}
    return [
        Figure(
            "memory in use", "MB", tuple(m.pss / _MILLION for m in memories), 4000,
            f"sum of PSS (own and shared memory, mapped program files among it) of {memories[-1].processes} processes",
        ),
        Figure(
            "memory without files", "MB", tuple(m.own / _MILLION for m in memories), 4000,
            "of the lab's cgroup: anonymous memory, tmpfs and the kernel's own; no page cache",
        ),
        Figure(
            "idle CPU", "% of one core", tuple(usage.percent for usage in usages), 15,
            f"over {IDLE_SECONDS:.0f} s, of the lab's cgroup, with all that ended meanwhile; the dearest {_DEAREST}",
            dearest,
        ),
    ]  # fmt: skip


def suites(order: Order) -> list[Figure]:
    """The whole gate on a running lab, and its part that sends no probes."""
    every = _gates(order, "bench: gate", ["-n", "auto", "suites/"])
    read = _gates(order, "bench: gate, not active", ["-n", "auto", "suites/", "-m", "not active"])
    includes = "whole process, interpreter start and reports included"
    return [
        _gate_figure("gate: pytest -n auto suites/", every, 20, includes),
        _gate_figure('gate: the same with -m "not active"', read, 10, includes),
    ]


def host(order: Order) -> list[Figure]:
    """The host facts of one node, checked by goss on the node and by plumbline over SSH, turn by turn."""
    bed, node = order.bed, order.node
    program = programs.ensure(["goss"], order.progress)["goss"]
    ours, theirs = [], []
    goss.install(bed.bed, node, program, goss.gossfile(bed, node))
    try:
        for _ in _times(order, f"bench: goss and plumbline on {node}", 4):
            require_lab(bed)
            theirs.append(goss.run(bed.bed, node))
            ours.append(gate.run(bed, ["suites/host", "-k", node, "-m", "not active"]))
    finally:
        goss.remove(bed.bed, node)
    # The layer on all nodes: what a node more costs, once a process runs at all.
    layer = _gates(order, "bench: layer host", ["suites/host", "-m", "not active"])
    failed = f"; {len(theirs[-1].failed)} failed: {', '.join(theirs[-1].failed)}" if theirs[-1].failed else ""
    return [
        Figure(
            f"goss v0.4.9 on {node}", "s", tuple(run.seconds for run in theirs), None,
            f"started on the node itself: no SSH, no transport, no report; {theirs[-1].tests} tests{failed}; "
            f"not asked: {', '.join(goss.NOT_ASKED)}",
            {"goss's own count (s)": median(run.own_seconds for run in theirs)},
        ),
        Figure("goss: checks per second", "1/s", tuple(run.tests / run.seconds for run in theirs)),
        _gate_figure(
            f"plumbline: pytest suites/host -k {node}", ours, None,
            "a whole gate: over SSH, facts of every node and of the cluster gathered meanwhile, verdict and reports",
        ),
        Figure("plumbline: checks per second", "1/s", tuple(run.looked / run.seconds for run in ours)),
        Figure(
            "plumbline: checks per second of its check phase", "1/s", tuple(run.looked / _checking(run) for run in ours),
            None, "without interpreter, plugins, collection and reports; waiting for facts included",
        ),
        Figure(
            "plumbline: checks per second, layer host of all nodes", "1/s",
            tuple(run.looked / run.seconds for run in layer), None, f"a whole gate; {layer[-1].summary}",
        ),
    ]  # fmt: skip


def fresh(order: Order) -> list[Figure]:
    """From nothing to a first verdict, as a sum."""
    steps = cold.steps(order.bed)
    unknown = [step.name for step in steps if step.last is None]
    return [
        Figure(
            "fresh machine to first verdict", "min", (sum(step.seconds for step in steps) / 60,), 25,
            "a sum, not a measurement: of each step the last duration that the cache knows or, where that is longer, "
            "the estimate for a cold build on two cores (a warm cache of Go flatters the last one); steps side by side "
            "count in full; without `make install` and the gate itself"
            + (f"; never done here: {', '.join(unknown)}" if unknown else "") + "; seconds of the longest",
            {step.name: step.seconds for step in sorted(steps, key=lambda step: -step.seconds)[:8]},
        ),
        Figure(
            "the same, durations of this machine alone", "min", (sum(step.last or 0.0 for step in steps) / 60,), None,
            "the last durations that the cache knows, whatever was warm then",
        ),
    ]  # fmt: skip


GROUPS: dict[str, Callable[[Order], list[Figure]]] = {
    "restart": restart, "suites": suites, "host": host, "idle": idle, "fresh": fresh,
}  # fmt: skip
"""Name → measurement, in the order in which they are made: a lab is idle last, when its start is long past."""
NEED_LAB = ("suites", "host", "idle")


def require_lab(bed: Bed) -> None:
    """`LabError` where the lab is not up: only `restart` may start or end one, since others may be using it."""
    if not access_file(bed.bed).exists():
        raise LabError(f"the lab of bed {bed.bed} is not up", remedy=f"python -m lab up --bed {bed.path}")


def _lab(bed: Bed, command: str) -> float:
    """Run one command of the lab and return its seconds."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lab", command, "--bed", str(bed.path.absolute())], cwd=gate.PROJECT,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_LAB_LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise LabError(f"`python -m lab {command}` did not end within {_LAB_LIMIT:.0f} s") from None
    seconds = time.monotonic() - began
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise LabError(f"`python -m lab {command}` ended with {done.returncode}: {said}")
    return seconds


def _times(order: Order, name: str, each: float) -> Iterator[int]:
    """The numbers of the runs, while a step says which one is under way; `each` is about what one takes, in seconds."""
    with order.progress.step(name, estimate=each * order.runs):
        for number in range(1, order.runs + 1):
            order.progress.detail(name, f"run {number} of {order.runs}")
            yield number


def _gates(order: Order, name: str, arguments: list[str]) -> list[gate.GateRun]:
    runs = []
    for _ in _times(order, name, 15):
        require_lab(order.bed)  # a gate would start what is missing, and be slow for that
        runs.append(gate.run(order.bed, arguments))
    return runs


def _checking(run: gate.GateRun) -> float:
    return sum(seconds for phase, seconds in run.phases.items() if phase.startswith("checks"))


def _gate_figure(name: str, runs: list[gate.GateRun], most: float | None, includes: str) -> Figure:
    """A figure of runs of the gate, with the phases of the middle one and how long its facts took."""
    middle = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    parts = {phase: round(seconds, 3) for phase, seconds in middle.phases.items()}
    nodes = [seconds for source, seconds in middle.facts.items() if source.startswith("nodes/")]
    slowest = {"facts of the slowest node, meanwhile": round(max(nodes), 3)} if nodes else {}
    return Figure(name, "s", tuple(run.seconds for run in runs), most, f"{includes}; {middle.summary}", parts | slowest)
