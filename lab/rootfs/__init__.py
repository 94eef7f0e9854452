"""The root file system of a lab node: Debian bookworm, built once by mmdebstrap and kept in the cache.

All nodes share it, read-only, below an overlay of their own; what distinguishes a node is put there at boot.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from lab import disks
from lab.cache import cache_dir
from lab.command import CONFINED
from lab.errors import LabError

SUITE = "bookworm"
BUILD_LIMIT = 1800.0
"""Seconds that a build may take on a slow mirror."""
DISK_NEEDED = 2_000_000_000
"""Bytes that a build needs while it runs; the result is about a quarter of that."""

_HERE = Path(__file__).parent
_SUITES = {SUITE, f"{SUITE}-updates", f"{SUITE}-security", f"{SUITE}/updates"}
_HOST_OPTIONS = re.compile(r"^Acquire::(https?::|Check-Valid-Until |Check-Date |Retries )")
_FINDINGS = (
    (re.compile(r"No space left on device"), "the disk is full", "free some space below {cache}"),
    (
        re.compile(
            r"Could not (resolve|connect)|Temporary failure|Connection (timed out|failed|refused)|Network is unreach"
        ),
        "the Debian registry does not answer",
        "check the network, the proxy settings of apt and its sources, then try again",
    ),
    (
        re.compile(r"404 +Not Found|Unable to locate package"),
        "the Debian registry lacks a package",
        "run apt-get update, then try again",
    ),
    (
        re.compile(r"NO_PUBKEY|is not signed|keyring"),
        "the signature of the Debian registry cannot be verified",
        "apt-get install debian-archive-keyring",
    ),
)


def packages() -> list[str]:
    """Names of the Debian packages of a node, in the order of `packages.txt`."""
    lines = (line.partition("#")[0].strip() for line in (_HERE / "packages.txt").read_text().splitlines())
    return [line for line in lines if line]


def digest() -> str:
    """Key of the root file system in the cache: it changes with the package list and with the customisation."""
    content = "\n".join([SUITE, *packages(), (_HERE / "customise.sh").read_text()])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def ensure(progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return the root file system of a node, building it if the cache lacks it (about a minute, 500 MB).

    Raises `LabError` when the caller is not root, a program is missing, the disk is full or the registry is silent.
    """
    home = cache_dir() / "rootfs"
    home.mkdir(parents=True, exist_ok=True)
    target = home / digest()
    if target.is_dir():
        return target
    with FileLock(home / "lock"):
        if not target.is_dir():
            _build(target, progress)
            _prune(home, target)
    return target


def require(program: str, package: str) -> str:
    """Path of a program of the host, or a `LabError` that names the Debian package which carries it."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise LabError(f"{program} is not installed on this machine", remedy=f"apt-get install {package}")
    return found


def require_root() -> None:
    """Raise `LabError` unless the caller is root: machines, namespaces and mounts need it."""
    if os.geteuid() != 0:
        raise LabError(
            "the lab needs root: it makes network namespaces, mounts and machines", remedy="run it with sudo"
        )


def _build(target: Path, progress: Callable[[str], None]) -> None:
    """Build next to the target and rename at the end, so that a broken build is never taken for a whole one."""
    for leftover in target.parent.glob("building-*"):
        disks.remove(leftover)
    work = Path(tempfile.mkdtemp(prefix="building-", dir=target.parent))
    work.chmod(0o755)
    try:
        debootstrap(work / "root", packages(), _HERE / "customise.sh", progress)
        (work / "root").rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _prune(home: Path, current: Path) -> None:
    """Remove root file systems of former package lists, except where a machine runs on one."""
    mounted = Path("/proc/self/mountinfo").read_text()
    for old in home.iterdir():
        if old.is_dir() and old != current and f"lowerdir={old}," not in mounted:
            shutil.rmtree(old, ignore_errors=True)


def debootstrap(result: Path, chosen: list[str], customise: Path, progress: Callable[[str], None]) -> None:
    """Install Debian packages into a new root: a folder, or a tar file where `result` ends in .tar.

    `customise` is a script of the host that is given the new root as its argument. Raises `LabError` as `ensure` does.
    """
    require_root()
    mmdebstrap = require("mmdebstrap", "mmdebstrap")
    _check_disk(result.parent)
    sources = result.parent / "sources.list"
    sources.write_text(apt_sources())
    argv = [
        *CONFINED,
        mmdebstrap,
        "--variant=minbase",
        "--mode=root",
        f"--format={'tar' if result.suffix == '.tar' else 'directory'}",
        f"--include={','.join(chosen)}",
        *(f"--aptopt={option}" for option in apt_options()),
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "info", "locale", "lintian")),
        f"--customize-hook={customise}",
        SUITE,
        str(result),
        str(sources),
    ]
    _run_with_progress(argv, result.parent, progress)
    sources.unlink()


def _check_disk(place: Path) -> None:
    free = shutil.disk_usage(place).free
    if free < DISK_NEEDED:
        raise LabError(
            f"the disk is full: {free // 10**6} MB free at {place}, {DISK_NEEDED // 10**6} MB needed",
            remedy="free some space, or set PLUMBLINE_CACHE to a folder on a larger disk",
        )


def apt_sources() -> str:
    """Debian's own entries of the host's apt sources as one-line entries; the public mirror where there are none.

    Entries of other vendors are left out: a node consists of Debian packages only.
    """
    entries = [*_one_line_entries(), *_deb822_entries()]
    if not entries:
        mirror = "http://deb.debian.org"
        entries = [
            f"deb {mirror}/debian {SUITE} main",
            f"deb {mirror}/debian {SUITE}-updates main",
            f"deb {mirror}/debian-security {SUITE}-security main",
        ]
    return "\n".join(entries) + "\n"


def _one_line_entries() -> Iterator[str]:
    etc = Path("/etc/apt")
    for path in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
        for line in path.read_text().splitlines() if path.is_file() else []:
            match = re.match(r"deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)", line.partition("#")[0].strip())
            if match and match[3] in _SUITES and "main" in match[4].split():
                yield f"deb {match[1] or ''}{match[2]} {match[3]} main"


def _deb822_entries() -> Iterator[str]:
    for path in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
        for stanza in re.split(r"\n\s*\n", text):
            fields = {
                key.lower(): value.split() for key, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE)
            }
            if (
                "deb" not in fields.get("types", [])
                or "main" not in fields.get("components", [])
                or fields.get("enabled") == ["no"]
            ):
                continue
            key = fields.get("signed-by", [""])[0]
            options = f"[signed-by={key}] " if key.startswith("/") else ""
            yield from (
                f"deb {options}{uri} {suite} main"
                for uri in fields.get("uris", [])
                for suite in fields.get("suites", [])
                if suite in _SUITES
            )


def apt_options() -> list[str]:
    """Proxy, certificate and validity settings of the host's apt, which mmdebstrap would not see by itself."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=20, check=False).stdout
    return [line.rstrip(";") for line in dump.splitlines() if _HOST_OPTIONS.match(line) and '""' not in line]


def _run_with_progress(argv: list[str], work: Path, progress: Callable[[str], None]) -> None:
    """Run mmdebstrap; what it unpacks on its way to a tar file lies in `work`, and goes with it if it is killed."""
    log = cache_dir() / "rootfs.log"
    started = time.monotonic()
    progress("installing Debian packages into a new root file system, about 60 s")
    with (
        log.open("w") as out,
        # In a group of its own: mmdebstrap ends its whole group when it fails.
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            process_group=0,
            env=os.environ | {"TMPDIR": str(work)},
        ) as build,
    ):
        told = started
        try:
            while build.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    build.wait(timeout=0.5)
                if time.monotonic() - started > BUILD_LIMIT:
                    raise LabError(f"mmdebstrap did not end within {BUILD_LIMIT:.0f} s", remedy=f"look at {log}")
                if time.monotonic() - told > 5:
                    told = time.monotonic()
                    progress(f"root file system: {told - started:.0f} s, {_last_line(log)}")
        finally:
            if build.poll() is None:
                build.kill()
    if build.returncode != 0:
        raise _explain(log)
    progress(f"root file system ready after {time.monotonic() - started:.0f} s")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1][:80] if lines else ""


def _explain(log: Path) -> LabError:
    text = log.read_text(errors="replace")
    tail = "\n".join(text.splitlines()[-5:])
    for pattern, what, remedy in _FINDINGS:
        if pattern.search(text):
            return LabError(
                f"a root file system cannot be built: {what}\n{tail}", remedy=remedy.format(cache=cache_dir())
            )
    return LabError(f"a root file system cannot be built\n{tail}", remedy=f"look at {log}")
