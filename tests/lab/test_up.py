"""The steps of `up` and `down`, without a machine: what they do with what is there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import containment, machine, places, up
from lab.__main__ import main
from lab.errors import LabError
from lab.machine import Machine
from lab.progress import Progress
from lab.status import NodeStatus, Status
from plumbline.bed import Bed, load

LAB = Path(__file__).parents[2] / "inventories/lab.yaml"


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(LAB)


@pytest.fixture
def folder(bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a lab of this bed that was whole; its containment holds."""

    @contextmanager
    def held(*_: Any, **__: Any) -> Iterator[None]:
        yield

    for module in (up, places):
        monkeypatch.setattr(module, "run_dir", lambda _: tmp_path)
        monkeypatch.setattr(module, "access_file", lambda _: tmp_path / "access.json")
    for name in ("_held", "hold"):
        monkeypatch.setattr(up, name, held)
    monkeypatch.setattr(up.rootfs, "require_root", lambda: None)
    monkeypatch.setattr(up.cgroups, "alive", lambda _: True)
    monkeypatch.setattr(containment, "contained", lambda _: [])
    monkeypatch.setattr(containment, "contain", lambda *_: None)
    (tmp_path / "bed.sha256").write_text(up._digest(bed))
    (tmp_path / "access.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(("state", "stays"), [("running", True), ("exited", False)])
def test_a_lab_stays_within_reach_until_its_failed_unit_runs_again(
    bed: Bed, folder: Path, monkeypatch: pytest.MonkeyPatch, state: str, stays: bool
) -> None:
    found = Status(bed.bed, False, (NodeStatus("node", state, ("ssh.service",)),))
    monkeypatch.setattr(up, "status", lambda _: found)

    def fails(*_: Any) -> None:
        raise LabError("units failed")

    monkeypatch.setattr(up, "_realise", fails)
    with pytest.raises(LabError, match="units failed"):
        up.up(bed, Progress())
    assert (folder / "access.json").exists() == stays


def test_what_a_lab_has_run_on_counts_as_used_until_it_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[float] = []
    monkeypatch.setattr(up.cache, "used_since", noted.append)
    monkeypatch.setattr(up, "_down", lambda *_: None)
    monkeypatch.setattr(up, "RUNTIME", folder)
    os.utime(folder / "bed.sha256", (1000, 1000))

    up.down("lab", Progress())

    assert noted == [1000]


def test_units_that_have_failed_begin_anew_where_a_machine_ran_already(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def run(bed: str, node: str, argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append((node, *argv))
        return subprocess.CompletedProcess(argv, 0, "running", "")

    monkeypatch.setattr(machine, "run", run)
    monkeypatch.setattr(machine, "boot", lambda *_: {"a"})
    monkeypatch.setattr(up.switch, "apply", lambda *_: None)
    up._boot(bed, [Machine("a", units=("ssh",)), Machine("b", units=("ssh",))], Path("/"))

    of = {node: [argv[1:3] for argv in asked if argv[0] == node] for node in ("a", "b")}
    assert of["a"] == [("systemctl", "reset-failed"), ("systemctl", "start"), ("systemctl", "is-system-running")]
    assert of["b"] == [("systemctl", "is-system-running")]


def test_the_disks_of_a_lab_are_found_though_the_settings_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "run_dir", lambda _: tmp_path)
    monkeypatch.setenv("PLUMBLINE_STATE", str(tmp_path / "at-up"))
    places.record_state("bed")
    monkeypatch.setenv("PLUMBLINE_STATE", str(tmp_path / "later"))

    assert places.state_dir("bed") == tmp_path / "at-up/bed"
    (tmp_path / "state").write_text("")
    assert places.state_dir("bed") == tmp_path / "later/bed"


def test_a_podman_that_hangs_does_not_keep_a_lab_from_going(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*_: Any, **__: Any) -> None:
        raise LabError("`podman rm` did not end within 60 s")

    for module in (machine, machine.podman):
        monkeypatch.setattr(module, "run_dir", lambda _: tmp_path / "run")
        monkeypatch.setattr(module, "state_dir", lambda _: tmp_path / "state")
    monkeypatch.setattr(machine.podman, "call", hangs)
    (tmp_path / "run").mkdir()
    (tmp_path / "state/podman").mkdir(parents=True)

    machine.remove_all("no-such-bed")

    assert not (tmp_path / "state").exists()


BUSY = """
import os, signal, threading, time
from concurrent.futures import ThreadPoolExecutor
from lab.__main__ import left_at_once
with left_at_once(), ThreadPoolExecutor(1) as pool:
    waiting = pool.submit(time.sleep, 60)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    waiting.result()
"""


def test_ctrl_c_is_heard_while_threads_are_busy() -> None:
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 130
    assert done.stderr.startswith("lab: interrupted; the same command goes on from here")


SMALL = """\
version: 1
bed: t-wrong
realised_by: lab
nodes: {one: {role: a}}
networks: """
TWICE, ELSEWHERE = "{oobi: {cidr: 198.18.3.0/29}, data: {cidr: 198.18.3.0/29}}", "{data: {cidr: 198.18.3.0/29}}"


@pytest.mark.parametrize(("networks", "told"), [(TWICE, "198.18.3.0/29"), (ELSEWHERE, "networks.oobi is missing")])
def test_a_bed_file_that_no_lab_can_be_is_told_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], networks: str, told: str
) -> None:
    file = tmp_path / "bed.yaml"
    file.write_text(f"{SMALL}{networks}\n")
    monkeypatch.setattr(up, "build", lambda *_: pytest.fail("was built"))

    assert main(["build", "--bed", str(file)]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("name", ["consul", "gameday", "isp", "pki", "slurm", "vault", "../../../inventories/lab"])
def test_the_beds_that_the_tests_bring_up_may_come_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "build", lambda *_: None)

    assert main(["build", "--bed", str(LAB.parents[1] / "tests/lab/beds" / f"{name}.yaml")]) == 0
