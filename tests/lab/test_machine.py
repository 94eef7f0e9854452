"""The machines of a lab, on two real ones and the switch."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from lab import cgroups, machine, netns, places
from lab.errors import LabError
from tests.lab import smallbed
from tests.lab.smallbed import BED

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="machines need root"),
    pytest.mark.xdist_group("smallbed"),
    pytest.mark.timeout(400),
]


@pytest.fixture(scope="module", autouse=True)
def bed() -> Iterator[None]:
    with smallbed.running():
        yield


def test_a_machine_has_its_own_systemd_in_its_own_namespaces() -> None:
    said = machine.run(BED, "a", ["sh", "-c", "hostname; cat /proc/1/comm; systemctl is-system-running"])

    assert said.stdout.split() == ["a", "systemd", "running"]


def test_a_machine_sees_no_cgroup_but_its_own() -> None:
    inside = machine.run(BED, "a", ["find", "/sys/fs/cgroup", "-name", "plumbline*", "-o", "-name", "libpod*"])

    assert inside.stdout == ""
    assert any((root / "plumbline" / BED).is_dir() for root in (cgroups.ROOT, *cgroups.ROOT.iterdir()))


def test_the_machines_weigh_more_than_one_process() -> None:
    found = {
        file: int((tree / file).read_text())
        for tree in (cgroups.ROOT / "cpu/plumbline", cgroups.ROOT / "plumbline")
        for file in ("cpu.shares", "cpu.weight")
        if (tree / file).exists()
    }

    assert found.items() <= {"cpu.shares": 8 * 1024, "cpu.weight": 8 * 100}.items()
    assert found


def test_a_machine_can_make_cgroups() -> None:
    script = (
        "for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do [ -e $d/cgroup.procs ] && mkdir $d/kubepods; done;"
        "find /sys/fs/cgroup -name kubepods"
    )

    assert machine.run(BED, "a", ["sh", "-c", script]).stdout != ""
    assert machine.run(BED, "b", ["find", "/sys/fs/cgroup", "-name", "kubepods"]).stdout == ""


def test_a_file_is_put_whole_with_its_mode() -> None:
    machine.put(BED, "a", "/etc/new/folder/secret", b"\x00s", mode=0o600)

    said = machine.run(BED, "a", ["stat", "-c", "%a %s", "/etc/new/folder/secret"])
    assert said.stdout.split() == ["600", "2"]


def test_a_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        machine.run(BED, "a", ["sh", "-c", "sleep 61 & sleep 61"], timeout=0.2)

    deadline = monotonic() + 5
    while machine.run(BED, "a", ["pgrep", "--runstates", "R,S,D", "-x", "sleep"]).returncode == 0:
        assert monotonic() < deadline


def test_input_output_and_exit_code_of_a_program() -> None:
    said = machine.run(BED, "a", ["sh", "-c", "cat; echo no >&2; exit 3"], input="yes")

    assert (said.returncode, said.stdout, said.stderr) == (3, "yes", "no\n")


def test_booting_again_changes_nothing() -> None:
    before = machine.status(BED)

    smallbed.bring_up()

    assert machine.status(BED) == before


def test_power_off_ends_everything_and_power_on_keeps_the_disk() -> None:
    machine.put(BED, "b", "/etc/kept", "x")
    machine.power_off(BED, "b")

    assert machine.status(BED)["b"].state == "exited"
    assert not smallbed.ping("a", "198.18.0.2")
    assert not smallbed.ping("a", "198.18.1.2")

    machine.power_on(BED, "b")
    machine.wait_running(BED, "b", monotonic() + 20)

    assert machine.run(BED, "b", ["cat", "/etc/kept"]).stdout == "x"
    assert smallbed.ping("a", "198.18.0.2")
    assert smallbed.ping("a", "198.18.1.2")


def test_the_journal_can_be_read_when_the_power_is_off() -> None:
    assert list(machine.journal(BED, "a").glob("*/*.journal"))


def test_a_machine_that_is_not_there_is_named() -> None:
    with pytest.raises(LabError, match="machine zz of bed t1 is not running"):
        machine.run(BED, "zz", ["true"])


def test_a_namespace_of_somebody_else_is_refused() -> None:
    netns.batch(None, ["netns add t1-alien"])

    with pytest.raises(LabError, match="not the lab's"):
        netns.create(BED, ["alien"])
    netns.batch(None, ["netns delete t1-alien"])


def test_nothing_is_left_behind() -> None:
    smallbed.take_away()

    assert BED not in Path("/proc/self/mountinfo").read_text().replace("/", " ").split()
    assert not list(netns.NAMED.glob(f"{BED}-*"))
    assert not [root for root in cgroups.ROOT.iterdir() if (root / "plumbline" / BED).exists()]
    assert machine.status(BED) == {}
    places.forget(BED)
    smallbed.bring_up()
