"""The one cache of the lab: what is slow to build or to fetch is kept here, and found whole or not at all.

An artefact is a folder `artefacts/<name>/<key>`, the key being a digest of its recipe. It is built beside its place,
written out to the disk and only then renamed, so a killed build or a full disk leaves nothing that looks finished.
"""

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lab import disks
from lab.errors import LabError

LOCK_WAIT = 3600.0
"""Seconds to wait for another run that builds the same artefact."""
KEPT = 14 * 86400.0
"""Seconds for which an artefact is kept that no run has asked for."""
_MANIFEST = ".plumbline.json"
_SYNC_ONE_BY_ONE = 100


def cache_dir() -> Path:
    """The folder of all caches: `$PLUMBLINE_CACHE`, or `~/.cache/plumbline`; it is made if it is missing."""
    folder = Path(os.environ.get("PLUMBLINE_CACHE") or Path.home() / ".cache/plumbline").absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"the cache {folder} cannot be made: {error.strerror}",
            remedy="set PLUMBLINE_CACHE to a folder that is yours",
        ) from error
    return folder


def digest(recipe: object) -> str:
    """A short key for a recipe: anything that JSON can write (other values by their text)."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True, default=str).encode()).hexdigest()[:16]


def cached(name: str, key: str) -> Path | None:
    """The folder of a finished artefact, or None where it is missing or no longer what was published.

    Asking for it is using it: see `prune`.
    """
    folder = _place(name, key)
    try:
        sizes = json.loads((folder / _MANIFEST).read_text())
        with suppress(PermissionError):  # a cache that is only read
            os.utime(folder / _MANIFEST)
        if all((folder / file).lstat().st_size == size for file, size in sizes.items()):
            return folder
    except (OSError, ValueError, AttributeError):
        pass
    return None


def publish(name: str, key: str, build: Callable[[Path], None], *, needs: int = 0) -> Path:
    """Return the artefact, building it first where the cache lacks it.

    `build` fills the empty folder that it is given; `needs` is the number of bytes that it takes meanwhile. Two runs
    that want the same artefact build it once. A `LabError` tells when the disk is too small.
    """
    if found := cached(name, key):
        return found
    final = _place(name, key)
    final.parent.mkdir(parents=True, exist_ok=True)
    with locked(f"{name}-{key}"):
        if found := cached(name, key):
            return found
        # Whoever holds the lock is alone with this key: what lies here was left by a run that was killed.
        for leftover in (final, *final.parent.glob(f"{key}.tmp-*")):
            disks.remove(leftover)
        building = final.with_name(f"{key}.tmp-{os.getpid()}")
        with disk_full_explained(needs):
            building.mkdir()
            try:
                build(building)
                _seal(building)
                building.rename(final)
                _sync(final.parent)
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise
    return final


def prune(seconds: float = KEPT) -> list[str]:
    """Remove the artefacts that no run has asked for in that time; their places, `<name>/<key>`.

    What builds that were killed have left goes too. Not to be called while a lab is up: its nodes read from here.
    """
    for leftover in (cache_dir() / "artefacts").glob("*/*.tmp-*"):
        key = leftover.name.rpartition(".tmp-")[0]
        with suppress(LabError), locked(f"{leftover.parent.name}-{key}", wait=0):  # whoever builds it holds this
            disks.remove(leftover)
    removed = []
    for manifest in _manifests():
        name, key = manifest.parent.parent.name, manifest.parent.name
        with suppress(LabError, FileNotFoundError), locked(f"{name}-{key}", wait=0):  # another run may do the same
            if time.time() - manifest.stat().st_mtime > seconds:
                manifest.unlink()  # first: what is half gone must not look finished
                shutil.rmtree(manifest.parent, ignore_errors=True)
                removed.append(f"{name}/{key}")
    return removed


def used_since(moment: float) -> None:
    """Note that what was asked for at `moment` (seconds since 1970) or later has been in use until now."""
    for manifest in _manifests():
        with suppress(OSError):
            if manifest.stat().st_mtime >= moment:
                os.utime(manifest)


def _manifests() -> list[Path]:
    return sorted((cache_dir() / "artefacts").glob(f"*/*/{_MANIFEST}"))


@contextmanager
def locked(name: str, *, wait: float = LOCK_WAIT) -> Iterator[None]:
    """Hold the lock `name` among all runs on this machine, waiting for it at most `wait` seconds."""
    folder = cache_dir() / "locks"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name.replace('/', '_')}.lock"
    try:
        with FileLock(file, timeout=wait):
            yield
    except Timeout as error:
        raise LabError(f"another run has held {file} for {wait:.0f} s", remedy=f"see who with: fuser {file}") from error


@contextmanager
def disk_full_explained(needs: int = 0) -> Iterator[None]:
    """Refuse early where the cache has less than `needs` bytes free, and name the folder when the disk fills up."""
    free = shutil.disk_usage(cache_dir()).free
    if free < needs:
        raise disk_full(needs)
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(needs) from error
        raise


def disk_full(needs: int = 0) -> LabError:
    """The error for a full disk: the folder, the bytes free and the bytes needed."""
    folder = cache_dir()
    wanted = f", {needs} bytes needed" if needs else ""
    return LabError(
        f"disk full: {folder} has {shutil.disk_usage(folder).free} bytes free{wanted}",
        remedy=f"free some space (`rm -r {folder}/go` slows the next build) or set PLUMBLINE_CACHE to a larger disk",
    )


def _place(name: str, key: str) -> Path:
    return cache_dir() / "artefacts" / name / key


def _seal(folder: Path) -> None:
    """Write the manifest, then everything to the disk."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    few = len(files) <= _SYNC_ONE_BY_ONE
    sizes = {str(file.relative_to(folder)): file.stat().st_size for file in files} if few else {}
    manifest = folder / _MANIFEST
    manifest.write_text(json.dumps(sizes, indent=1))
    if few:
        for file in (*files, manifest, *(path for path in folder.rglob("*") if path.is_dir()), folder):
            _sync(file)
    else:
        os.sync()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
