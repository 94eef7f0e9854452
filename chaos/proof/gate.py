"""Runs the gate as a user runs it, in a process of its own, and reads what it wrote."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIMIT = 180.0
"""Seconds that a gate may take; one that takes longer has lost a time limit of its own."""
_PATIENCE = 10.0
_MOST_SAID = 600
_NO_VERDICT = (2, 3, 4, 5, 11, 12)


class NoGate(Exception):
    """The gate gave no verdict on the bed; the text says why."""


@dataclass(frozen=True)
class Looked:
    """A gate that has ended: its gate.json, and how long it took."""

    report: Mapping[str, Any]
    seconds: float
    ended: float
    """Time of its end, by `time.monotonic`."""


def look(
    bed_file: Path,
    suites: Sequence[Path],
    folder: Path,
    environment: Mapping[str, str],
    *,
    workers: str = "0",
    limit: float = LIMIT,
    options: Sequence[str] = (),
) -> Looked:
    """Runs `suites` on a bed and reads the report from `folder`; NoGate where there is none to judge by.

    `options` are further words of pytest's command line.
    """
    report = folder / "gate.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", *map(str, suites), "--bed", str(bed_file), "--report-dir", str(folder)]
    command += [*options, "-q", "-n", workers, "-o", f"cache_dir={(folder / 'cache').resolve()}"]
    surroundings = {**os.environ, **environment}
    surroundings.pop("PLUMBLINE_BED", None)
    begun = time.monotonic()
    said, code = _run(command, surroundings, limit)
    ended = time.monotonic()
    if not report.exists():
        raise NoGate(f"the gate ended with {code} and no report: {said}")
    gate = json.loads(report.read_text(encoding="utf-8"))
    if code in _NO_VERDICT:
        told = "; ".join(check["found"] for check in gate["checks"] if check["layer"] == "gate")
        raise NoGate(f"the gate ended with {code}: {told or said}"[:_MOST_SAID])
    return Looked(gate, ended - begun, ended)


def _run(command: Sequence[str], environment: Mapping[str, str], limit: float) -> tuple[str, int]:
    """What a command said last, and its exit code; the command and all that it started is ended at the limit."""
    with subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            _end(process)
            raise NoGate(f"the gate did not end within {limit:.0f} s") from None
        except BaseException:
            _end(process)
            raise
    return said.strip()[-_MOST_SAID:], process.returncode


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_PATIENCE)
            return
