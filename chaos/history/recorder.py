"""The recorder as an experiment sees it: started beside it, ended by it, or by its death."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from chaos.history.client import FINAL_LIMIT, Client, find, names
from plumbline.bed import Bed
from plumbline.bed.errors import nearest
from plumbline.bed.types import Strict

READY_LIMIT = 60.0
END_LIMIT = FINAL_LIMIT + 50.0
MOST_RATE = 20.0
_ROOT = Path(__file__).resolve().parents[2]


class NoRecorder(Exception):
    """What clients do cannot be recorded, so that nothing is broken."""


def _known(name: str) -> str:
    if name not in names():
        raise ValueError(f"a client: {', '.join(names())}; {nearest(name, names())}".rstrip("; "))
    return name


class Record(Strict):
    """What one client does while an experiment runs."""

    client: Annotated[str, AfterValidator(_known)] = Field(description="a module of chaos.history.clients")
    given: dict[str, Any] = Field(default={}, alias="with", description="its arguments")
    rate: float = Field(default=4.0, gt=0, le=MOST_RATE, description="operations a second")
    optional: bool = Field(default=False, description="left out on a bed that lacks what it names")

    def made(self) -> Client:
        """The client with its arguments; ValidationError where they are wrong."""
        return find(self.client).model_validate(self.given)


@dataclass
class Recorder:
    """A recorder that runs."""

    process: subprocess.Popen[bytes]
    file: Path
    log: Path

    @classmethod
    def start(cls, bed: Bed, records: Mapping[str, Record], file: Path, seconds: float) -> Recorder:
        """Starts it, and waits until every client can ask; NoRecorder where one cannot."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        log = file.with_suffix(".log")
        command = [sys.executable, "-m", "chaos.history", "--bed", str(bed.path.resolve())]
        command += ["--out", str(file.resolve()), "--seconds", str(seconds)]
        with log.open("wb") as said:
            process = subprocess.Popen(
                command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, start_new_session=True
            )
        made = cls(process, file, log)
        wanted = {name: {"client": r.client, "with": r.given, "rate": r.rate} for name, r in records.items()}
        try:
            made._say(json.dumps(wanted))
            made._await_ready()
        except BaseException:
            made.stop()
            raise
        return made

    def _await_ready(self) -> None:
        out = self.process.stdout
        if out is None or not select.select([out], [], [], READY_LIMIT)[0] or out.readline() != b"ready\n":
            raise NoRecorder(f"what clients do cannot be recorded: {self.said()}")

    def alive(self) -> bool:
        """Whether it still records."""
        return self.process.poll() is None

    def stop(self) -> int:
        """Ends it once clients have read what is there and taken away what is theirs; its exit code."""
        self._say("end")
        try:
            self.process.communicate(timeout=END_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode

    def said(self) -> str:
        """The last that it said of what went wrong."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it did not say why"

    def _say(self, text: str) -> None:
        if self.process.stdin is not None:
            with suppress(OSError, ValueError):
                self.process.stdin.write(f"{text}\n".encode())
                self.process.stdin.flush()
