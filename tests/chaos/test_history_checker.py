"""The checker on histories in which something was planted; each beside one that is sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.history.checker import Promise, Told, check, judge, longest_gap, recovered, times
from chaos.history.model import Kind, Moment, Operation, Outcome, line, moments, operations


def op(
    at: float, kind: Kind = "request", outcome: Outcome = "ok", value: object = None, client: str = "c"
) -> Operation:
    return Operation(client, kind, at, at + 0.1, outcome, value)  # type: ignore[arg-type]


def only(*history: Operation) -> Told:
    return check(history)["c"]


SOUND = (op(0, "write", value=1), op(1, "read", value=1), op(2, "write", value=2), op(9, "final", value=(1, 2)))


def test_a_sound_history_has_nothing_wrong() -> None:
    told = only(*SOUND)

    assert (told.operations, told.lost, told.missing, told.returned, told.stale, told.unread) == (3, 0, (), (), (), 0)
    assert judge(SOUND, [], {"c": Promise(gap=5.0, unaffected=True)}, {}).wrong == ()


def test_an_acknowledged_write_that_is_missing_is_found() -> None:
    history = (*SOUND[:3], op(9, "final", value=(1,)))

    assert only(*history).missing == (2,)
    assert judge(history, [], {"c": Promise()}, {}).wrong == ("c: 1 acknowledged writes are missing: 2",)


@pytest.mark.parametrize(("saved", "missing", "unsaved"), [(5.0, (), (2,)), (0.5, (2,), ()), (0.0, (2,), ())])
def test_what_was_not_saved_yet_when_the_fault_came_may_be_lost(
    saved: float, missing: tuple[int, ...], unsaved: tuple[int, ...]
) -> None:
    read = op(4.5, "read", value=1)
    history = (op(0, "write", value=1), op(2, "write", value=2), read, op(9, "final", value=(1,)))
    judged = judge(history, [Moment(3.0, "inject"), Moment(4.0, "noticed", True)], {"c": Promise(saved=saved)}, {})

    assert (judged.told["c"].missing, judged.told["c"].unsaved) == (missing, unsaved)
    assert bool(judged.wrong) is bool(missing), "a read does not see it either"


def test_what_was_acknowledged_after_the_fault_was_noticed_is_promised() -> None:
    history = (op(5, "write", value=1), op(9, "final", value=()))
    moments = [Moment(3.0, "inject"), Moment(4.0, "noticed", True)]

    assert judge(history, moments, {"c": Promise(saved=5.0)}, {}).told["c"].missing == (1,)


@pytest.mark.parametrize("there", [(1,), (1, 2)])
def test_a_write_of_which_nobody_knows_may_be_there_or_not(there: tuple[int, ...]) -> None:
    told = only(op(0, "write", value=1), op(1, "write", "unknown", 2), op(9, "final", value=there))

    assert (told.missing, told.returned, told.unknown) == ((), (), 1)


def test_a_refused_write_that_is_there_is_found() -> None:
    history = (op(0, "write", value=1), op(1, "write", "failed", 2), op(9, "final", value=(1, 2)))

    assert only(*history).returned == (2,)
    assert "refused and are there" in judge(history, [], {"c": Promise()}, {}).wrong[0]


def test_without_a_final_read_nobody_knows_what_is_there() -> None:
    history = (op(0, "write", value=1), op(9, "final", "failed"))

    assert only(*history).unread == 1
    assert "nobody could read" in judge(history, [], {"c": Promise()}, {}).wrong[0]


@pytest.mark.parametrize("seen", [1, None])
def test_a_read_that_misses_what_was_acknowledged_before_it_is_stale(seen: int | None) -> None:
    read = op(3, "read", value=seen)
    history = (op(0, "write", value=1), op(2, "write", value=2), read, op(9, "final", value=(1, 2)))

    assert only(*history).stale == (read,)
    assert judge(history, [], {"c": Promise()}, {}).wrong


def test_a_read_beside_a_write_may_see_it_or_not() -> None:
    write = Operation("c", "write", 2.0, 4.0, "ok", 2)

    assert only(op(0, "write", value=1), op(3, "read", value=1), write).stale == ()
    assert only(op(0, "write", value=1), op(3, "read", "unknown"), op(4, "read", "failed")).stale == ()


def test_the_longest_gap_is_the_longest_time_without_a_success() -> None:
    gap = longest_gap([op(0), op(1), op(2, outcome="failed"), op(6), op(7)])

    assert (round(gap.seconds, 1), round(gap.since, 1)) == (5.0, 1.1)


def test_a_gap_may_be_at_the_end_or_all_there_is() -> None:
    assert longest_gap([op(0), op(4, outcome="failed")]).seconds == pytest.approx(4.0)
    assert longest_gap([op(0, outcome="failed"), op(4, outcome="unknown")]).seconds == pytest.approx(4.1)
    assert longest_gap([]).seconds == 0.0


def test_reads_that_go_on_do_not_hide_a_gap_of_writes() -> None:
    history = [op(n, "read") for n in range(9)] + [op(0, "write"), op(4, "write", "failed"), op(8, "write")]

    assert longest_gap(history).seconds == pytest.approx(8.0)


def test_requests_lost_and_gaps_are_told_of_the_client_that_had_them() -> None:
    history = [op(0, client="hit"), op(1, outcome="failed", client="hit"), op(3, client="hit"), op(0, client="other")]
    promises = {"hit": Promise(gap=2.0), "other": Promise(gap=2.0, unaffected=True)}

    assert judge(history, [], promises, {}).wrong == ("hit: 3.0 s without a success, and at most 2 s are allowed",)
    assert "1 of 3 operations were lost" in judge(history, [], {"hit": Promise(unaffected=True)}, {}).wrong[0]


@pytest.mark.parametrize(("most", "wrong"), [(5.0, 0), (3.0, 1)])
def test_a_client_that_was_cut_off_must_succeed_again_in_time(most: float, wrong: int) -> None:
    history = [op(0), op(11, outcome="failed"), op(19.95), op(21, outcome="failed"), op(24)]
    told = [Moment(10, "inject"), Moment(20, "undoing")]

    judged = judge(history, told, {"c": Promise(recover=most)}, {}, by_undo=True)

    assert [said.startswith("c: 4.1 s until it succeeded again") for said in judged.wrong] == [True] * wrong


def test_a_client_that_never_succeeds_again_has_not_recovered() -> None:
    told = [Moment(10, "inject"), Moment(20, "undoing")]

    assert "never succeeded again" in judge([op(0)], told, {"c": Promise(recover=9.0)}, {}, by_undo=True).wrong[0]


def test_what_succeeded_before_the_fault_was_in_is_no_recovery() -> None:
    told = [Moment(10, "inject"), Moment(12, "effective"), Moment(30, "undoing")]
    reads = [op(at, "read") for at in (11, 16)]
    writes = [op(at, "write", outcome) for at, outcome in ((11, "ok"), (13, "failed"), (20, "ok"), (31, "failed"))]

    assert recovered([*reads, *writes], told, by_undo=False) == pytest.approx(10.1)
    assert recovered([*reads, *writes[:2]], told, by_undo=False) is None, "that reads succeed says nothing of writes"


def test_a_client_that_falls_silent_is_no_unaffected_one() -> None:
    promise = {"c": Promise(unaffected=True, silent=10.0)}
    told = [Moment(1, "inject"), Moment(30, "stop")]

    assert judge([op(0), op(2)], told, promise, {}).wrong == (
        "c: 27.9 s without a success, and it was not to be affected",
    )
    assert judge([op(at) for at in range(30)], told, promise, {}).wrong == ()


def test_a_recorder_that_failed_has_not_recorded_all() -> None:
    told = [Moment(9, "recorded", False, "it ended before the experiment did")]

    assert judge(SOUND, told, {"c": Promise()}, {}).wrong == (
        "not all was recorded: it ended before the experiment did",
    )


def test_a_client_of_which_nothing_was_recorded_is_no_sound_one() -> None:
    assert judge([], [], {"c": Promise()}, {}).wrong == ("c: nothing was recorded",)


def test_times_are_counted_from_the_fault_or_from_its_end() -> None:
    told = [
        Moment(0, "noticed", False), Moment(0, "whole", True), Moment(10, "inject"), Moment(12, "noticed", True),
        Moment(12, "whole", False), Moment(20, "undoing"), Moment(21, "undone"), Moment(23, "whole", True), Moment(30, "steady", True),
    ]  # fmt: skip

    by_undo, by_itself = times(told, by_undo=True), times(told)

    assert (by_undo.detect, by_undo.mend, by_undo.steady) == (2, 3, 10)
    assert (by_itself.detect, by_itself.mend, by_itself.steady) == (2, None, 20), "it took the undo to mend it"


def test_what_clients_take_to_read_at_the_end_is_not_the_beds_way_to_steady() -> None:
    told = [Moment(1, "inject"), Moment(5, "stop"), Moment(155, "recorded", True), Moment(180, "steady", True)]

    assert times(told).steady == pytest.approx(29)


def test_what_an_undo_disturbs_once_more_was_mended_all_the_same() -> None:
    told = [
        Moment(0, "whole", True), Moment(10, "inject"), Moment(11, "whole", False), Moment(14, "whole", True),
        Moment(20, "undoing"), Moment(21, "whole", False), Moment(24, "whole", True),
    ]  # fmt: skip

    assert times(told).mend == 4


def test_a_bed_that_is_whole_only_for_a_moment_is_not_mended() -> None:
    told = [Moment(0, "whole", True), Moment(10, "inject"), Moment(12, "whole", True), Moment(13, "whole", False)]

    assert times(told).mend is None
    assert "never came" in judge([], told, {}, {"mend": 5}).wrong[0]


def test_what_the_bed_never_noticed_is_not_mended_either() -> None:
    told = [Moment(0, "noticed", False), Moment(0, "whole", True), Moment(10, "inject")]

    assert (times(told).detect, times(told).mend) == (None, None)


def test_over_budget_is_wrong_even_when_all_is_well_again() -> None:
    told = [Moment(1, "inject"), Moment(2, "whole", False), Moment(7.5, "whole", True)]

    assert judge([], told, {}, {"mend": 6}).wrong == ("seconds to mend: 6.5 s, and at most 6 s are allowed",)
    assert judge([], told, {}, {"mend": 7}).wrong == ()


def test_files_keep_what_was_written_but_for_a_torn_last_line(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text(line(SOUND[0]) + line(SOUND[3]) + line(SOUND[1])[:20])

    assert operations(file) == [SOUND[0], SOUND[3]]
    assert moments(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize(("begun", "wrong"), [(2.5, 0), (4.0, 1), (6.5, 0)])
def test_a_service_that_must_refuse_may_acknowledge_nothing_meanwhile(begun: float, wrong: int) -> None:
    told = [Moment(2.0, "inject"), Moment(3.0, "noticed", True), Moment(6.0, "undoing")]
    history = [
        Operation("c", "write", begun, begun + 0.1, "ok", 1),
        Operation("c", "final", 9.0, 9.1, "ok", (1,)),
    ]

    assert len(judge(history, told, {"c": Promise(refused=True)}, {}).wrong) == wrong
    told[1] = Moment(3.0, "effective")
    assert len(judge(history, told, {"c": Promise(refused=True)}, {}).wrong) == wrong, "nobody is asked who noticed"
