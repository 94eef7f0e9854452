"""The gate, timed as a user meets it: whole processes, from before the interpreter starts until after it has ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.bench.timings import VARIABLE
from lab.errors import LabError
from plumbline.bed import Bed

LIMIT = 300.0
PROJECT = Path(__file__).parents[2]
_JUDGED = (0, 1)
"""Exit codes of a run that reached its end: go, or a check that failed or is unknown."""


@dataclass(frozen=True)
class GateRun:
    """A run of the gate: seconds of the whole process, of its phases and of each source of facts; the counts."""

    seconds: float
    verdict: str
    counts: dict[str, int]
    phases: dict[str, float]
    facts: dict[str, float]

    @property
    def looked(self) -> int:
        """Checks that looked at something: all but those that the bed cannot show."""
        return sum(count for outcome, count in self.counts.items() if outcome != "not-applicable")

    @property
    def summary(self) -> str:
        """Verdict and counts, in words."""
        return f"{self.verdict}, {', '.join(f'{n} {outcome}' for outcome, n in self.counts.items() if n)}"


def run(bed: Bed, arguments: Sequence[str]) -> GateRun:
    """Run pytest once with these arguments; `LabError` where it does not come to a verdict within its limit."""
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
        command = [
            sys.executable,
            "-m",
            "pytest",
            *arguments,
            "--bed",
            str(bed.path.absolute()),
            "--report-dir",
            folder,
        ]
        command += ["-q", "-p", "lab.bench.timings"]
        notes = Path(folder, "timings.json")
        started = time.monotonic()
        order = json.dumps({"file": str(notes), "started": started, "bed": bed.bed})
        try:
            done = subprocess.run(
                command, cwd=PROJECT, env={**os.environ, VARIABLE: order}, timeout=LIMIT, capture_output=True,
                text=True, errors="replace", stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise LabError(f"`pytest {' '.join(arguments)}` did not end within {LIMIT:.0f} s") from None
        seconds = time.monotonic() - started
        if done.returncode not in _JUDGED:
            said = (done.stdout + done.stderr).strip().splitlines()[-3:]
            raise LabError(f"`pytest {' '.join(arguments)}` ended with {done.returncode}: {' | '.join(said)}")
        return _read(Path(folder, "gate.json"), notes, seconds)


def _read(report: Path, notes: Path, seconds: float) -> GateRun:
    gate: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    timings: dict[str, dict[str, float]] = json.loads(notes.read_text(encoding="utf-8"))
    phases = timings["phases"]
    phases["end of the interpreter"] = seconds - sum(phases.values())
    return GateRun(seconds, gate["verdict"], gate["counts"], phases, timings["facts"])
