"""Runs experiments as a user does, and tells what they left in the bed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos.call import ActionFailed, Call
from chaos.choose import chosen
from chaos.extension.result import Result, read
from chaos.history.model import moments
from chaos.reach import Reach
from chaos.undo import bring_back
from plumbline import places
from plumbline.bed import Bed

ROOT = Path(__file__).parents[1]
LIMIT = 900.0


@contextmanager
def running(bed: Bed, name: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """An experiment in a process of its own, which is ended at the latest with the block."""
    command = [sys.executable, "-m", "chaos", "run", name, "--bed", str(bed.path), "--report-dir", str(folder)]
    output = (folder / "said").open("w", encoding="utf-8")
    with output, subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def await_moment(process: subprocess.Popen[str], folder: Path, name: str) -> None:
    """Until it has come about (a probe: until it holds); that the experiment ends before is an error."""
    deadline = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        file = folder / "moments.jsonl"
        if file.exists() and any(m.name == name and m.holds is not False for m in moments(file)):
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} did not come about; the experiment ended with {process.poll()}")


def ended(process: subprocess.Popen[str], folder: Path, name: str) -> tuple[int, Result]:
    """The exit code of an experiment and what became of it."""
    code, result = process.wait(LIMIT), read(folder / Path(name).stem)
    assert result is not None, (folder / "said").read_text(encoding="utf-8")
    return code, result


@contextmanager
def put_in(bed: Bed, steps: list[Any]) -> Iterator[None]:
    """What is done to the bed beside an experiment, and undone at the end of the block."""
    calls = [Call.of(chosen(bed, step)) for step in steps]
    with Reach(bed) as reach:
        back = [call for step in reversed(calls) for call in step.reverse(bed, reach)]
        try:
            for call in calls:
                call.apply(bed, reach)
            yield
        finally:
            assert bring_back(bed, reach, back) == []


def left(bed: Bed) -> list[str]:
    """What of an experiment is still there: entries of the ledger, namespaces of clients, an API server that is down."""
    with Reach(bed) as reach:
        try:
            listed = reach.get("/api/v1/namespaces")["items"]
        except ActionFailed as error:
            return [*map(str, places.leftovers(bed.bed)), str(error)]
        names = [each["metadata"]["name"] for each in listed if "history" in each["metadata"]["name"]]
        return [*map(str, places.leftovers(bed.bed)), *names]


def verdict(bed: Bed, folder: Path, within: float = 180.0) -> str:
    """What the gate says, as soon as it says go, or at the end of that time."""
    deadline = time.monotonic() + within
    while True:
        command = [sys.executable, "-m", "pytest", "-n", "auto", "suites", "-q", "--bed", str(bed.path), "--report-dir"]
        subprocess.run([*command, str(folder)], cwd=ROOT, capture_output=True, timeout=LIMIT, check=False)
        report = json.loads((folder / "gate.json").read_text(encoding="utf-8"))
        if report["verdict"] == "go" or time.monotonic() > deadline:
            return f"{report['verdict']}: {[(f['check'], f['subjects']) for f in report['findings']][:5]}"
