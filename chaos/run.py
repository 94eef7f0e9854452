"""`python -m chaos run`: experiments of Chaos Toolkit as the toolkit runs them, and an exit code that is true."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos import guard
from chaos.choose import Lacks
from chaos.declared import Experiment, find, load
from chaos.extension import running
from chaos.extension.result import Result, read
from chaos.reach import Reach
from chaos.session import HOLD_LIMIT, allowed
from chaos.undo import reap
from plumbline.bed import Bed
from plumbline.hold import hold
from plumbline.report.files import write_atomically

SETTINGS = {"runtime": {"rollbacks": {"strategy": "always"}}}
REPORTS = Path("reports/chaos")
PASSED, FAILED, USAGE, STILL_IN, INTERRUPTED = 0, 1, 2, 11, 130


class NotOfThisBed(Exception):
    """An experiment about something that the bed has not. Exit code 2."""

    exit_code = USAGE


def command(bed: Bed, names: Sequence[str], folder: Path, *, dry: bool = False) -> int:
    """Runs experiments one after the other; the worst exit code. With `dry` only says what would be done."""
    worst = PASSED
    for name in names:
        experiment = prepared(bed, name)
        if dry:
            print(told(bed, experiment))
            continue
        result, code = run(bed, experiment, folder / experiment.name)
        print(line(experiment.name, result, code))
        if code in (STILL_IN, INTERRUPTED):
            return code
        worst = max(worst, code)
    return worst


def prepared(bed: Bed, name: str) -> Experiment:
    """An experiment that may run here: NotAllowed, NotOfThisBed or BedError says why it may not."""
    allowed(bed)
    try:
        experiment = load(find(name), bed)
    except Lacks as lacks:
        raise NotOfThisBed(f"{name}: {lacks}") from None
    with Reach(bed) as reach:
        guard.refuse(bed, reach, experiment.declared, experiment.steps)
    return experiment


def run(bed: Bed, experiment: Experiment, folder: Path) -> tuple[Result | None, int]:
    """Runs it in this process, from which nothing else may be run meanwhile; its result and its exit code."""
    from chaoslib.experiment import run_experiment

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("result.json", "journal.json"):  # an earlier run's would be taken for this one's
        (folder / name).unlink(missing_ok=True)
    reap(bed)
    with hold(bed.bed, alone=True, timeout=HOLD_LIMIT, purpose=f"experiment {experiment.name}"):
        pass  # whoever holds the bed is told of before anything is begun
    journal: dict[str, Any] | None = None
    with _surroundings(bed, folder), _log(folder / "toolkit.log"):
        try:
            _valid(experiment)
            journal = run_experiment(experiment.toolkit, settings=SETTINGS)
        finally:
            running.end()
    write_atomically(folder / "journal.json", json.dumps(journal, indent=1, default=str, ensure_ascii=False) + "\n")
    result = read(folder)
    return result, exit_code(result, journal)


def _valid(experiment: Experiment) -> None:
    """With its variables, that is."""
    from chaoslib.exceptions import ChaosException
    from chaoslib.experiment import ensure_experiment_is_valid

    try:
        ensure_experiment_is_valid(experiment.toolkit)
    except ChaosException as error:
        raise NotOfThisBed(f"{experiment.path}: {error}") from None


def exit_code(result: Result | None, journal: dict[str, Any] | None) -> int:
    """What an experiment ends with; one without a result was refused at its begin."""
    if result is None or journal is None:
        return FAILED
    if result.still_in:
        return STILL_IN
    if result.passed and journal["status"] == "completed":
        return PASSED
    failed = any(activity.get("status") == "failed" for activity in journal["run"])
    return INTERRUPTED if journal["status"] == "interrupted" and not (failed or result.aborted) else FAILED


def told(bed: Bed, experiment: Experiment) -> str:
    """What an experiment would do, for one who is about to run it."""
    declared = experiment.declared
    lines = [f"{experiment.name}: {experiment.title}", f"  touches     {declared.touches}"]
    for step in experiment.steps:
        means = step.understood(bed).means(bed)
        lines.append(f"  would do    {step}" + (f"  ({means})" if means else ""))
    lines += [
        f"  records     {name}: {record.client} {record.given or ''}" for name, record in declared.records.items()
    ]
    lines += [f"  left out    {name}: the bed has nothing to record it with" for name in experiment.left_out]
    lines += [f"  unaffected  {', '.join(declared.unaffected) or 'nothing'}"]
    lines += [f"  within      {seconds:g} s to {name}" for name, seconds in declared.limits(bed).items()]
    return "\n".join(lines)


def line(name: str, result: Result | None, code: int) -> str:
    """The one line that a run ends with."""
    if result is None:
        return f"FAILED · {name} · it did not begin"
    word = {PASSED: "PASSED", STILL_IN: "STILL IN", INTERRUPTED: "ABORTED"}.get(code, "FAILED")
    taken = [
        f"{key} {took:.1f} s" for key in ("detect", "mend", "steady") if (took := getattr(result, key)) is not None
    ]
    lost = sum(client.lost for client in result.clients.values())
    missing = sum(client.missing for client in result.clients.values())
    parts = [word, name, result.bed, *taken, f"{lost} requests lost", f"{missing} writes missing"]
    why = [result.still_in or result.aborted, *result.wrong] if code else []
    return " · ".join(parts) + "".join(f"\n  {said}" for said in why if said)


@contextmanager
def _surroundings(bed: Bed, folder: Path) -> Iterator[None]:
    """The toolkit reads the bed from the environment, and the extension where to write."""
    wanted = {"PLUMBLINE_BED": str(bed.path.resolve()), running.REPORTS: str(folder.resolve())}
    before = {key: os.environ.get(key) for key in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextmanager
def _log(file: Path) -> Iterator[None]:
    """What the toolkit says goes to a file."""
    logger = logging.getLogger("chaostoolkit")
    handler = logging.FileHandler(file, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
