"""Operations and moments of an experiment, as its files keep them: one JSON line each, in the order of their ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["ok", "failed", "unknown"]
"""ok: acknowledged. failed: refused, and certainly without effect. unknown: nobody can tell whether it took effect."""
Kind = Literal["request", "write", "read", "final"]
"""request: asks, changes nothing. write: one value of its own. read: the youngest value. final: all values, at the end."""


@dataclass(frozen=True)
class Operation:
    """What one client did once. Times are in seconds of the epoch, by the clock of the machine that records.

    `value` is what was written; of a read the youngest value that was seen (None: no value); of a final all of them.
    """

    client: str
    kind: Kind
    begun: float
    ended: float
    outcome: Outcome
    value: int | tuple[int, ...] | None = None
    said: str = ""


@dataclass(frozen=True)
class Moment:
    """Something that happened to the experiment itself: a step of it, or with `holds` a probe that has changed.

    `holds` is None where nobody can tell, or where this is no probe.
    """

    at: float
    name: str
    holds: bool | None = None
    said: str = ""


def line(told: Operation | Moment) -> str:
    """As a file keeps it."""
    return json.dumps(asdict(told), separators=(",", ":")) + "\n"


def operations(file: Path) -> list[Operation]:
    """What a file has, without a last line that was torn when its writer was killed; empty where there is none."""
    return [_operation(told) for told in _lines(file)]


def moments(file: Path) -> list[Moment]:
    """As `operations`, of moments."""
    return [Moment(**told) for told in _lines(file)]


def _operation(told: dict[str, Any]) -> Operation:
    value = told.get("value")
    return Operation(**{**told, "value": tuple(value) if isinstance(value, list) else value})


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    for written in text.splitlines(keepends=True):
        if written.endswith("\n"):
            yield json.loads(written)
