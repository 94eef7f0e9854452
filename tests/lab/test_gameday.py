"""Experiments on a small bed of real machines: those that it comes through, one that it does not, and killed runners."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos.call import Call
from chaos.extension.result import Result
from chaos.reach import Reach
from chaos.undo import until
from lab import up
from lab.progress import Progress
from plumbline.bed import load
from tests.gamedays import ROOT, await_moment, ended, left, running

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root brings a lab up"),
    pytest.mark.timeout(400),
]
FILE = Path(__file__).parent / "beds" / "gameday.yaml"
GONE = Path(__file__).parent / "experiments" / "agents-gone-for-good.yaml"
BED = load(FILE)
WHOLE = (
    Call("kubernetes.pods", {"workload": "stall", "settled": True}),
    Call("kubernetes.pods", {"workload": "buyer", "settled": True}),
    Call("node.carrier", {"node": "east"}),
)


@pytest.fixture(scope="module", autouse=True)
def bed() -> Iterator[None]:
    """The small bed is up."""
    try:
        up.up(BED, Progress())
        yield
    finally:
        up.down(BED.bed, Progress())


def ran(name: str, folder: Path) -> tuple[int, Result]:
    with running(BED, name, folder) as process:
        return ended(process, folder, name)


def not_as_before() -> list[Any]:
    """What of an experiment is still there, and what does not hold that must."""
    with Reach(BED) as reach:
        return [*left(BED), *until(BED, reach, WHOLE, 20.0)]


def test_the_bed_comes_through(tmp_path: Path) -> None:
    code, result = ran("persona-pod-killed", tmp_path)

    assert (code, result.wrong) == (0, ())
    assert result.passed
    assert result.clients["objects"].operations > 10
    assert result.clients["others"].lost == 0
    assert not_as_before() == []


def test_a_bed_that_does_not_recover_fails_and_is_restored(tmp_path: Path) -> None:
    code, result = ran(str(GONE), tmp_path)

    assert code == 1
    assert any("whole" in said for said in result.wrong)
    assert result.still_in == ""
    assert not_as_before() == []


def test_a_killed_runner_leaves_the_bed_restored(tmp_path: Path) -> None:
    name = "trunk-of-a-node-cut"
    with running(BED, name, tmp_path) as process:
        await_moment(process, tmp_path / name, "inject")
        assert process.poll() is None
        process.kill()

    deadline = time.monotonic() + 60
    while (found := not_as_before()) and time.monotonic() < deadline:
        time.sleep(1.0)
    assert found == []


def test_a_bed_of_agents_that_does_not_allow_it_is_refused(tmp_path: Path) -> None:
    bed = tmp_path / "gameday.yaml"
    bed.write_text(FILE.read_text().replace("allow: {chaos: true}", "allow: {chaos: false}"))
    asked = [
        sys.executable,
        "-m",
        "pytest",
        "suites/chaos",
        "--chaos",
        "-q",
        "--bed",
        str(bed),
        "--report-dir",
        str(tmp_path),
    ]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert done.returncode == 4
    assert "this bed does not allow it" in json.loads((tmp_path / "gate.json").read_text())["checks"][0]["found"]
