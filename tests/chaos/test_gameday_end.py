"""How a game-day ends whose experiment had to be killed: only what is seen to be undone is called so."""

from __future__ import annotations

import threading

import pytest

from chaos import ledger
from chaos.gameday import command
from tests.chaos.scratch import Scratch


def test_it_waits_for_the_watchdog_of_an_experiment_that_was_killed(scratch: Scratch) -> None:
    entry = scratch.entry(scratch.change("one"))
    undoing = threading.Timer(0.5, ledger.remove, [entry])
    undoing.start()

    assert command._undone(scratch.bed())
    assert scratch.entries() == []
    undoing.join()


def test_what_nobody_undoes_is_still_in(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "UNDO_LIMIT", 0.1)
    scratch.entry(scratch.change("one"))

    assert not command._undone(scratch.bed())
