"""Getting the text of a file, or saying plainly why not."""

from __future__ import annotations

import os
from pathlib import Path

from plumbline.bed.errors import BedError, Spot, nearest

_LARGEST = 4 << 20


def shown_path(path: Path) -> str:
    """A path as a reader wants it: relative to where they stand, if it is below."""
    absolute, here = os.path.abspath(path), os.getcwd()
    return os.path.relpath(absolute, here) if absolute.startswith(here.rstrip("/") + "/") else str(path)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8; BedError for a file that is missing, a folder, unreadable, too large or no UTF-8."""
    shown = shown_path(path)
    try:
        if path.is_dir():
            raise BedError.one(Spot(shown), expected="a file", found="a folder", hint=nearest("", _names(path)))
        if path.exists() and not path.is_file():
            raise BedError.one(Spot(shown), expected="a file", found="a device, pipe or socket")
        if path.is_file() and path.stat().st_size > _LARGEST:
            raise BedError.one(Spot(shown), expected=f"a file of at most {_LARGEST >> 20} MiB", found="a larger one")
        data = path.read_bytes()
    except FileNotFoundError:
        hint = nearest(path.name, _names(path.parent))
        raise BedError.one(Spot(shown), found="no such file", hint=hint if hint.startswith("did") else "") from None
    except (OSError, ValueError) as error:
        raise BedError.one(Spot(shown), found=f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        found = f"byte 0x{data[error.start]:02x}"
        raise BedError.one(
            Spot(shown, line, column), expected="UTF-8 text", found=found, hint="save the file as UTF-8"
        ) from None


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir() if entry.suffix in (".yaml", ".yml", ".ini")]
    except OSError:
        return []
