"""A bed that is a folder: its faults change files, so that every way of ending can be tried in a second."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos import ledger
from chaos.__main__ import main
from chaos.call import Arguments, Call, action
from chaos.fault import Fault, load
from chaos.ledger import Entry
from chaos.reach import Reach
from plumbline import bed as beds
from plumbline import places
from plumbline.bed import Bed

ROOT = Path(__file__).parents[2]
LIMIT = 20.0
_BED = """version: 1
bed: {name}
realised_by: hardware
allow: {{chaos: {allowed}}}
nodes:
  ucs-1: {{role: a, ssh: false}}
networks:
  oobi: {{cidr: 192.0.2.0/24}}
"""


@action("test.fails")
class Fails(Arguments):
    """Does what it is told to: fails in one of its three methods, for so many times."""

    phase: str = ""
    times: int = 1_000_000
    counter: str = ""
    undo: bool = False

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        self._perhaps("reverse")
        return (
            [Call("test.fails", {"phase": "apply", "times": self.times, "counter": self.counter})] if self.undo else []
        )

    def apply(self, bed: Bed, reach: Reach) -> None:
        self._perhaps("apply")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        self._perhaps("holds")
        done = (
            Path(self.counter).exists() and len(Path(self.counter).read_text()) > self.times if self.counter else False
        )
        return self.phase != "effect" and (self.phase != "apply" or done)

    def _perhaps(self, phase: str) -> None:
        if phase != self.phase or self.undo:
            return
        counted = Path(self.counter) if self.counter else None
        count = len(counted.read_text()) if counted and counted.exists() else 0
        if counted:
            counted.write_text("x" * (count + 1))
        if count < self.times:
            raise RuntimeError(f"{phase} fails")


@dataclass(frozen=True)
class Scratch:
    """The folder, and the bed of it."""

    folder: Path
    name: str

    def bed(self, *, allowed: bool = True, more: str = "") -> Bed:
        """The bed, read from its file."""
        file = self.folder / "bed.yaml"
        file.write_text(_BED.format(name=self.name, allowed=str(allowed).lower()) + more)
        return beds.load(file)

    def file(self, name: str) -> Path:
        """A file that faults change."""
        return self.folder / name

    def change(self, name: str, text: str | None = "changed", seconds: float = 0.0) -> dict[str, Any]:
        """The call that changes it."""
        return {"scratch.file": {"path": str(self.file(name)), "text": text, "seconds": seconds}}

    def fault(self, *inject: dict[str, Any], ttl: str = "20s", **more: Any) -> Fault:
        """A fault of these calls."""
        told = {
            "fault": "scratch",
            "stands_for": "no document",
            "summary": "files are not as they were",
            "layer": "host",
            "subject": "node:ucs-1",
            "inject": list(inject),
            "red": ["host.it"],
            "time_to_live": ttl,
        }
        file = self.folder / "scratch.yaml"
        file.write_text(json.dumps(told | more))
        return load(file)

    def entry(self, *undo: dict[str, Any], pid: int = 0, **more: Any) -> Entry:
        """An entry of a run that is gone, on disk."""
        made = ledger.new(self.bed(), "scratch", 20.0).model_copy(
            update={"undo": undo, "pid": pid, "started": ""} | more
        )
        ledger.write(made)
        return made

    def entries(self) -> list[Path]:
        """The files of the ledger."""
        return places.leftovers(self.name)

    def chaos(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `python -m chaos` says and ends with, in this process: it is quicker."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([*words, "--bed", str(self.folder / "bed.yaml")])
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Runs `python -m chaos` beside the test; it is killed with the block."""
        command = [sys.executable, "-m", "chaos", *words, "--bed", str(self.folder / "bed.yaml")]
        surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            command, cwd=self.folder, env=surroundings, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def soon(condition: Callable[[], object], limit: float = LIMIT) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
