"""A measured figure: its values, its goal, what it includes; as a table for people and as JSON for programs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FORMAT = 1
_BUSY = 0.5
"""Share of the processors that others may use at the start."""


@dataclass(frozen=True)
class Figure:
    """One thing that was measured, once or several times.

    `most` is the goal, in the same unit, None where there is none; `includes` says what lies in the figure and what
    does not; `parts` are its pieces, by name.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    most: float | None = None
    includes: str = ""
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def least(self) -> float:
        """The smallest value."""
        return min(self.values)

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def largest(self) -> float:
        """The largest value."""
        return max(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the median keeps to the goal; None where there is none."""
        return None if self.most is None else self.median <= self.most


def shown(value: float) -> str:
    """A number as people read it: three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(title: str, figures: Sequence[Figure]) -> Table:
    """The figures with minimum, median, maximum and goal; numbers refer to what each includes."""
    drawn = Table(title=title, title_justify="left")
    for heading in ("figure", "unit"):
        drawn.add_column(heading)
    for heading in ("runs", "minimum", "median", "maximum", "goal"):
        drawn.add_column(heading, justify="right")
    for number, figure in enumerate(figures, 1):
        colour = {True: "green", False: "red", None: "default"}[figure.reached]
        drawn.add_row(
            f"{figure.name} [dim]({number})[/]", figure.unit, str(len(figure.values)), shown(figure.least),
            f"[{colour}]{shown(figure.median)}[/]", shown(figure.largest),
            "" if figure.most is None else f"≤ {shown(figure.most)}",
        )  # fmt: skip
    return drawn


def show(console: Console, title: str, figures: Sequence[Figure], notes: Iterable[str]) -> None:
    """Print the table, then what each figure includes and is made of, then what else there is to know."""
    console.print(table(title, figures))
    for number, figure in enumerate(figures, 1):
        parts = "; ".join(f"{name} {shown(value)}" for name, value in figure.parts.items())
        text = f"({number}) {figure.includes}{': ' if figure.includes and parts else ''}{parts}"
        console.print(text, markup=False, style="dim", soft_wrap=True)
    for note in notes:
        console.print(note, markup=False, soft_wrap=True)


def as_json(bed: str, started: str, figures: Sequence[Figure], notes: Sequence[str]) -> dict[str, Any]:
    """What `bench.json` holds."""
    return {
        "format": FORMAT,
        "bed": bed,
        "started": started,
        "machine": machine(),
        "figures": [
            {
                "name": figure.name,
                "unit": figure.unit,
                "minimum": figure.least,
                "median": figure.median,
                "maximum": figure.largest,
                "goal": figure.most,
                "reached": figure.reached,
                "values": list(figure.values),
                "includes": figure.includes,
                "parts": figure.parts,
            }
            for figure in figures
        ],
        "notes": list(notes),
    }


def machine() -> dict[str, Any]:
    """The machine that was measured on: processors, memory in bytes, kernel."""
    return {
        "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
    }


def write(file: Path, content: dict[str, Any]) -> None:
    """Write the JSON, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(file)


def company() -> list[str]:
    """Whether others were at work on the machine when it began."""
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    busy = load > _BUSY * cores
    return [f"the machine had other work at the start (load {load:.1f} on {cores} cores)"] if busy else []


def count(text: str) -> int:
    """A whole number from 1 on, of a command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
