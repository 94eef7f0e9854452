"""Ranges written once: the key `persona-{n:1-20}` stands for twenty; {n} or {100+n} in its value counts along.

The key `ops-{n:10,20,50}` stands for three: what is varied need not be evenly spaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from plumbline.bed.errors import Problem
from plumbline.bed.tree import Tree

_RANGE = re.compile(r"\{([a-z]):(?:(\d{1,6})-(\d{1,6})|(\d{1,6}(?:,\d{1,6})+))\}")
_TERM = re.compile(r"\{(?:(\d{1,6})([+*-]))?([a-z])(?:([+*-])(\d{1,6}))?\}")
MOST_COPIES = 4096  # VLANs there are 4094


def expand(tree: Tree, problems: list[Problem], path: str = "", variables: frozenset[str] = frozenset()) -> Tree:
    """A copy of a tree in which every ranged key is written out; each copy keeps the place of its line."""
    if isinstance(tree.value, list):
        below = [expand(item, problems, f"{path}.{n}", variables) for n, item in enumerate(tree.value)]
        return Tree(below, tree.spot, tree.key)
    if not isinstance(tree.value, dict):
        _refuse_unbound(tree, problems, path)
        return tree
    result: dict[str, Tree] = {}
    for key, item in tree.value.items():
        below_path = f"{path}.{key}" if path else key
        bound = {match[1] for match in _RANGE.finditer(key)}
        for clash in sorted(bound & variables):
            problems.append(
                Problem(
                    item.key,
                    below_path,
                    found=f"the range variable {clash} is used by a key above",
                    hint="take another letter",
                )
            )
        for name, copied in _copies(key, item, problems, below_path):
            where = f"{path}.{name}" if path else name
            if name in result:
                problems.append(
                    Problem(
                        item.key,
                        where,
                        found=f"the range gives {name}, which stands there already",
                        hint=f"at {result[name].key}",
                    )
                )
            elif not bound & variables:
                result[name] = expand(copied, problems, where, variables | bound)
    return Tree(result, tree.spot, tree.key)


def _copies(key: str, item: Tree, problems: list[Problem], path: str) -> Iterator[tuple[str, Tree]]:
    match = _RANGE.search(key)
    if not match:
        if "{" in key or "}" in key:
            problems.append(Problem(item.key, path, "a range such as persona-{n:1-20}", key))
        else:
            yield key, item
        return
    variable = match[1]
    first, last = (int(match[2]), int(match[3])) if match[2] else (0, 0)
    if not first <= last < first + MOST_COPIES:
        problems.append(Problem(item.key, path, f"a range that counts up, of at most {MOST_COPIES}", match[0]))
        return
    for number in map(int, match[4].split(",")) if match[4] else range(first, last + 1):
        yield from _copies(key.replace(match[0], str(number), 1), substitute(item, variable, number), problems, path)


def substitute(tree: Tree, variable: str, number: int) -> Tree:
    """`tree` with {n}, {100+n}, {n*2} replaced in every text of it; a text that is nothing else becomes a number."""
    value = tree.value
    if isinstance(value, dict):
        value = {_text(name, variable, number): substitute(item, variable, number) for name, item in value.items()}
    elif isinstance(value, list):
        value = [substitute(item, variable, number) for item in value]
    elif isinstance(value, str) and "{" in value:
        replaced = _text(value, variable, number)
        value = int(replaced) if replaced != value and _TERM.fullmatch(value) else replaced
    else:
        return tree
    return Tree(value, tree.spot, tree.key)


def _text(text: str, variable: str, number: int) -> str:
    def term(match: re.Match[str]) -> str:
        if match[3] != variable or (match[2] and match[4]):
            return match[0]
        before = (int(match[1]), match[2], number) if match[2] else None
        left, operator, right = before or (number, match[4], int(match[5] or 0))
        return str({"+": left + right, "-": left - right, "*": left * right, None: number}[operator])

    return _TERM.sub(term, text)


def _refuse_unbound(tree: Tree, problems: list[Problem], path: str) -> None:
    if isinstance(tree.value, str) and (match := _TERM.search(tree.value)):
        problems.append(Problem(tree.spot, path, f"a range {{{match[3]}:first-last}} in a key above", match[0]))
