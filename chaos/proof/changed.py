"""What a change touches, as git tells it: fault files, and checks whose code is no longer what it was."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_LIMIT = 30.0
_BASES = ("origin/main", "main")


class NoBase(Exception):
    """Git does not know what to compare with."""


@dataclass(frozen=True)
class Changed:
    """What is not as it was at `base`: files under the faults, ids of checks, layers whose helpers have changed."""

    base: str
    faults: frozenset[Path]
    checks: frozenset[str]
    layers: frozenset[str]


def changed(root: Path, base: str = "", suites: str = "suites") -> Changed:
    """What has changed since the merge base with `base` (default: origin/main, then main), uncommitted work included.

    On the main branch itself it is what the last commit changed. Raises NoBase where git cannot say.
    """
    start = _start(root, base)
    files = [Path(name) for name in _names(root, start)]
    checks: set[str] = set()
    layers: set[str] = set()
    for file in files:
        if file.suffix == ".py" and file.parts[:1] == (suites,) and len(file.parts) > 2:
            if file.name.startswith("test_"):
                checks |= _changed_checks(root, start, file)
            else:
                layers.add(file.parts[1])
    faults = frozenset(root / file for file in files if file.suffix == ".yaml" and "faults" in file.parts)
    return Changed(start, faults, frozenset(checks), frozenset(layers))


def checks_in(source: str) -> dict[str, str]:
    """Id and code of each check in a suite's source; comments and layout are not code."""
    return {id: ast.dump(function) for id, function in _checks(ast.parse(source))}


def _checks(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            for decorator in function.decorator_list:
                if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "check" and decorator.args:
                    id = decorator.args[0]
                    if isinstance(id, ast.Constant):
                        yield str(id.value), function


def _changed_checks(root: Path, start: str, file: Path) -> set[str]:
    now = checks_in((root / file).read_text(encoding="utf-8")) if (root / file).exists() else {}
    try:
        before = checks_in(_git(root, "show", f"{start}:{file.as_posix()}"))
    except NoBase:
        before = {}
    return {id for id, code in now.items() if before.get(id) != code}


def _start(root: Path, base: str) -> str:
    last: NoBase | None = None
    for name in (base,) if base else _BASES:
        try:
            start = _git(root, "merge-base", "HEAD", name).strip()
        except NoBase as error:
            last = error
            continue
        if start != _git(root, "rev-parse", "HEAD").strip():
            return start
        break
    else:
        raise last or NoBase("there is nothing to compare with")
    try:
        return _git(root, "rev-parse", "HEAD^").strip()
    except NoBase:  # the first commit of all: everything is new against the empty tree
        return _git(root, "hash-object", "-t", "tree", "/dev/null").strip()


def _names(root: Path, start: str) -> Iterable[str]:
    tracked = _git(root, "diff", "--name-only", start)
    untracked = _git(root, "ls-files", "--others", "--exclude-standard")
    return sorted({*tracked.splitlines(), *untracked.splitlines()})


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=_LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoBase(f"git {arguments[0]}: {error}") from error
    if done.returncode != 0:
        raise NoBase(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
