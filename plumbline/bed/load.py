"""Reading a bed file: text, ranges, the file under it, the inventory of its hosts, the model, the names in it."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from plumbline.bed import describe
from plumbline.bed.ansible import nodes_of
from plumbline.bed.asked import unanswered
from plumbline.bed.budgets import misspelt
from plumbline.bed.errors import BedError, Problem, Spot, nearest
from plumbline.bed.expand import expand
from plumbline.bed.model import VERSION, Bed
from plumbline.bed.references import dangling
from plumbline.bed.secrets import literals
from plumbline.bed.text import read_text, shown_path
from plumbline.bed.tree import Tree, merge, parse


def load(path: Path | str) -> Bed:
    """The bed that a file declares; BedError names all that is wrong: where, what was expected, the nearest word."""
    problems: list[Problem] = []
    tree = _read(Path(path), problems, ())
    _check_version(tree)
    problems += literals(tree)
    tree = nodes_of(tree, problems)
    problems += dangling(tree)
    bed = None
    try:
        bed = Bed.model_validate(tree.plain())
    except ValidationError as error:
        problems += describe.problems(error, tree, Bed)
    else:
        problems += [*unanswered(bed, tree), *misspelt(bed, tree)] if not problems else ()
    if problems or bed is None:
        raise BedError(problems)
    return bed.read_from(Path(path), tree)


def _read(path: Path, problems: list[Problem], above: tuple[str, ...]) -> Tree:
    """A file as a tree, ranges written out, put over the file that it extends."""
    shown = shown_path(path)
    tree, key_problems = parse(read_text(path), shown)
    if tree is None:
        raise BedError.one(
            Spot(shown, 1, 1), expected=f"a bed that begins with version: {VERSION}", found="an empty file"
        )
    if not isinstance(tree.value, dict):
        raise BedError.one(
            tree.spot, expected="a mapping of keys such as version, bed and nodes", found=describe.shown(tree.value)
        )
    problems += key_problems
    tree = expand(tree, problems)
    base = tree.value.get("extends")
    if base is None:
        return tree
    if not isinstance(base.value, str):
        raise BedError.one(base.spot, "extends", "the name of a bed file beside this one", describe.shown(base.value))
    file = path.parent / base.value
    real = os.path.realpath(file)
    if real in (*above, os.path.realpath(path)):
        raise BedError.one(base.spot, "extends", found=f"{base.value} extends this file in turn")
    if not file.is_file():
        beside = [other.name for other in path.parent.glob("*.yaml") if other.name != path.name]
        hint = nearest(base.value, beside)
        raise BedError.one(base.spot, "extends", "a bed file beside this one", describe.shown(base.value), hint)
    return merge(_read(file, problems, (*above, os.path.realpath(path))), tree)


def _check_version(tree: Tree) -> None:
    """Another version has other keys, so that nothing else is worth saying."""
    version = tree.child("version")
    if version is None:
        raise BedError.one(tree.spot, "version", found="the field version is missing", hint=f"supported: {VERSION}")
    if version.value != VERSION or isinstance(version.value, bool):
        raise BedError.one(
            version.spot, "version", str(VERSION), describe.shown(version.value), f"supported: {VERSION}"
        )
