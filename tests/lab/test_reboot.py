"""A node loses its power while a fault is in it, and its runner is killed: the undo finds it again when it is back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cgroups, machine, up
from lab.progress import Progress
from lab.status import status
from plumbline import places
from plumbline.bed import Bed, load
from plumbline.places import hold_file
from tests.chaos.scratch import ROOT, soon

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="machines need root"), pytest.mark.timeout(400)]

BED = """\
version: 1
bed: t-reboot
realised_by: lab
allow: {chaos: true}
access: {runner: 198.18.3.6}
nodes:
  one: {role: a, oobi: 198.18.3.1}
networks:
  oobi: {cidr: 198.18.3.0/29}
"""
FAULT = {
    "fault": "two-things",
    "stands_for": "no document",
    "summary": "a file says something else, which lasts, and a service runs, which does not",
    "layer": "host",
    "subject": "node:one",
    "inject": [
        {"node.file": {"node": "one", "path": "/etc/issue", "content": "a fault\n"}},
        {"node.unit": {"node": "one", "unit": "snmpd", "active": True}},
    ],
    "red": ["host.it"],
    "time_to_live": "60s",
}


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    """A node of its own, up for this test."""
    file = tmp_path / "bed.yaml"
    file.write_text(BED)
    bed = load(file)
    try:
        up.up(bed, Progress())
        yield bed
    finally:
        up.down(bed.bed, Progress())


def said(bed: Bed, *argv: str) -> str:
    return machine.run(bed.bed, "one", argv).stdout.strip()


def test_a_restart_of_the_node_and_the_end_of_the_runner_leave_nothing(bed: Bed, tmp_path: Path) -> None:
    before = said(bed, "cat", "/etc/issue")
    fault = tmp_path / "two-things.yaml"
    fault.write_text(json.dumps(FAULT))
    chaos = [sys.executable, "-m", "chaos"]
    inject = [*chaos, "inject", str(fault), "--for", "60s", "--bed", str(bed.path)]
    with subprocess.Popen(inject, cwd=ROOT, stdin=subprocess.DEVNULL) as runner:
        assert soon(lambda: said(bed, "systemctl", "is-active", "snmpd") == "active", 30)
        assert said(bed, "cat", "/etc/issue") == "a fault"
        machine.power_off(bed.bed, "one")
        runner.kill()
    machine.power_on(bed.bed, "one")

    assert soon(lambda: not places.leftovers(bed.bed), 60), "the watchdog did not undo it"
    assert said(bed, "cat", "/etc/issue") == before
    assert said(bed, "systemctl", "is-active", "snmpd") != "active"
    subprocess.run([*chaos, "ledger", "undo", "--bed", str(bed.path)], cwd=ROOT, timeout=60, check=True)


def test_a_lab_whose_processes_were_all_ended_comes_up_anew(bed: Bed) -> None:
    cgroups.kill(bed.bed)
    assert soon(lambda: not cgroups.alive(bed.bed))

    up.up(bed, Progress())

    assert machine.run(bed.bed, "one", ["systemctl", "is-active", "ssh"]).stdout.strip() == "active"
    assert status(bed).whole


def test_a_lab_that_is_taken_down_leaves_no_note_of_a_killed_run(bed: Bed) -> None:
    """Where a run was killed, its lock went with it, but not the file that told of it."""
    hold_file(bed.bed).write_text("{}")
    up.down(bed.bed, Progress())

    assert not hold_file(bed.bed).exists()
