"""Every experiment on the whole lab, which is up: it passes, it fails where the bed does not recover, a kill leaves nothing."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos.declared import files
from plumbline.bed import load
from tests.gamedays import ROOT, await_moment, ended, left, put_in, running, verdict

pytestmark = pytest.mark.timeout(1200)
BED = load(ROOT / "inventories" / "lab.yaml")
NAMES = [file.stem for file in files()]
NO_RECOVERY: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "no_recovery.yaml").read_text())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("time_of_three", [1, 2, 3])
def test_the_bed_comes_through(name: str, time_of_three: int, tmp_path: Path) -> None:
    with running(BED, name, tmp_path) as process:
        code, result = ended(process, tmp_path, name)

    assert (code, result.wrong, result.passed) == (0, (), True), (tmp_path / "said").read_text()
    assert left(BED) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_bed_that_does_not_recover_fails(name: str, tmp_path: Path) -> None:
    told = NO_RECOVERY[name]
    with running(BED, name, tmp_path) as process:
        await_moment(process, tmp_path / name, told["at"])
        with put_in(BED, told["steps"]):
            code, result = ended(process, tmp_path, name)

    assert not result.passed, "it passed although the bed did not recover"
    said = " ".join([*result.wrong, result.aborted, result.still_in])
    assert re.search(told["says"], said), f"it failed, but of something else: exit code {code}, {said}"
    assert verdict(BED, tmp_path / "gate").startswith("go")


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_runner_leaves_the_bed_restored(name: str, tmp_path: Path) -> None:
    with running(BED, name, tmp_path) as process:
        await_moment(process, tmp_path / name, "inject")
        time.sleep(random.uniform(0.0, 6.0))  # somewhere in the middle
        process.kill()

    deadline = time.monotonic() + 130
    while (found := left(BED)) and time.monotonic() < deadline:
        time.sleep(1.0)
    assert found == []
    assert verdict(BED, tmp_path / "gate").startswith("go")
