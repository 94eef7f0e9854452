"""YAML with places: every value and key of a parsed file knows the line and column where it was written."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from plumbline.bed.errors import BedError, Problem, Spot

_TAG = "tag:yaml.org,2002:"
_MOST_VALUES = 200_000  # an alias of an alias of an alias… fills the memory of the reader otherwise
_DEEPEST = 60


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed value, where it stands, and where its key stands (for an item of a list: where it stands)."""

    value: Any  # None, bool, int, float, str, dict[str, Tree] or list[Tree]
    spot: Spot
    key: Spot

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, dict):
            return {name: item.plain() for name, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def child(self, part: str | int) -> Tree | None:
        """The value under a key or at an index, or None."""
        if isinstance(self.value, dict):
            found = self.value.get(str(part))
            return found if isinstance(found, Tree) else None
        if isinstance(self.value, list) and isinstance(part, int | str) and str(part).isdecimal():
            return self.value[int(part)] if int(part) < len(self.value) else None
        return None

    def items(self) -> Iterator[tuple[str, Tree]]:
        """Keys (or indices) and values below this one; nothing below a scalar."""
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from ((str(index), item) for index, item in enumerate(self.value))

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tree]]:
        """Every value below this one, with its path."""
        for name, item in self.items():
            yield (*path, name), item
            yield from item.walk((*path, name))

    def find(self, path: str) -> Tree:
        """The value at a dotted path, or the deepest above it. Keys may hold dots themselves: the longest wins."""
        here, parts = self, path.split(".") if path else []
        while parts:
            fitting = (n for n in range(len(parts), 0, -1) if here.child(".".join(parts[:n])) is not None)
            taken = next(fitting, 0)
            below = here.child(".".join(parts[:taken])) if taken else None
            if below is None:
                return here
            here, parts = below, parts[taken:]
        return here


def merge(under: Tree, over: Tree) -> Tree:
    """`under` with `over` put over it, key by key; null deletes, a list replaces. Each value keeps its place."""
    if not (isinstance(under.value, dict) and isinstance(over.value, dict)):
        return over
    merged = dict(under.value)
    for name, item in over.value.items():
        if item.value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged[name], item) if name in merged else item
    return Tree(merged, over.spot, over.key)


def parse(text: str, file: str, foreign: bool = False) -> tuple[Tree | None, list[Problem]]:
    """A YAML document and what is wrong with its keys; BedError where it is no YAML at all; None for an empty one.

    `foreign` is for files of other tools: their tags (such as !vault) are read as null instead of refused.
    """
    problems: list[Problem] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            root = YAML(typ="safe", pure=True).compose(text)
        if root is None:
            return None, problems
        return _Builder(file, problems, foreign).build(root, Spot(file, 1, 1), 0), problems
    except BedError:
        raise
    except MarkedYAMLError as error:
        raise BedError([_syntax(error, text, file)]) from None
    except ReaderError as error:
        raise BedError.one(
            spot_of(text, file, int(error.position)), found="a character that YAML does not allow"
        ) from None
    except RecursionError:
        raise BedError.one(Spot(file, 1, 1), found="the values are nested too deep") from None
    except Exception as error:  # on rubbish the parser may raise anything; none of it is worth a traceback
        raise BedError.one(Spot(file, 1, 1), found=f"not YAML ({type(error).__name__})") from None


def spot_of(text: str, file: str, index: int) -> Spot:
    """Line and column of a character by its index."""
    before = text[:index]
    return Spot(file, before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


def _syntax(error: MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    said = " ".join(str(part) for part in (error.context, error.problem) if part) or "not YAML"
    if mark is None:
        return Problem(Spot(file, 1, 1), found=f"not YAML: {said}")
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    tab = line[: mark.column + 1].find("\t")
    if tab >= 0 and not line[:tab].strip():
        return Problem(Spot(file, mark.line + 1, tab + 1), found="a tab", hint="indent with spaces")
    return Problem(Spot(file, mark.line + 1, mark.column + 1), found=f"not YAML: {said}")


def _whole(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0) if digits.lstrip("+-")[:2].lower() in ("0o", "0x", "0b") else int(digits)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": _whole,
    "float": lambda text: float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan")),
    **dict.fromkeys(("str", "timestamp", "merge", "value"), str),  # a date stays the text that it is
}


class _Builder:
    """Turns composed nodes into trees; holds the file name and the budget of values."""

    def __init__(self, file: str, problems: list[Problem], foreign: bool) -> None:
        self.file, self.problems, self.foreign, self.left = file, problems, foreign, _MOST_VALUES

    def spot(self, node: Node) -> Spot:
        return Spot(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def build(self, node: Node, key: Spot | None, depth: int) -> Tree:
        spot = self.spot(node)
        self.left -= 1
        if self.left < 0 or depth > _DEEPEST:
            raise BedError.one(spot, found="too many values, or nested too deep", hint="does an alias hold itself?")
        if isinstance(node, MappingNode):
            return Tree(self.mapping(node.value, depth), spot, key or spot)
        if isinstance(node, SequenceNode):
            return Tree([self.build(item, None, depth + 1) for item in node.value], spot, key or spot)
        return Tree(self.scalar(node, spot), spot, key or spot)

    def mapping(self, pairs: Sequence[tuple[Node, Node]], depth: int) -> dict[str, Tree]:
        result: dict[str, Tree] = {}
        for key, value in pairs:
            spot = self.spot(key)
            name = key.value if isinstance(key, ScalarNode) else None
            if not isinstance(name, str) or not (self.foreign or str(key.tag) == f"{_TAG}str"):
                shown = name if isinstance(name, str) and name else "a key that is no text"
                self.problems.append(Problem(spot, shown, "text as a key", shown, f'write "{name}"' if name else ""))
            elif name in result:
                self.problems.append(
                    Problem(spot, name, found="the key stands here twice", hint=f"first at {result[name].key}")
                )
            else:
                result[name] = self.build(value, spot, depth + 1)
        return result

    def scalar(self, node: Node, spot: Spot) -> Any:
        text, tag = str(node.value), str(node.tag).removeprefix(_TAG)
        if tag in _SCALARS:
            try:
                return _SCALARS[tag](text)
            except ValueError:
                return text
        if not self.foreign:
            self.problems.append(Problem(spot, found=f"the tag {node.tag}", hint="a bed file has no tags"))
        return None
