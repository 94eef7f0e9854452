"""A bed that is a folder, with a ledger of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos import undo
from chaos.ledger import Entry
from chaos.watchdog import Watchdog
from plumbline import places
from plumbline.bed import Bed
from tests.chaos.scratch import Scratch


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    """A folder with two files, and a bed that allows faults."""
    monkeypatch.setenv("PLUMBLINE_STATE", str(tmp_path / "state"))
    made = Scratch(tmp_path, f"scratch-{os.getpid()}")
    made.bed()
    for name in ("one", "two"):
        made.file(name).write_text("as it was")
    yield made
    places.hold_file(made.name).unlink(missing_ok=True)


@dataclass
class _Asleep:
    """A watchdog that is always there and never does anything."""

    def await_ready(self) -> None: ...
    def alive(self) -> bool:
        return True

    def arm(self, seconds: float) -> None: ...
    def end(self, entry: Entry) -> None: ...


@pytest.fixture
def no_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions of this test have none that would bite: it is the session alone that is looked at, and it is fast."""

    def start(bed: Bed, entry: Entry) -> _Asleep:
        return _Asleep()

    monkeypatch.setattr(Watchdog, "start", start)
    monkeypatch.setattr(undo, "_PAUSE", 0.01)
