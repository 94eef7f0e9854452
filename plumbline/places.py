"""Where a run keeps what ends with the machine's uptime, and the ledger of faults, which must not."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

RUNS = "runs"
"""Name of the folder of the runs that go on, in the folder of a bed's runtime state."""


def runtime(bed: str) -> Path:
    """The folder of a bed's runtime state, not made here: /run/plumbline/<bed>, or the user's own if not root."""
    return _root() / bed


def hold_file(bed: str) -> Path:
    """The file that whoever uses the bed locks; it is beside the runtime folder, which comes and goes with the lab."""
    return _root() / f"{bed}.hold"


def ledger(bed: str) -> Path:
    """The folder of the faults that are in a bed, not made here; on a disk, since it must outlive a restart.

    /var/lib/plumbline/<bed>/ledger, or below $PLUMBLINE_STATE; the user's own if not root.
    """
    if chosen := os.environ.get("PLUMBLINE_STATE"):
        return Path(chosen, bed, "ledger")
    if os.geteuid() == 0:
        return Path("/var/lib/plumbline", bed, "ledger")
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home, "plumbline", bed, "ledger")


def leftovers(bed: str) -> list[Path]:
    """The entries of the ledger: a file for each fault that is in the bed, or may be."""
    return sorted(ledger(bed).glob("*.json"))


def new_run(bed: str) -> Path:
    """A new folder for one run, readable by its owner alone; folders of runs that were killed are removed."""
    runs = runtime(bed) / RUNS
    _private(runs)
    for old in runs.iterdir():
        if old.name.isdecimal() and not Path("/proc", old.name).exists():
            shutil.rmtree(old, ignore_errors=True)
    run = runs / str(os.getpid())
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(mode=0o700)
    return run


def end_run(run: Path) -> None:
    """Removes the folder of a run, and those above it that are empty now."""
    shutil.rmtree(run, ignore_errors=True)
    with suppress(OSError):
        run.parent.rmdir()
        run.parent.parent.rmdir()


def _root() -> Path:
    if os.geteuid() == 0:
        return Path("/run/plumbline")
    personal = os.environ.get("XDG_RUNTIME_DIR")
    return Path(personal, "plumbline") if personal else Path(tempfile.gettempdir(), f"plumbline-{os.geteuid()}")


def _private(folder: Path) -> None:
    """Makes a folder and its parents, for the owner alone; PermissionError where they are somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _root().stat().st_uid != os.geteuid():
        raise PermissionError(f"{_root()} belongs to another user")
    for made in (folder, *folder.parents):
        if made == _root().parent:
            break
        made.chmod(0o700)
