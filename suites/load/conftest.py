"""Load targets are no checks of the gate: without --load nothing here is collected."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from fixtures.options import bed_file, bed_of, report_dir, shown_bed_file
from fixtures.reports import sections_key
from plumbline.bed import Bed
from plumbline.bed.asked import inspected
from plumbline.bed.model import Target
from plumbline.bed.throughput import SYSTEMS
from plumbline.check import found
from plumbline.ending import end
from plumbline.facts import Facts
from plumbline.load import baseline, spread, table, verdict
from plumbline.load import result as results
from plumbline.load.attack import doubted, weak
from plumbline.load.result import Result
from plumbline.load.verdict import Judged
from plumbline.outcome import Unknown
from plumbline.remote import pods
from plumbline.report import html
from plumbline.subjects import Thing

GRACE = 150.0
"""Seconds that a run has beside its warm-up and steady phase."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves all of it out where nobody has asked for it."""
    return None if config.getoption("load") else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out targets that are not named, where any are; UsageError where the bed has none of that name."""
    names: list[str] = config.getoption("load_target")
    bed = bed_of(config)
    targets = bed.load.targets if bed.load else {}
    for name in names:
        if name not in targets:
            known = ", ".join(targets) or "no load target"
            raise pytest.UsageError(f"--load-target {name}: {shown_bed_file(config)} has {known}")
    left = [item for item in items if names and _target_of(item) not in (None, *names)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def _target_of(item: pytest.Item) -> str | None:
    target = getattr(item, "callspec", None) and item.callspec.params.get("target")  # type: ignore[attr-defined]
    return target.name if isinstance(target, Thing) and isinstance(target.spec, Target) else None


@pytest.fixture(scope="session")
def trusted(facts: Facts, bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Target], Path]:
    """A file with the authority that users of a target trust, as it is published; Unknown where it is not.

    Whom their workload trusts signs what the firewall inspects; what goes past it shows the origins' own certificates.
    """

    def write(target: Target) -> Path:
        origins = bed.ngfw.verifies if bed.ngfw and not inspected(bed, target) else None
        authority = origins or bed.workloads[target.from_ or ""].trusts or ""
        text = facts.kubernetes.bundle(authority) if authority else None
        if not text:
            said = f"whom users from {target.from_} trust is not published"
            raise Unknown(said, cause=f"authority:{authority}/published")
        file = tmp_path_factory.mktemp("load") / f"{authority}.pem"
        file.write_text(text, encoding="ascii")
        return file

    return write


@pytest.fixture(scope="session")
def place(facts: Facts) -> Callable[[str], str]:
    """The network namespace of a running pod of a workload; Unknown where none of them runs on this machine."""

    def find(workload: str) -> str:
        here = pods.scan()
        for pod in facts.kubernetes.pods(workload):
            if pod.phase == "Running" and pod.uid in here:
                return here[pod.uid].namespace
        raise Unknown(
            f"no pod of {workload} runs on this machine, and load is sent from one", cause=f"workload:{workload}"
        )

    return find


Compare = Callable[[Result, Result, float], Iterator[Judged]]


class Runs:
    """Runs each target as `python -m locustfiles` does, once a session, and keeps what was good to compare with."""

    def __init__(self, config: pytest.Config, trusted: Callable[[Target], Path], place: Callable[[str], str]) -> None:
        self._config, self._trusted, self._place = config, trusted, place
        self._bed = bed_of(config)
        self._ended: dict[str, Result | str] = {}
        self._before: dict[str, Result | None] = {}
        self._rows: list[table.Row] = []
        self._kind = baseline.machine(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))

    def result(self, target: Thing[Target]) -> Result:
        """What the steady phase of a target told; Unknown where the run came to no end."""
        if target.name not in self._ended:
            self._drive(self._attacked(target))
        result = self._ended[target.name]
        if isinstance(result, str):
            raise Unknown(result)
        return result

    def _attacked(self, target: Thing[Target]) -> Thing[Target]:
        """The target during which this one is driven; this one itself where there is none."""
        targets = self._bed.load.targets if self._bed.load else {}
        return next((Thing(n, spec) for n, spec in targets.items() if spec.during == target.name), target)

    def _drive(self, target: Thing[Target]) -> None:
        """Runs it, and what is driven during it."""
        spec, folder = target.spec, report_dir(self._config).resolve()
        attack = self._bed.load.targets[spec.during] if self._bed.load and spec.during else None
        command = [sys.executable, "-m", "locustfiles", target.name, "--bed", str(bed_file(self._config).resolve())]
        command += ["--report-dir", str(folder)]
        command += ["--netns", self._place(spec.from_)] if spec.from_ and not spec.workers else []
        over_https = spec.from_ and spec.to and spec.to not in SYSTEMS
        command += ["--ca", str(self._trusted(spec))] if over_https else []
        if attack and attack.from_ and not attack.workers:
            command += ["--during-netns", self._place(attack.from_)]
        limit = (max(spec.time, attack.time if attack else spec.time) + spec.around).total_seconds() + GRACE
        driven = [target] if attack is None else [target, Thing(str(spec.during), attack)]
        for one in driven:
            (folder / "load" / one.name / "result.json").unlink(missing_ok=True)
        said = _run(command, self._config.rootpath, limit, spec.around.total_seconds() + 2 * GRACE)
        for one in driven:
            self._ended[one.name] = _told(folder / "load" / one.name / "result.json", said)
        for one in driven:
            self._settle(one, self._ended[one.name])

    def _attack(self, target: Thing[Target]) -> str:
        """Why a target was not attacked all the while as the bed file says; empty where it was, or is not to be."""
        attack, result = target.spec.during, self.result(target)
        if attack is None or not self._bed.load:
            return ""
        return weak(attack, self._ended[attack], self._bed.load.targets[attack], result)

    def rates(self, target: Thing[Target]) -> Iterator[Judged]:
        """What becomes of the promised rates, and of the rate beside that of the last good run."""
        yield from doubted(self._rates(target, self.result(target)), self._attack(target))

    def _rates(self, target: Thing[Target], result: Result) -> Iterator[Judged]:
        yield from verdict.rates(result, target.spec.promise)
        yield from self._beside_before(baseline.rates, target, result)

    def times(self, target: Thing[Target]) -> Iterator[Judged]:
        """What becomes of the promised times, and of the times beside those of the last good run."""
        yield from doubted(self._times(target, self.result(target)), self._attack(target))

    def _times(self, target: Thing[Target], result: Result) -> Iterator[Judged]:
        yield from verdict.times(result, target.spec.promise)
        yield from self._beside_before(baseline.times, target, result)

    def ratios(self, target: Thing[Target]) -> Iterator[Judged]:
        """What becomes of the promised ratio to another target, which is run after this one; nothing where none is."""
        ratio, load = target.spec.promise.ratio, self._bed.load
        if ratio and load:
            result, beside = self.result(target), Thing(ratio.of, load.targets[ratio.of])
            try:
                yield verdict.ratio(result, self.result(beside), ratio)
            except Unknown as unknown:
                yield verdict.ratio(result, str(unknown), ratio)

    def spreads(self, target: Thing[Target]) -> Iterator[Judged]:
        """Whether the pods of its service share the load; nothing where that is not promised."""
        if promised := target.spec.promise.spread:
            yield from doubted([spread.judge(self.result(target), promised)], self._attack(target))

    def failures(self, target: Thing[Target]) -> Iterator[Judged]:
        """What becomes of the promised share of failures."""
        yield from doubted(
            verdict.failures(self.result(target), target.spec.promise, target.spec.timeout), self._attack(target)
        )

    def _beside_before(self, compare: Compare, target: Thing[Target], now: Result) -> Iterator[Judged]:
        """Nothing where this is the first run of this bed from this kind of machine."""
        before, load = self._before[target.name], self._bed.load
        if before and load:
            yield from compare(now, before, load.noise)

    def _settle(self, target: Thing[Target], result: Result | str) -> None:
        """Shows the run in gate.html, and keeps it where every promise was kept and nothing is worse than before."""
        file = baseline.file(report_dir(self._config), self._bed.bed, target.name, self._kind)
        if isinstance(result, str):
            self._compare(target, result, [])
            return
        self._before[target.name] = baseline.last_good(file, result)
        borne = [] if target.spec.is_attack else [*self.rates(target), *self.times(target)]
        judged = [*borne, *self.ratios(target), *self.spreads(target), *self.failures(target)]
        if all(one.outcome == "passed" for one in judged):
            results.write(result, file)
        self._compare(target, result, judged)
        section = html.load_run(target.name, result, judged, attack=target.spec.is_attack)
        self._config.stash.setdefault(sections_key, []).append(section)

    def _compare(self, target: Thing[Target], result: Result | str, judged: Sequence[Judged]) -> None:
        """Puts a run of varied factors into the table of all of them, which stands before the first of them."""
        if target.spec.factors is None:
            return
        sections = self._config.stash.setdefault(sections_key, [])
        before = html.load_table(self._rows)
        self._rows.append(table.row(target.name, target.spec, result, judged))
        at = sections.index(before) if before in sections else len(sections)
        sections[at : at + 1] = [html.load_table(self._rows)]


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, trusted: Callable[[Target], Path], place: Callable[[str], str]) -> Runs:
    """The load runs of this session."""
    if request.config.pluginmanager.get_plugin("plumbline-gate") is None:
        pytest.fail("load targets run one at a time: leave out -n")
    return Runs(request.config, trusted, place)


def _run(command: list[str], folder: Path, limit: float, patience: float) -> str:
    """What the command said at its end, for one who finds no result. Whatever ends this ends the load, too."""
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, error = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return "the run did not end"
        finally:
            end(process, patience)
    return f"the run ended with {process.returncode} and no result: {(error or out).strip()[-600:]}"


def _told(file: Path, said: str) -> Result | str:
    result = results.find(file)
    if result is None:
        return said
    return f"the run was cut short: {result.stopped}" if result.stopped else result


def settle(target: str, judged: Iterable[Judged]) -> None:
    """One broken promise fails; else one of which nothing is known is unknown: by the generator, or by what has failed."""
    every = list(judged)
    for one in every:
        assert one.outcome != "failed", found(one.found, expected=one.expected)
    for one in every:
        if one.outcome == "unknown":
            cause = "run:generator" if one.found.startswith("generator") else f"load:{target}"
            raise Unknown(f"{one.found}; expected {one.expected}", cause=cause)
