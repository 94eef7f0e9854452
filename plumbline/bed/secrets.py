"""References to what must not stand in a bed file: ${env:NAME} and ${file:path}, looked up on use and never printed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from plumbline.bed.describe import SECRET_KEY
from plumbline.bed.errors import BedError, Problem, Spot
from plumbline.bed.tree import Tree

_REFERENCE = re.compile(r"\$\{(env|file):([^{}]+)\}")
_OBJECT_KEY = re.compile(r"[a-z0-9][a-z0-9.-]*/[A-Za-z0-9_.-]+")
_LITERAL = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]+:(?!\$\{)[^/\s@]+@")


def resolve(value: str, beside: Path | str = ".", asked_by: str = "") -> str:
    """`value` with its references looked up: an environment variable, or the text of a file without its last newline.

    A relative file is sought beside the bed file. BedError names the reference, never a value, where one is unset.
    """

    def look_up(match: re.Match[str]) -> str:
        kind, name = match[1], match[2].strip()
        if kind == "env":
            found = os.environ.get(name)
            if not found:
                raise _unset(beside, asked_by, match[0], f"export {name}=…")
            return found
        path = _below(name, beside)
        try:
            return path.read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise _unset(
                beside, asked_by, match[0], getattr(error, "strerror", None) or "the file is not text"
            ) from None

    return _REFERENCE.sub(look_up, value)


def resolve_path(value: str, beside: Path | str = ".", asked_by: str = "") -> Path:
    """A file that a bed file names, perhaps through a reference; ~ is the home, relative is beside the bed file."""
    return _below(resolve(value, beside, asked_by), beside)


def literals(tree: Tree) -> Iterator[Problem]:
    """Values that look like secrets themselves. The value is not shown."""
    for path, item in tree.walk():
        if not isinstance(item.value, str | int | float) or isinstance(item.value, bool):
            continue
        text = str(item.value)
        named = SECRET_KEY.search(path[-1]) and not (_REFERENCE.fullmatch(text) or _OBJECT_KEY.fullmatch(text))
        if named or _LITERAL.search(text):
            yield Problem(
                item.spot,
                ".".join(path),
                "a reference such as ${env:NAME}, ${file:path} or secret/KEY",
                "a value that is not shown",
            )


def _below(name: str, beside: Path | str) -> Path:
    path = Path(name).expanduser()
    folder = Path(beside)
    return path if path.is_absolute() else (folder if folder.is_dir() else folder.parent) / path


def _unset(beside: Path | str, asked_by: str, reference: str, remedy: str) -> BedError:
    return BedError.one(Spot(str(beside)), asked_by, found=f"{reference} is not set", hint=remedy)
