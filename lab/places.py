"""Where a lab keeps what it makes on the host: nothing lies anywhere else, so that `down` can take all of it away."""

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from lab.command import call
from lab.errors import LabError

_STATE = "state"
"""In the runtime folder of a bed: a file that names the folder of its disks."""


def run_dir(bed: str) -> Path:
    """Runtime state of a bed's lab, gone after a reboot: `/run/plumbline/<bed>`, for root only."""
    return _private(Path("/run/plumbline") / bed)


def state_dir(bed: str) -> Path:
    """Disks of a bed's machines: `/var/lib/plumbline/<bed>`, or below `$PLUMBLINE_STATE`; for root only.

    While there is a lab of the bed, that is as `up` found it: `down` may be called with other settings.
    """
    recorded = ""
    with suppress(OSError):
        recorded = (run_dir(bed) / _STATE).read_text()
    chosen = Path(os.environ.get("PLUMBLINE_STATE") or "/var/lib/plumbline").absolute() / bed
    return _private(Path(recorded) if recorded else chosen)


def record_state(bed: str) -> None:
    """Have whoever asks for the disks of this lab look where they are now, whatever the settings are then."""
    part = run_dir(bed) / f"{_STATE}.part"
    part.write_text(str(state_dir(bed)))
    part.rename(part.with_suffix(""))


def forget(bed: str, keep: Collection[str] = ()) -> None:
    """Remove what lies in the folders of a bed whose lab is down, but for `keep`, and the folders that are empty then."""
    for folder in (run_dir(bed), state_dir(bed)):
        for path in folder.iterdir():
            if path.is_dir() and path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)
            elif path.name not in keep:
                path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()


def is_there(bed: str) -> bool:
    """Whether a lab of the bed is up or half up; unlike its folders, which are made when they are asked for."""
    return (Path("/run/plumbline") / bed).is_dir()


def access_file(bed: str) -> Path:
    """Where a runner reads how to reach the lab; it is there once the lab has been whole."""
    return Path("/run/plumbline") / bed / "access.json"


def check_disk(place: Path, needed: int) -> None:
    """Raise `LabError` when the file system of `place` cannot carry machines: too full (`needed` bytes), an overlay."""
    system = os.statvfs(place)
    free = system.f_bavail * system.f_frsize
    if free < needed:
        raise LabError(
            f"the disk is full: {free // 10**6} MB free at {place}, {needed // 10**6} MB needed",
            remedy="free some space, or set PLUMBLINE_STATE to a folder on a larger disk",
        )
    if call(["stat", "--file-system", "--format=%T", str(place)]).stdout.strip() == "overlayfs":
        raise LabError(
            f"{place} lies on an overlay file system, which cannot carry the disks of the machines",
            remedy="set PLUMBLINE_STATE to a folder on a real file system, such as a volume",
        )


def _private(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
