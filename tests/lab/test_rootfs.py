"""The root file system of the nodes: what is asked of Debian, and what is said when it does not answer."""

from pathlib import Path

import pytest

from lab import disks, places, rootfs
from lab.command import CONFINED
from lab.errors import LabError


def test_the_package_list_has_no_comments_and_no_doubles() -> None:
    names = rootfs.packages()

    assert "systemd" in names
    assert len(names) == len(set(names))
    assert not [name for name in names if "#" in name or " " in name]


def test_only_debian_itself_is_asked() -> None:
    entries = rootfs.apt_sources().splitlines()

    assert entries
    assert all(entry.startswith("deb ") and entry.endswith(" main") and "bookworm" in entry for entry in entries)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("E: Could not resolve 'deb.debian.org'", "registry does not answer"),
        ("Could not connect to proxy:3128 (Connection refused)", "registry does not answer"),
        ("dpkg: error: failed to write: No space left on device", "disk is full"),
        ("E: Unable to locate package no-such", "lacks a package"),
        ("something else", "cannot be built"),
    ],
)
def test_a_build_that_fails_is_explained(said: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_CACHE", str(tmp_path))
    monkeypatch.setattr(rootfs, "require_root", lambda: None)
    monkeypatch.setattr(rootfs, "apt_sources", lambda: "deb http://127.0.0.1:1 bookworm main")
    loud = tmp_path / "mmdebstrap"
    loud.write_text(f'#!/bin/sh\necho "$TMPDIR" > {tmp_path}/scratch\ncat <<"SAID"\n{said}\nSAID\nexit 1\n')
    loud.chmod(0o755)
    monkeypatch.setattr(rootfs, "require", lambda program, package: str(loud))
    monkeypatch.setattr(rootfs, "CONFINED", ())

    with pytest.raises(LabError, match=what):
        rootfs.ensure()
    assert not list((tmp_path / "rootfs").glob("building-*"))
    assert (tmp_path / "scratch").read_text().startswith(f"{tmp_path}/rootfs/building-")


def test_a_build_ends_with_its_caller_and_takes_its_mounts_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(rootfs, "require_root", lambda: None)
    monkeypatch.setattr(rootfs, "require", lambda program, package: program)
    monkeypatch.setattr(rootfs, "_run_with_progress", lambda argv, *_: started.append(argv))

    rootfs.debootstrap(tmp_path / "root", ["bash"], Path("customise"), print)

    assert started[0][: len(CONFINED) + 1] == [*CONFINED, "mmdebstrap"]


def test_a_leftover_with_a_mount_in_it_is_not_removed_through_the_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_host = tmp_path / "building-1/root/dev/shm/of-the-host"
    of_host.mkdir(parents=True)
    monkeypatch.setattr(disks, "call", lambda *_, **__: None)  # a mount that does not go
    monkeypatch.setattr(disks, "mounts_below", lambda folder: [of_host.parent])

    with pytest.raises(LabError, match=r"a mount at .*/dev/shm"):
        disks.remove(tmp_path / "building-1")
    assert of_host.exists()


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(LabError, match="apt-get install some-package"):
        rootfs.require("no-such-program", "some-package")


def test_a_caller_who_is_not_root_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    with pytest.raises(LabError, match="needs root"):
        rootfs.require_root()


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="the disk is full"):
        places.check_disk(tmp_path, needed=1 << 60)
