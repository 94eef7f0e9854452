"""Settings of the one kernel that all nodes share with the host: raised while a lab is up, put back when it goes.

A sysctl that each network namespace has for itself is the node's own affair (`lab/nodes.py`); the others, and the
transparent huge pages, can only be set here. What stood before is on disk before anything is changed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from lab.errors import LabError
from plumbline.bed import Bed

SHARED_SYSCTLS = frozenset(
    {"fs.inotify.max_user_watches", "fs.inotify.max_user_instances", "net.core.rmem_max", "net.core.wmem_max"}
)
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def wanted(bed: Bed) -> dict[Path, str]:
    """The shared settings that a bed's host profiles declare: file and value."""
    result: dict[Path, str] = {}
    for profile in bed.host:
        result |= {_sysctl(name): str(value) for name, value in profile.sysctls.items() if name in SHARED_SYSCTLS}
        if profile.transparent_hugepages:
            result[HUGE_PAGES] = profile.transparent_hugepages
    return result


def own_sysctls(bed: Bed, node: str) -> dict[str, int | str]:
    """The sysctls of a node that are its own: those of its profiles that the kernel does not share."""
    result: dict[str, int | str] = {}
    for profile in bed.host:
        if node in bed.selected(profile.on):
            result |= {name: value for name, value in profile.sysctls.items() if name not in SHARED_SYSCTLS}
    return result


def raise_shared(bed: Bed, run_dir: Path) -> None:
    """Set what the bed declares; a second call keeps the values that the first one found."""
    kept = run_dir / "kernel.json"
    before: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    targets = {path: value for path, value in wanted(bed).items() if path.exists()}
    before = {str(path): _read(path) for path in targets} | before
    _write_durably(kept, json.dumps(before, indent=1))
    for path, value in targets.items():
        try:
            path.write_text(value)
        except OSError as error:
            raise LabError(f"{path} cannot be set to {value}: {error.strerror}", remedy="run as root") from error


def restore_shared(run_dir: Path) -> None:
    """Put back what stood before `raise_shared`; nothing happens where nothing was raised."""
    kept = run_dir / "kernel.json"
    if not kept.exists():
        return
    for path, value in json.loads(kept.read_text()).items():
        Path(path).write_text(value)
    kept.unlink()


def _sysctl(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")


def _read(path: Path) -> str:
    text = path.read_text().strip()
    chosen = text.partition("[")[2].partition("]")[0]  # "always [madvise] never"
    return chosen or text


def _write_durably(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
