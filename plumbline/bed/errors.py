"""What is said of a bed file that cannot be used: where, what was expected, what stood there, the nearest word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Self


@dataclass(frozen=True, order=True, slots=True)
class Spot:
    """A place in a file; line and column count from 1, line 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One thing that is wrong with a bed file. `path` is the place in the bed, such as networks.browsers.mtu."""

    spot: Spot
    path: str = ""
    expected: str = ""
    found: str = ""
    hint: str = ""
    copies: int = 1

    def __str__(self) -> str:
        said = f"expected {self.expected}, found {self.found}" if self.expected else self.found
        parts = [f"{self.spot}: {self.path + ': ' if self.path else ''}{said}"]
        if self.hint:
            parts.append(f"; {self.hint}")
        if self.copies > 1:
            parts.append(f" (in {self.copies} copies of this line)")
        return "".join(parts)


class BedError(Exception):
    """A bed file that cannot be used; `problems` holds all that is wrong with it, sorted by file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(_without_copies(problems)))
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def one(cls, spot: Spot, path: str = "", expected: str = "", found: str = "", hint: str = "") -> Self:
        """A file that one problem makes unusable as a whole."""
        return cls([Problem(spot, path, expected, found, hint)])


def _without_copies(problems: Iterable[Problem]) -> list[Problem]:
    """One problem for all expanded copies of a line, and one for all branches of a union."""
    places: dict[tuple[Spot, str], Problem] = {}
    for problem in problems:
        known = places.get((problem.spot, problem.path))
        if known is None:
            places[problem.spot, problem.path] = problem
        elif problem.expected and problem.expected not in known.expected.split(" or "):
            places[problem.spot, problem.path] = replace(known, expected=f"{known.expected} or {problem.expected}")
    lines: dict[tuple[Spot, str, str], Problem] = {}
    for problem in places.values():
        key = (problem.spot, problem.path.rpartition(".")[2] if problem.expected else "", problem.expected)
        known = lines.get(key)
        lines[key] = replace(known, copies=known.copies + 1) if known else problem
    return list(lines.values())


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint that names the nearest valid word, or all of them where none is near and they are few."""
    valid = sorted(set(names))
    close = get_close_matches(name, valid, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    if not valid:
        return "none is declared"
    return "valid: " + ", ".join(valid[:24]) + (", …" if len(valid) > 24 else "")
