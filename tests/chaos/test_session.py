"""A session puts the bed back however it ends: layers 1, 2, 4, 7, 8 and 9 of the undo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from chaos import ledger
from chaos import session as sessions
from chaos import undo as undoing
from chaos.call import ActionFailed, Call
from chaos.reach import Reach
from chaos.session import Expired, NoEffect, NotAllowed, NotSettled, session
from chaos.undo import StillIn
from plumbline.bed import Bed
from plumbline.hold import PASS, Held, hold, let_through
from tests.chaos.scratch import Scratch

pytestmark = pytest.mark.usefixtures("no_watchdog")


def assert_restored(scratch: Scratch) -> None:
    assert scratch.file("one").read_text() == "as it was"
    assert scratch.file("two").read_text() == "as it was"
    assert not scratch.file("new").exists()
    assert scratch.entries() == []


def fails(phase: str, **more: Any) -> dict[str, Any]:
    return {"test.fails": {"phase": phase, **more}}


def test_the_fault_is_in_within_the_block_and_out_after_it(scratch: Scratch) -> None:
    with session(scratch.bed(), scratch.fault(scratch.change("one"), scratch.change("new"))) as injected:
        assert scratch.file("one").read_text() == "changed"
        assert scratch.file("new").read_text() == "changed"
        assert injected.id == scratch.entries()[0].stem

    assert_restored(scratch)


def test_the_undo_is_on_disk_before_each_step(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[Any]] = []
    bed, fault = scratch.bed(), scratch.fault(scratch.change("one"), scratch.change("two"), scratch.change("one", None))
    make = type(fault.inject[0].understood(bed)).apply

    def looked(self: Any, bed: Any, reach: Any) -> None:
        [file] = scratch.entries()
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        seen.append([call.arguments["text"] for call in ledger.read(bed, file).calls()])
        make(self, bed, reach)

    monkeypatch.setattr(type(fault.inject[0].understood(bed)), "apply", looked)
    with session(bed, fault):
        pass

    assert seen[:3] == [["as it was"], ["as it was", "as it was"], ["changed", "as it was", "as it was"]]
    assert_restored(scratch)


def test_an_exception_of_the_block_is_seen_and_the_fault_is_out(scratch: Scratch) -> None:
    with pytest.raises(ValueError, match="no gate"), session(scratch.bed(), scratch.fault(scratch.change("one"))):
        raise ValueError("no gate")

    assert_restored(scratch)


@pytest.mark.parametrize("phase", ["reverse", "apply", "holds", "effect"])
def test_an_exception_while_it_is_put_in_takes_all_of_it_out(
    scratch: Scratch, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "EFFECT_LIMIT", 0.1)
    fault = scratch.fault(scratch.change("one"), fails(phase), scratch.change("two"))

    with pytest.raises((ActionFailed, NoEffect)), session(scratch.bed(), fault):
        pytest.fail("the block must not run")

    assert_restored(scratch)


def test_what_was_to_come_about_and_did_not_is_an_error(scratch: Scratch) -> None:
    fault = scratch.fault(scratch.change("one"), wait={"holds": [scratch.change("two", "never")], "limit": "100ms"})

    with pytest.raises(NoEffect, match="did not come in time"), session(scratch.bed(), fault):
        pytest.fail("the block must not run")

    assert_restored(scratch)


def test_a_failing_undo_stops_no_other_and_is_told_with_what_is_still_in(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "bring_back", partial(undoing.bring_back, limit=0.1))
    fault = scratch.fault(scratch.change("one"), fails("", undo=True), scratch.change("two"))

    with pytest.raises(StillIn, match=r"test\.fails.*apply fails") as raised, session(scratch.bed(), fault):
        raise ValueError("the verdict of the block")

    assert isinstance(raised.value.__context__, ValueError)
    assert scratch.file("one").read_text() == scratch.file("two").read_text() == "as it was"
    [file] = scratch.entries()
    entry = ledger.read(scratch.bed(), file)
    assert entry.state == "failed"
    assert "apply fails" in entry.error


def test_an_undo_that_fails_at_first_is_tried_again(scratch: Scratch) -> None:
    counter = str(scratch.file("count"))

    with session(scratch.bed(), scratch.fault(scratch.change("one"), fails("", undo=True, times=2, counter=counter))):
        pass

    assert_restored(scratch)


def test_what_cannot_be_undone_because_it_never_got_in_is_no_trouble(scratch: Scratch) -> None:
    entry = scratch.entry({"scratch.file": {"path": str(scratch.file("one") / "below"), "text": None}})
    with Reach(scratch.bed()) as reach:
        left = undoing.undo(scratch.bed(), reach, entry, 0.1)

    assert left == []
    assert_restored(scratch)


def test_undoing_twice_changes_nothing(scratch: Scratch) -> None:
    entry = scratch.entry(scratch.change("one", "as it was"), scratch.change("new", None))
    with Reach(scratch.bed()) as reach:
        assert undoing.undo(scratch.bed(), reach, entry) == []
        assert undoing.undo(scratch.bed(), reach, entry) == []

    assert_restored(scratch)


def test_an_entry_that_is_forgotten_during_its_undo_stays_forgotten(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = scratch.entry(scratch.change("one", "as it was"))

    def forgotten(bed: Bed, reach: Reach, calls: Sequence[Call], limit: float) -> list[undoing.Left]:
        scratch.entries()[0].unlink()
        return [undoing.Left(calls[0], "it cannot be done")]

    monkeypatch.setattr(undoing, "bring_back", forgotten)
    with Reach(scratch.bed()) as reach:
        left = undoing.undo(scratch.bed(), reach, entry)

    assert [one.why for one in left] == ["it cannot be done"]
    assert scratch.entries() == []


def test_a_bed_that_does_not_settle_is_told(scratch: Scratch) -> None:
    fault = scratch.fault(scratch.change("one"), settle={"holds": [scratch.change("two", "else")], "limit": "100ms"})

    with pytest.raises(NotSettled, match="text=else"), session(scratch.bed(), fault):
        pass

    assert_restored(scratch)


def test_an_undo_that_the_watchdog_was_first_with_is_an_expired_session(scratch: Scratch) -> None:
    def too_long() -> None:
        with session(scratch.bed(), scratch.fault(scratch.change("one"))), Reach(scratch.bed()) as reach:
            undoing.undo(scratch.bed(), reach, ledger.read(scratch.bed(), scratch.entries()[0]))
            scratch.file("one").write_text("what a slow step did later")

    with pytest.raises(Expired, match="time-to-live"):
        too_long()

    assert_restored(scratch)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_block_and_the_fault_is_out(scratch: Scratch, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), session(scratch.bed(), scratch.fault(scratch.change("one"))):
        signal.raise_signal(number)

    assert_restored(scratch)
    assert signal.getsignal(number) is before


def _leave(number: int, frame: object) -> None:
    """As Chaos Toolkit does where a safeguard aborts."""
    raise SystemExit(20)


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGTERM, KeyboardInterrupt), (signal.SIGUSR1, SystemExit)])
def test_a_signal_during_the_undo_waits_for_its_end(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, raised: type[BaseException]
) -> None:
    def interrupted(bed: Any, reach: Any, calls: Any) -> list[Any]:
        os.kill(os.getpid(), number)
        return undoing.bring_back(bed, reach, calls)

    before = signal.signal(signal.SIGUSR1, _leave)
    monkeypatch.setattr(sessions, "bring_back", interrupted)
    try:
        with pytest.raises(raised), session(scratch.bed(), scratch.fault(scratch.change("one"))):
            pass
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert_restored(scratch)


def test_a_bed_that_does_not_allow_it_is_not_touched(scratch: Scratch) -> None:
    with (
        pytest.raises(NotAllowed, match=r"bed\.yaml:4"),
        session(scratch.bed(allowed=False), scratch.fault(scratch.change("one"))),
    ):
        pytest.fail("the block must not run")

    assert_restored(scratch)


def test_a_bed_that_is_held_is_not_touched(scratch: Scratch) -> None:
    fault = scratch.fault(scratch.change("one"))

    with hold(scratch.name), pytest.raises(Held, match="gate"), session(scratch.bed(), fault, hold_limit=0.1):
        pytest.fail("the block must not run")

    assert_restored(scratch)


def test_only_a_gate_with_the_token_is_let_through(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    with session(scratch.bed(), scratch.fault(scratch.change("one"))) as injected:
        with pytest.raises(Held), hold(scratch.name, timeout=0):
            pytest.fail("held alone")
        monkeypatch.setenv(PASS, "a guess")
        assert not let_through(scratch.name)
        monkeypatch.setenv(PASS, injected.environment[PASS])
        with hold(scratch.name, timeout=0):
            assert let_through(scratch.name)

    assert not let_through(scratch.name)


def test_a_token_is_worth_nothing_once_its_holder_was_killed(scratch: Scratch) -> None:
    code = (
        "import sys, os; from plumbline.hold import hold, PASS\n"
        f"with hold({scratch.name!r}, alone=True) as told:\n"
        "    print(told[PASS], flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=10, check=False)

    os.environ[PASS] = killed.stdout.strip()
    try:
        assert len(os.environ[PASS]) == 32
        assert not let_through(scratch.name)
    finally:
        del os.environ[PASS]


def test_what_an_earlier_run_left_is_undone_first(scratch: Scratch) -> None:
    scratch.file("two").write_text("broken by a run that is gone")
    scratch.entry(scratch.change("two", "as it was"))

    with session(scratch.bed(), scratch.fault(scratch.change("one"))):
        assert scratch.file("two").read_text() == "as it was"

    assert_restored(scratch)
