"""A tiny bed and tiny suites, run as a user runs them: in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIMIT = 60
HEAD = """
import os, signal, time
import pytest
from plumbline.check import Case, check, for_each, found
from plumbline.outcome import Unknown

ABOUT = dict(severity="major", remedy="mend {name}", consequence="no traffic", source="seed 000")

def nodes(bed):
    return [Case(name, f"node:{name}", name, (), bed.where(f"nodes.{name}")) for name in bed.nodes]

def vlans(bed):
    return [Case(name, f"vlan:{name}", name, ("node:ucs-1",), bed.where(f"networks.{name}")) for name in bed.vlans]
"""
BED = """
version: 1
bed: {name}
realised_by: {realised_by}
nodes:
  ucs-1: {{role: a, ssh: false}}
  ucs-2: {{role: b, ssh: false}}
networks:
  browsers: {{vlan: 20, cidr: 172.16.0.0/16}}
  k6:       {{vlan: 30, cidr: 172.17.0.0/16}}
{more}
"""


@dataclass(frozen=True)
class Ended:
    """A run that has ended."""

    code: int
    out: str
    folder: Path

    @property
    def last_line(self) -> str:
        """The last line of what it printed."""
        return self.out.rstrip("\n").rpartition("\n")[2]

    @property
    def report(self) -> dict[str, Any]:
        """Its gate.json."""
        document: dict[str, Any] = json.loads((self.folder / "gate.json").read_text(encoding="utf-8"))
        return document

    def outcomes(self) -> dict[str, str]:
        """Outcome of each check, by title and case."""
        return {f"{c['title']} {c['case']}".strip(): c["outcome"] for c in self.report["checks"]}

    def check(self, title: str) -> dict[str, Any]:
        """One check of gate.json."""
        return next(c for c in self.report["checks"] if c["title"] == title)


@dataclass(frozen=True)
class Tiny:
    """A project of its own in a temporary folder."""

    folder: Path
    name: str

    def bed(self, more: str = "", realised_by: str = "hardware") -> None:
        """Writes the bed file."""
        self.write("bed.yaml", BED.format(name=self.name, more=more, realised_by=realised_by))

    def suite(self, text: str, layer: str = "inventory", name: str = "test_it.py") -> None:
        """Writes a suite; one of the layer inventory needs no bed."""
        self.write(f"suites/{layer}/{name}", HEAD + text)

    def write(self, path: str, text: str) -> None:
        """Writes any file."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Starts a run; where no path is given, of the layer inventory."""
        paths = [] if any(a.startswith(("suites", "tests")) for a in arguments) else ["suites/inventory"]
        command = [sys.executable, "-m", "pytest", "--bed", "bed.yaml", *arguments, *paths]
        surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        surroundings.pop("PLUMBLINE_BED", None)
        return subprocess.Popen(
            command, cwd=self.folder, env=surroundings, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self, *arguments: str, **environment: str) -> Ended:
        """Runs to the end."""
        return self.ended(self.start(*arguments, **environment))

    def ended(self, process: subprocess.Popen[str]) -> Ended:
        """Waits for a run that was started."""
        with process:
            try:
                out, _ = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Ended(process.returncode, out, self.folder / "reports")
