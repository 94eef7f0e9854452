"""Experiments are no checks of the gate: without --chaos nothing here is collected."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.options import bed_file, report_dir

LIMIT = 1700.0
NOT_OF_THIS_BED = 2
Run = Callable[[str], dict[str, Any]]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves all of it out where nobody has asked for it."""
    return None if config.getoption("chaos") else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test an experiment."""
    folder = metafunc.config.rootpath / "chaos" / "experiments"
    metafunc.parametrize("experiment", sorted(file.stem for file in folder.glob("*.yaml")))


@pytest.fixture(scope="session")
def bed_given_back(request: pytest.FixtureRequest) -> None:
    """Checks hold the bed shared, experiments alone, and one after the other."""
    gate = request.config.pluginmanager.get_plugin("plumbline-gate")
    if gate is None:
        pytest.fail("experiments run one at a time: leave out -n")
    gate.prepared.give_back()


@pytest.fixture
def run(request: pytest.FixtureRequest, bed_given_back: None) -> Run:
    """Runs an experiment as `python -m chaos run` does; its result."""
    config = request.config
    folder = report_dir(config) / "chaos"

    def one(name: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "chaos", "run", name, "--bed", str(bed_file(config).resolve())]
        done = subprocess.run(
            [*command, "--report-dir", str(folder.resolve())],
            cwd=config.rootpath, capture_output=True, text=True, timeout=LIMIT, check=False,
        )  # fmt: skip
        said = (done.stderr or done.stdout).strip()
        if done.returncode == NOT_OF_THIS_BED and "the experiment is about" in said:
            pytest.skip(said)
        try:
            result: dict[str, Any] = json.loads((folder / name / "result.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            pytest.fail(f"it ended with {done.returncode} and no result: {said[-600:]}")
        return {**result, "exit_code": done.returncode, "line": done.stdout.strip()}

    return one
