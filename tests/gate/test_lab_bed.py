"""A bed that is a lab is started, and looked at from its runner's network namespace and from nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from plumbline.places import runtime
from tests.gate.tiny import Tiny

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")
LAB = """
import json, pathlib
state = pathlib.Path({state!r})
state.mkdir(parents=True, exist_ok=True)
(state / "cgroup").mkdir(exist_ok=True)
(state / "cgroup/cgroup.procs").write_text("1\\n")
access = {{"netns": {netns!r}, "ssh_config": "/dev/null", "cgroups": [str(state / "cgroup")]}}
(state / "access.json").write_text(json.dumps(access))
pathlib.Path("times").open("a").write("up ")
"""
INSIDE = """
@check('host.inside', **ABOUT)
@for_each('node', nodes)
def test_inside(node, request):
    here, there = os.stat('/proc/thread-self/ns/net'), os.stat('/run/netns/{netns}')

    assert here.st_ino == there.st_ino
    assert request.config.option.ssh_config == '/dev/null'
"""


@pytest.fixture
def netns() -> Iterator[str]:
    """An empty network namespace."""
    name = f"gate-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True, timeout=10)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True, timeout=10)


@pytest.fixture
def lab(tiny: Tiny, netns: str) -> Iterator[Tiny]:
    """A tiny bed whose lab comes up at once."""
    tiny.bed(realised_by="lab")
    tiny.write("lab/__init__.py", "")
    tiny.write("lab/__main__.py", LAB.format(state=str(runtime(tiny.name)), netns=netns))
    tiny.suite(INSIDE.format(netns=netns), layer="host")
    yield tiny
    shutil.rmtree(runtime(tiny.name))


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_every_process_looks_from_the_runners_namespace(lab: Tiny, workers: str) -> None:
    run = lab.run("suites", workers)

    assert run.outcomes() == {"inside ucs-1": "passed", "inside ucs-2": "passed"}, run.out
    assert run.code == 0


def test_a_lab_that_is_up_is_not_started_again(lab: Tiny) -> None:
    lab.run("suites")
    lab.run("suites")

    assert (lab.folder / "times").read_text(encoding="utf-8") == "up "


def test_what_remains_of_a_lab_without_a_process_is_started_again(lab: Tiny) -> None:
    lab.run("suites")
    (runtime(lab.name) / "cgroup/cgroup.procs").write_text("")

    assert lab.run("suites").code == 0
    assert (lab.folder / "times").read_text(encoding="utf-8") == "up up "


def test_what_the_bed_file_says_of_itself_needs_no_lab(lab: Tiny) -> None:
    lab.suite("@check('inventory.it', **ABOUT)\ndef test_it(bed): assert bed.nodes\n")

    assert lab.run("suites/inventory").code == 0
    assert lab.run("suites", "-m", "inventory").code == 0
    assert not (lab.folder / "times").exists()
    runtime(lab.name).mkdir()
