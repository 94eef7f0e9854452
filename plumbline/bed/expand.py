"""Ranges written once: a key such as `persona-{n:1-20}` stands for twenty, and {n} or {100+n} in its value counts along."""

from __future__ import annotations

import re
from typing import Any

from plumbline.bed.errors import BedError

_RANGE = re.compile(r"\{([a-z]):(\d+)-(\d+)\}")
_TERM = re.compile(r"\{(?:(\d+)([+*-]))?([a-z])(?:([+*-])(\d+))?\}")


def expand(value: Any) -> Any:
    """A copy of parsed YAML in which every ranged key is written out."""
    if isinstance(value, list):
        return [expand(item) for item in value]
    if not isinstance(value, dict):
        return value
    result: dict[Any, Any] = {}
    for key, item in value.items():
        for name, expanded in _entries(key, item):
            if name in result:
                raise BedError(f"{key}: the range gives {name!r}, which stands there already")
            result[name] = expand(expanded)
    return result


def _entries(key: Any, item: Any) -> list[tuple[Any, Any]]:
    match = _RANGE.search(key) if isinstance(key, str) else None
    if not match:
        return [(key, item)]
    variable, first, last = match[1], int(match[2]), int(match[3])
    return [
        (key.replace(match[0], str(n)), substitute(item, variable, n))
        for n in range(first, last + 1)
    ]


def substitute(value: Any, variable: str, number: int) -> Any:
    """`value` with {n}, {100+n}, {n*2} replaced in every string of it; a string that is nothing else becomes a number."""
    if isinstance(value, dict):
        return {substitute(k, variable, number): substitute(v, variable, number) for k, v in value.items()}
    if isinstance(value, list):
        return [substitute(item, variable, number) for item in value]
    if not isinstance(value, str):
        return value

    def term(match: re.Match[str]) -> str:
        if match[3] != variable:
            return match[0]
        left, operator, right = (int(match[1]), match[2], number) if match[2] else (number, match[4], int(match[5] or 0))
        return str({"+": left + right, "-": left - right, "*": left * right, None: number}[operator])

    replaced = _TERM.sub(term, value)
    whole = _TERM.fullmatch(value)
    return int(replaced) if whole and replaced != value else replaced
