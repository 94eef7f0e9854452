"""What is slow once is asked again."""

from plumbline.collect.again import mended, slow
from plumbline.collect.planned import Planned
from plumbline.facts.source import Source

PAGE = Planned("tls", "flow", "ucs-2", "web-agent", "persona-1", {})
REFUSED = Planned("tcp", "refused", "ucs-2", "web-agent", "k6-agent", {})


def answers(**outcomes: str) -> Source:
    return Source("ok", facts={"probes": {name: {"outcome": outcome} for name, outcome in outcomes.items()}})


def test_only_what_should_have_answered_is_asked_again() -> None:
    source = answers(**{PAGE.id: "timeout", REFUSED.id: "timeout"})

    assert slow([PAGE, REFUSED], source) == [PAGE]


def test_what_answered_is_not_asked_again() -> None:
    assert slow([PAGE], answers(**{PAGE.id: "refused"})) == []


def test_a_second_answer_takes_the_place_of_silence_and_says_that_it_is_the_second() -> None:
    source = mended(answers(**{PAGE.id: "timeout"}), answers(**{PAGE.id: "ok"}))

    assert source.facts["probes"][PAGE.id] == {"outcome": "ok", "attempts": 2}


def test_a_second_asking_that_fails_loses_nothing() -> None:
    first = answers(**{PAGE.id: "timeout"})

    assert mended(first, Source("timeout", "the node did not answer")) is first
