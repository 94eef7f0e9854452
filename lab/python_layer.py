"""A layer of an image with Python packages, as a lock file pins them: wheels for the image's Python, not for this one's."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from lab.errors import LabError

PLACE = "usr/local/lib/python3.11/dist-packages"
"""Where Debian's Python of the images looks."""
_LIMIT = 600.0
_VERSION = "3.11"
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")
_REQUIREMENTS = Path(__file__).parent.parent / "requirements"


def lock(name: str) -> str:
    """The text of a lock file, which says all that the layer depends on."""
    return (_REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")


def write(target: Path, name: str) -> None:
    """Writes the layer of a lock file, with compiled modules. The same lock gives the same file. LabError says what pip said."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        _install(name, folder)
        with tarfile.open(target, "w") as tar:
            for path in sorted(Path(folder).rglob("*")):
                tar.add(path, f"{PLACE}/{path.relative_to(folder)}", recursive=False, filter=_plain)


def _install(name: str, folder: str) -> None:
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--no-compile"]
    pip += ["--only-binary", ":all:", "--python-version", _VERSION, "--implementation", "cp", *platforms]
    _call([*pip, "--target", folder, "-r", str(_REQUIREMENTS / f"{name}.txt")])
    # By their text, and not by the time of it: files of a layer have none. Another Python's are simply not used.
    mode = ["--invalidation-mode", "unchecked-hash"]
    _call([sys.executable, "-m", "compileall", "-q", *mode, "-s", folder, "-p", f"/{PLACE}", folder])


def _call(words: list[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise LabError(f"{words[2]} did not end in {_LIMIT:.0f} s", remedy="try again") from None
    if done.returncode:
        raise LabError(f"{words[2]}: {done.stderr.strip()[-400:]}", remedy="does pip reach its index? then try again")


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member
