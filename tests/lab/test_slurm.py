"""Slurm of a lab: what its files say, and a small bed of its own on which its whole layer is in order (needs root)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import places, rootfs, slurm, up
from lab.disks import FileSpec
from lab.pki import Pki
from lab.progress import Progress
from plumbline.bed import load
from tests.lab.wires import node_root, sh

pytestmark = pytest.mark.timeout(400)
ROOT = Path(__file__).parents[2]
FILE = Path(__file__).parent / "beds" / "slurm.yaml"
BED = load(FILE)


def test_the_key_of_munge_is_one_for_all_nodes_and_nobodys_but_munges(tmp_path: Path) -> None:
    first, again = (slurm.files(BED, Pki(tmp_path / "pki"), tmp_path) for _ in range(2))
    keys = {node: files["/etc/munge/munge.key"] for node, files in first.items()}

    assert set(keys) == set(BED.nodes)
    assert len({spec.content for spec in keys.values()}) == 1
    assert {(spec.mode, spec.owner) for spec in keys.values()} == {(0o400, "munge")}
    assert first == again
    assert (tmp_path / "munge.key").stat().st_mode & 0o777 == 0o600


def test_the_configuration_says_what_the_bed_file_says(tmp_path: Path) -> None:
    files = slurm.files(BED, Pki(tmp_path / "pki"), tmp_path)
    text = str(files["jast"]["/etc/slurm/slurm.conf"].content)
    backup = text.splitlines().index("SlurmctldHost=cargyll(198.18.50.12)")

    assert len({files[node]["/etc/slurm/slurm.conf"].content for node in files}) == 1
    assert text.splitlines()[backup - 1] == "SlurmctldHost=bettley(198.18.50.11)"
    assert "PartitionName=debug Nodes=erenford,jast Default=NO MaxTime=INFINITE State=UP" in text
    assert "SlurmctldTimeout=15\n" in text
    assert f"CPUs={os.cpu_count()}" in text
    assert files["dalt"]["/etc/slurm/slurmdbd.conf"].mode == 0o600


def test_units_are_started_where_they_are_declared() -> None:
    assert slurm.units(BED, "bettley") == ("slurm-node", "munge", "slurmctld")
    assert slurm.units(BED, "dalt") == ("slurm-node", "munge", "mariadb", "slurmdbd")
    assert slurm.units(BED, "jast") == ("slurm-node", "munge", "slurmd")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters a root file system")
def test_a_node_has_the_user_of_jobs_who_can_load_the_modules(tmp_path: Path) -> None:
    assert BED.slurm is not None
    files = slurm.files(BED, Pki(tmp_path / "pki"), tmp_path)["dalt"]
    files |= {path: FileSpec(text) for path, text in slurm.modules(BED.slurm).items()}
    load_all = "".join(f"module load {name} && " for name in BED.slurm.modules)
    script = (
        "systemd-sysusers /etc/sysusers.d/slurm-jobs.conf && systemd-tmpfiles --create /etc/tmpfiles.d/slurm.conf && "
        "exec setpriv --reuid gate --regid gate --clear-groups env -i HOME=/tmp USER=gate bash --login -c "
        f"'touch {BED.slurm.base}/jobs/it && {load_all} module -t list 2>&1'"
    )
    with node_root(rootfs.ensure(), tmp_path, files) as root:
        told = sh("chroot", str(root), "sh", "-c", script)

    assert told.split() == list(BED.slurm.modules)


@pytest.fixture(scope="module")
def bed() -> Iterator[None]:
    """The small bed is up."""
    try:
        up.up(BED, Progress())
        yield
    finally:
        up.down(BED.bed, Progress())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root brings a lab up")
def test_the_whole_layer_is_in_order(bed: None, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "suites/slurm", "-q", "--bed", str(FILE), "--report-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)

    assert done.returncode == 0, done.stdout[-3000:]
    assert "GO ·" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root brings a lab up")
def test_a_second_up_changes_nothing(bed: None) -> None:
    access = places.access_file(BED.bed)
    before = access.stat().st_mtime_ns
    up.up(BED, Progress())

    assert access.stat().st_mtime_ns == before
