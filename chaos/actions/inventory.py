"""inventory.set: a bed file that says something else. The bed itself, and its file, are not touched.

While such a fault is in, the altered copy lies at `copy_of(bed)`, and the gate is to be given that: `--bed COPY`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from chaos.call import JSON, ActionFailed, Arguments, Call, Slip, action
from plumbline import places
from plumbline.bed import Bed, BedError, load
from plumbline.bed.expand import expand
from plumbline.bed.text import read_text
from plumbline.bed.tree import parse

if TYPE_CHECKING:
    from chaos.reach import Reach

Change = tuple[str, JSON]
_CHOSEN = re.compile(r"^\[([a-z_]+)=([^\]]+)\]$")


def copy_of(bed: Bed) -> Path:
    """Where the altered copy of a bed file lies while such a fault is in; it may not exist."""
    return places.runtime(bed.bed) / "altered" / bed.path.name


def altered(bed_file: Path, changes: Sequence[Change]) -> str:
    """The text of a bed file that says what another does, but for some values. ActionFailed where it cannot be read.

    A change is a dotted path and a value, null to take it out. Ranged keys are written out (persona-3); an item of a
    list is meant by its number, or by what it has: `not_applicable.[check=host.module]`.
    """
    plain = _plain(bed_file)
    over: dict[str, JSON] = {"extends": str(bed_file.resolve())}
    for path, value in changes:
        _put(plain, over, _parts(plain, path), value)
    return json.dumps(over, indent=1) + "\n"  # JSON is YAML


@action("inventory.set")
class Set(Arguments):
    """Values of the bed file by their dotted path; null takes one out."""

    values: dict[str, Any] = Field(min_length=1)
    present: bool = True

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        said = "the copy keeps the name and the kind of its bed"
        return [Slip(name, "values", said)] if {"bed", "realised_by", "extends"} & self.values.keys() else []

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("inventory.set", {"values": dict(self.values), "present": False})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        own = list(self.values.items())
        others = [change for change in _changes(bed) if change not in own]
        _write(bed, [*others, *own] if self.present else others)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        there = _changes(bed)
        return all((change in there) is self.present for change in self.values.items())


def _changes(bed: Bed) -> list[Change]:
    file = copy_of(bed).with_suffix(".changes.json")
    return [(path, value) for path, value in json.loads(file.read_text())] if file.exists() else []


def _write(bed: Bed, changes: list[Change]) -> None:
    copy = copy_of(bed)
    noted = copy.with_suffix(".changes.json")
    if not changes:
        copy.unlink(missing_ok=True)
        noted.unlink(missing_ok=True)
        return
    text = altered(bed.path, changes)
    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = copy.with_suffix(".part.yaml")
    part.write_text(text, encoding="utf-8")
    try:
        load(part)
    except BedError as error:
        part.unlink()
        raise ActionFailed(f"such a bed file cannot be read: {error}", place="inventory.set") from None
    part.replace(copy)
    noted.write_text(json.dumps(changes), encoding="utf-8")


def _plain(path: Path) -> dict[str, JSON]:
    """What a bed file and those under it say, ranges written out."""
    try:
        tree, _ = parse(read_text(path), str(path))
    except BedError as error:
        raise ActionFailed(str(error), place="inventory.set") from None
    plain = expand(tree, []).plain() if tree is not None else None
    if not isinstance(plain, dict):
        raise ActionFailed("it is no bed file", place=str(path))
    base = plain.pop("extends", None)
    return _over(_plain(path.parent / base), plain) if isinstance(base, str) else plain


def _over(under: JSON, over: JSON) -> JSON:
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    kept = {key: value for key, value in under.items() if over.get(key, value) is not None}
    return kept | {key: _over(under.get(key), value) for key, value in over.items() if value is not None}


def _parts(plain: JSON, path: str) -> list[str]:
    """A path in its keys; keys may hold dots themselves: the longest that there is wins, as in bed.where."""
    here, parts, found = plain, path.split("."), list[str]()
    while parts:
        lengths = [n for n in range(len(parts), 0, -1) if _has(here, ".".join(parts[:n]))]
        taken = lengths[0] if lengths else len(parts)
        key = ".".join(parts[:taken])
        found.append(key)
        here = _get(here, key) if lengths else None
        parts = parts[taken:]
    return found


def _put(plain: JSON, over: dict[str, JSON], parts: list[str], value: JSON) -> None:
    """Sets a value in what the file says, and in the file above it, in which a list only stands whole."""
    here, above = plain, over
    for number, key in enumerate(parts):
        last = number == len(parts) - 1
        if last or isinstance(here.get(key), list) or not isinstance(here.get(key), dict):
            here[key] = value if last else _list(here.get(key), parts[number + 1 :], value)
            above[key] = deepcopy(here[key])
            return
        here, above = here[key], above.setdefault(key, {})


def _list(items: JSON, parts: list[str], value: JSON) -> JSON:
    """A list, or a thing in it, with a value at the rest of the path."""
    if not parts:
        return value
    changed = deepcopy(items) if items is not None else {}
    key = parts[0]
    if isinstance(changed, list):
        index = _index(changed, key)
        new = _list(changed[index], parts[1:], value)
        return [*changed[:index], *([] if new is None else [new]), *changed[index + 1 :]]
    new = _list(changed.get(key), parts[1:], value)
    return {k: v for k, v in {**changed, key: new}.items() if v is not None}


def _index(items: list[JSON], key: str) -> int:
    if key.isdecimal() and int(key) < len(items):
        return int(key)
    chosen = _CHOSEN.match(key)
    fitting = [n for n, item in enumerate(items) if chosen and item.get(chosen[1]) == chosen[2]]
    if not fitting:
        raise ActionFailed(f"the list has no item {key}", place="inventory.set")
    return fitting[0]


def _has(here: JSON, key: str) -> bool:
    if isinstance(here, list):
        return key.isdecimal() or bool(_CHOSEN.match(key))
    return isinstance(here, dict) and key in here


def _get(here: JSON, key: str) -> JSON:
    return here[_index(here, key)] if isinstance(here, list) else here[key]
