"""`python -m plumbline.catalogue [--check]`: writes docs/checks.md from the suites, or says if it is still true."""

from __future__ import annotations

import argparse
import importlib
import inspect
import itertools
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from plumbline.bed import Bed, load
from plumbline.check import LAYERS, Case, Check, check_of, loops_of

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "checks.md"
BED = ROOT / "inventories" / "lab.yaml"
HEAD = """# Checks

Written by `make docs` from the suites; `tests/gate/test_catalogue.py` sees to it that it stays true.
*Runs* is how often a check runs on `inventories/lab.yaml`. {total} checks, {runs} runs.
"""


@dataclass(frozen=True)
class Entry:
    """One check of the catalogue."""

    check: Check
    title: str
    says: str
    runs: int
    file: str
    cases: tuple[Case, ...] = ()

    @property
    def subjects(self) -> frozenset[str]:
        """What it runs on."""
        return frozenset(case.subject for case in self.cases)


def entries(root: Path, bed: Bed) -> list[Entry]:
    """Every check of the suites under `root`, by layer and id; raises ValueError where two have one id."""
    return ordered(_checks(root, bed))


def ordered(checks: Iterable[Entry]) -> list[Entry]:
    """By layer, from the ground up, and id; raises ValueError where two have one id."""
    found = sorted(checks, key=lambda e: (_rank(e.check.layer), e.check.id))
    for one, other in itertools.pairwise(found):
        if one.check.id == other.check.id:
            raise ValueError(f"{one.check.id} stands in {one.file} and in {other.file}; an id names one check")
    return found


def page(found: list[Entry]) -> str:
    """docs/checks.md."""
    parts = [HEAD.format(total=len(found), runs=sum(entry.runs for entry in found))]
    for layer, group in itertools.groupby(found, key=lambda entry: entry.check.layer):
        parts.append(f"\n## {layer}\n\n| check | says | severity | kind | runs | source |\n|---|---|---|---|---|---|\n")
        members = list(group)
        for e in members:
            parts.append(_row(e.check.id, e.says, e.check.severity, e.check.kind, str(e.runs), e.check.source))
        parts.append("\n| check | what follows when it is red | remedy |\n|---|---|---|\n")
        parts += [_row(e.check.id, e.check.consequence, e.check.remedy) for e in members]
    return "".join(parts)


def _checks(root: Path, bed: Bed) -> Iterator[Entry]:
    if str(root) not in sys.path:  # whoever is started as a program finds the suites too
        sys.path.insert(0, str(root))
    for file in sorted((root / "suites").rglob("test_*.py")):
        name = ".".join(file.relative_to(root).with_suffix("").parts)
        for title, function in inspect.getmembers(importlib.import_module(name), inspect.isfunction):
            check = check_of(function)
            if check is not None and function.__module__ == name:
                yield _entry(check, title, function, bed, str(file.relative_to(root)))


def _entry(check: Check, name: str, function: object, bed: Bed, file: str) -> Entry:
    title = name.removeprefix("test_").replace("_", " ")
    loops = [list(loop.cases(bed)) for loop in loops_of(function)]
    says = (inspect.getdoc(function) or title).partition("\n")[0]
    return Entry(check, title, says, math.prod(map(len, loops)), file, tuple(itertools.chain(*loops)))


def _rank(layer: str) -> tuple[int, str]:
    return (LAYERS.index(layer) if layer in LAYERS else len(LAYERS), layer)


def _row(id: str, *cells: str) -> str:
    return f"| `{id}` | " + " | ".join(_cell(cell) for cell in cells) + " |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def main() -> int:
    """Writes the page; with --check only compares, exit code 1 where it is no longer true."""
    parser = argparse.ArgumentParser(prog="python -m plumbline.catalogue", description=__doc__)
    parser.add_argument("--check", action="store_true", help="do not write; end with 1 where the page is out of date")
    options = parser.parse_args()
    text = page(entries(ROOT, load(BED)))
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print(f"{PAGE.relative_to(ROOT)} is out of date; make docs writes it anew", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
