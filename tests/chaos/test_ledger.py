"""Entries that must not be undone blindly: altered, of another bed, of another lab."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chaos import ledger
from chaos.ledger import Refused
from lab.places import forget
from plumbline import places
from tests.chaos.scratch import Scratch


def assert_refused(scratch: Scratch, why: str) -> None:
    [file] = scratch.entries()
    with pytest.raises(Refused, match=why):
        ledger.read(scratch.bed(), file)
    run = scratch.chaos("ledger", "undo")
    assert run.returncode == 11
    assert why in run.stderr
    assert f"ledger show {file.stem}" in run.stderr
    assert scratch.file("one").read_text() == "as it was"


def changed(file: Path, **more: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | more))


def test_an_entry_is_read_as_it_was_written(scratch: Scratch) -> None:
    entry = scratch.entry(scratch.change("one", "as it was"))

    assert ledger.read(scratch.bed(), scratch.entries()[0]) == entry


def test_an_altered_entry_is_refused(scratch: Scratch) -> None:
    scratch.entry(scratch.change("one", "as it was"))
    changed(scratch.entries()[0], undo=[scratch.change("one", "what an attacker wants")])

    assert_refused(scratch, "altered")


def test_an_entry_that_is_half_written_is_refused(scratch: Scratch) -> None:
    scratch.entry(scratch.change("one", "no"))
    scratch.entries()[0].write_text('{"id": "')

    assert_refused(scratch, "cannot be read")


def test_an_entry_under_another_name_is_refused(scratch: Scratch) -> None:
    scratch.entry(scratch.change("one", "no"))
    file = scratch.entries()[0]
    file.rename(file.with_stem("20200101T000000-abcdef"))

    assert_refused(scratch, "calls itself")


def test_an_entry_of_another_bed_is_refused(scratch: Scratch) -> None:
    scratch.entry(scratch.change("one", "no"), bed=scratch.name, identity="0" * 32)

    assert_refused(scratch, "belongs to another bed")


def test_an_entry_that_another_ledger_signed_is_refused(scratch: Scratch, tmp_path: Path) -> None:
    scratch.entry(scratch.change("one", "no"))
    (places.ledger(scratch.name) / ".key").write_bytes(b"0" * 32)

    assert_refused(scratch, "altered")


def test_an_entry_that_was_mended_by_hand_can_be_forgotten(scratch: Scratch) -> None:
    scratch.entry(scratch.change("one", "no"), identity="0" * 32)

    run = scratch.chaos("ledger", "forget", scratch.entries()[0].stem)

    assert run.returncode == 0
    assert scratch.entries() == []


def test_an_unknown_entry_is_told_with_the_nearest(scratch: Scratch) -> None:
    entry = scratch.entry(scratch.change("one", "no"))

    run = scratch.chaos("ledger", "show", entry.id[:-1])

    assert run.returncode == 2
    assert f"did you mean {entry.id}?" in run.stderr


def test_an_unknown_entry_is_not_said_to_be_undone(scratch: Scratch) -> None:
    scratch.entry(scratch.change("one"))

    run = scratch.chaos("ledger", "undo", "typo")

    assert (run.returncode, len(scratch.entries())) == (2, 1)
    assert "there is no entry typo" in run.stderr


@pytest.mark.parametrize(("left", "code"), [(True, 11), (False, 130)])
def test_who_interrupts_an_undo_is_told_what_is_still_in(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, left: bool, code: int
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    scratch.bed()
    if left:
        scratch.entry(scratch.change("one"))
    monkeypatch.setattr("chaos.undo.reap", interrupted)

    run = scratch.chaos("ledger", "undo")

    assert run.returncode == code
    assert ("still in: " in run.stderr) is left


def test_a_lab_that_is_gone_has_no_fault_in_it(scratch: Scratch) -> None:
    scratch.entry(scratch.change("one", "no"))
    file = scratch.folder / "bed.yaml"
    file.write_text(file.read_text().replace("hardware", "lab"))

    run = scratch.chaos("ledger", "undo")

    assert run.returncode == 0
    assert scratch.entries() == []
    assert scratch.file("one").read_text() == "as it was"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a lab")
def test_a_lab_that_is_taken_down_takes_its_ledger_along(scratch: Scratch) -> None:
    scratch.entry(scratch.change("one", "no"))

    forget(scratch.name)

    assert not places.ledger(scratch.name).exists()
