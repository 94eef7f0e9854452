"""inventory.set: a bed file that says something else. The bed itself is not touched.

The proof then runs the suite on the copy: `pytest suites/inventory --bed COPY`, COPY being `copy_of(bed)`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from chaos.call import JSON, ActionFailed, Arguments, Call, Slip, action
from plumbline import places
from plumbline.bed import Bed, BedError, load
from plumbline.bed.expand import expand
from plumbline.bed.text import read_text
from plumbline.bed.tree import Tree, parse

if TYPE_CHECKING:
    from chaos.reach import Reach


def copy_of(bed: Bed) -> Path:
    """Where the altered copy of a bed file lies while such a fault is in; it may not exist."""
    return places.runtime(bed.bed) / "altered" / bed.path.name


@action("inventory.set")
class Set(Arguments):
    """Values of the bed file by their dotted path; null takes a key out. Ranged keys are written out: persona-3."""

    values: dict[str, Any] = Field(min_length=1)
    present: bool = True

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        return [Slip(name, "values", "the bed keeps its name")] if "bed" in self.values else []

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("inventory.set", {"values": dict(self.values), "present": False})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        copy = copy_of(bed)
        if not self.present:
            copy.unlink(missing_ok=True)
            self._note(bed).unlink(missing_ok=True)
            return
        plain = _plain(copy if copy.exists() and not self.holds(bed, reach) else bed.path)
        for path, value in self.values.items():
            _put(plain, path, value)
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy.write_text(json.dumps(plain, indent=1), encoding="utf-8")  # JSON is YAML
        self._note(bed).write_text("", encoding="utf-8")
        try:
            load(copy)
        except BedError as error:
            copy.unlink()
            self._note(bed).unlink()
            raise ActionFailed(f"such a bed file cannot be read: {error}", place="inventory.set") from None

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return (copy_of(bed).exists() and self._note(bed).exists()) is self.present

    def _note(self, bed: Bed) -> Path:
        """A file that stands for these values: the copy itself may have been altered by others as well."""
        text = json.dumps(self.values, sort_keys=True)
        return copy_of(bed).parent / f".{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"


def _plain(path: Path) -> dict[str, JSON]:
    """What a bed file says, ranges written out. ActionFailed for one that stands on other files."""
    tree, _ = parse(read_text(path), str(path))
    assert isinstance(tree, Tree)
    plain = expand(tree, []).plain()
    if not isinstance(plain, dict) or plain.get("extends") or plain.get("hosts"):
        raise ActionFailed("only a bed file that stands alone can be altered", place=str(path))
    return plain


def _put(plain: JSON, path: str, value: JSON) -> None:
    """Sets a value; keys may hold dots themselves: the longest that fits wins, as in bed.where."""
    here, parts = plain, path.split(".")
    while True:
        lengths = [n for n in range(len(parts) - 1, 0, -1) if _has(here, ".".join(parts[:n]))]
        if not lengths:
            break
        key = ".".join(parts[: lengths[0]])
        here = here[int(key)] if isinstance(here, list) else here[key]
        parts = parts[lengths[0] :]
    key = ".".join(parts)
    if isinstance(here, list):
        if key == "+":
            here.append(value)
        elif value is None:
            del here[int(key)]
        else:
            here[int(key)] = value
    elif value is None:
        here.pop(key, None)
    else:
        here[key] = value


def _has(here: JSON, key: str) -> bool:
    if isinstance(here, list):
        return key.isdecimal() and int(key) < len(here)
    return isinstance(here, dict) and key in here
