"""What is slow once is asked again."""

from pathlib import Path

from plumbline.collect.again import PATIENCE, mended, notes, patiently, slow
from plumbline.collect.planned import Planned
from plumbline.facts.source import Source

PAGE = Planned("tls", "flow", "ucs-2", "web-agent", "persona-1", {})
FRAME = Planned("ping", "frame", "ucs-2", "web-agent", "dut-pw", {})
REFUSED = Planned("tcp", "refused", "ucs-2", "web-agent", "k6-agent", {})


def answers(**outcomes: str) -> Source:
    return Source("ok", facts={"probes": {name: {"outcome": outcome} for name, outcome in outcomes.items()}})


def test_what_should_have_answered_is_asked_again() -> None:
    assert slow([PAGE, REFUSED], answers(**{PAGE.id: "timeout"})) == [PAGE]


def test_silence_that_is_wanted_is_not_asked_again() -> None:
    assert slow([PAGE, REFUSED], answers(**{PAGE.id: "ok", REFUSED.id: "timeout"})) == []


def test_silence_that_is_wanted_proves_nothing_where_others_are_late() -> None:
    source = answers(**{PAGE.id: "timeout", REFUSED.id: "timeout"})

    assert slow([PAGE, REFUSED], source) == [PAGE, REFUSED]


def test_a_large_frame_that_vanished_is_sent_again_and_one_that_was_refused_is_not() -> None:
    lost = {"outcome": "too-big", "facts": {"largest": 829}}
    refused = {"outcome": "too-big", "facts": {"largest": None}}

    assert slow([FRAME], Source("ok", facts={"probes": {FRAME.id: lost}})) == [FRAME]
    assert slow([FRAME], Source("ok", facts={"probes": {FRAME.id: refused}})) == []


def test_what_answered_is_not_asked_again() -> None:
    assert slow([PAGE], answers(**{PAGE.id: "refused"})) == []


def test_a_second_answer_takes_the_place_of_silence_and_says_that_it_is_the_second() -> None:
    source = mended(answers(**{PAGE.id: "timeout"}), answers(**{PAGE.id: "ok"}))

    assert source.facts["probes"][PAGE.id] == {"outcome": "ok", "attempts": 2}


def test_a_second_asking_that_fails_loses_nothing() -> None:
    first = answers(**{PAGE.id: "timeout"})

    assert mended(first, Source("timeout", "the node did not answer")) is first


def test_a_second_answer_that_was_cut_off_leaves_what_the_first_one_saw() -> None:
    seen = {"outcome": "timeout", "facts": {"records": {"172.17.1.2>10.1.1.2": {}}}}
    source = mended(Source("ok", facts={"probes": {PAGE.id: seen}}), answers(**{PAGE.id: "timeout"}))

    assert source.facts["probes"][PAGE.id] == {**seen, "attempts": 2}


def test_an_answer_that_came_late_is_noted_and_silence_is_not(tmp_path: Path) -> None:
    source = mended(answers(a="timeout", b="timeout", c="ok"), answers(a="ok", b="timeout"))
    source.write(tmp_path / "probes/ucs-2.json")

    assert notes(tmp_path) == ("ucs-2: 1 of 3 probes were answered only when asked a second time",)


def test_a_bed_that_answers_at_once_is_not_worth_a_note(tmp_path: Path) -> None:
    answers(a="ok").write(tmp_path / "probes/ucs-2.json")

    assert notes(tmp_path) == ()


def test_a_source_that_is_slow_once_is_asked_again_with_patience_and_says_so(tmp_path: Path) -> None:
    asked: list[float] = []

    def ask(patience: float) -> Source:
        asked.append(patience)
        return Source("ok", seconds=3.0) if patience > 1 else Source("timeout", "no answer", 4.0)

    source = patiently(ask)
    source.write(tmp_path / "nodes/ucs-4.json")

    assert (source.outcome, source.attempts, asked) == ("ok", 2, [1.0, PATIENCE])
    assert notes(tmp_path) == ("ucs-4: answered only when asked a second time, after 7 s",)


def test_a_source_that_is_slow_twice_is_a_timeout() -> None:
    source = patiently(lambda _: Source("timeout", "no answer", 4.0))

    assert (source.outcome, source.seconds) == ("timeout", 8.0)


def test_a_source_that_refuses_is_not_asked_again() -> None:
    assert patiently(lambda _: Source("refused", "wrong key")).attempts == 1
