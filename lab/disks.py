"""What lies on the disks of machines that are off: root file systems, files laid down in them, seeds."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lab.command import call
from lab.errors import LabError


@dataclass(frozen=True)
class FileSpec:
    """A file of a machine: what is in it, who may read it, and whose it is. Its folder is made as well, for root."""

    content: str | bytes
    mode: int = 0o644
    owner: str = "root"


def sow(disk: Path, target: str, seeds: Mapping[str, Path]) -> None:
    """Copy to a disk that is mounted at `target` those seeds that belong below it and are not there yet."""
    for path, source in seeds.items():
        if PurePosixPath(path).is_relative_to(target):
            place = disk / PurePosixPath(path).relative_to(target)
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                part = place.with_name(f"{place.name}.part")
                shutil.copyfile(source, part)
                part.replace(place)


def mount(home: Path, rootfs: Path) -> Path:
    """Mount a machine's root file system, an overlay on the shared one, in its home; returns where."""
    root, upper, work = home / "root", home / "upper", home / "work"
    for folder in (root, upper, work):
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    if not os.path.ismount(root):
        # An overlay that was cut off while `volatile` refuses to come back until this mark is gone.
        shutil.rmtree(work / "work", ignore_errors=True)
        options = f"lowerdir={rootfs},upperdir={upper},workdir={work},volatile"
        call(["mount", "-t", "overlay", "plumbline", "-o", options, str(root)])
    return root


def mounts_below(folder: Path) -> list[Path]:
    """Where something is mounted in a folder, or on it; the innermost first, as they are taken away."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = (Path(line.split()[4].encode().decode("unicode_escape")) for line in lines)
    return sorted((p for p in places if p.is_relative_to(folder)), key=lambda p: len(str(p)), reverse=True)


def unmount_below(folder: Path) -> None:
    """Take away every mount in a folder, even those in use."""
    for place in mounts_below(folder):
        call(["umount", "--lazy", str(place)], check=False)


def remove(folder: Path) -> None:
    """Remove what a killed run left of a folder, but never through a mount in it: behind that lies the host."""
    unmount_below(folder)
    if left := mounts_below(folder):
        raise LabError(f"{folder} is a leftover with a mount at {left[0]}", remedy=f"umount {left[0]}, then try again")
    shutil.rmtree(folder, ignore_errors=True)


def lay_down(root: Path, path: str, spec: FileSpec) -> None:
    """Write a file below the root of a machine that is off, without following its links out to the host."""
    place = root.joinpath(*PurePosixPath(path).parts[1:])
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.parent.resolve().is_relative_to(root):
        raise LabError(f"{path} lies behind a link that leads out of the machine")
    new = place.with_name(f"{place.name}.new")
    content = spec.content.encode() if isinstance(spec.content, str) else spec.content
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(content)
        os.fchown(file.fileno(), *_owner(root, spec.owner))
        os.fchmod(file.fileno(), spec.mode)
    new.replace(place)


def _owner(root: Path, name: str) -> tuple[int, int]:
    """Number of a user of the machine, and of its group."""
    if name == "root":
        return 0, 0
    for line in (root / "etc/passwd").read_text().splitlines():
        user, _, number, group, *_ = line.split(":")
        if user == name:
            return int(number), int(group)
    raise LabError(f"the root file system has no user {name}", remedy="see lab/rootfs/packages.txt")
