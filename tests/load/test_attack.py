"""What is borne during an attack is known only where there was one: all the while, and of more than a few requests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.bed import load
from plumbline.load.attack import doubted, weak
from plumbline.load.result import Result
from plumbline.load.verdict import Judged, Outcome
from plumbline.subjects import Thing
from suites.load.conftest import Runs
from tests.load.measured import result

BED = load(Path(__file__).parents[2] / "inventories" / "lab.yaml")
TARGETS = BED.load.targets if BED.load else {}
FLOOD = TARGETS["webui-flood"]
DURING = replace(result([2] * 40), began=2.0)


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (result([300] * 46), ""),
        (result([0] * 46, failures={"status 503": 13_000}), ""),
        ("the run did not end", "the run did not end"),
        (replace(result([300] * 46), stopped="it was interrupted"), "it was interrupted"),
        (replace(result([300] * 46), began=5.0, by_second=()), "it lasted for 37 of 40 s"),
        (result([300] * 38), "it lasted for 36 of 40 s"),
        (replace(result([300] * 46), began=-3600.0, by_second=()), "it lasted for 0 of 40 s"),
        (result([20] * 46), "920 requests in 46 s are none"),
        (result([0] * 46, failures={"generator: no free port": 13_000}), "0 requests in 46 s are none"),
    ],
)
def test_an_attack_is_one_of_enough_requests_all_the_while(attack: Result | str, why: str) -> None:
    told = weak("flood", attack, FLOOD, DURING)

    assert bool(told) == bool(why)
    assert why in told


def test_the_warm_up_of_an_attack_attacks_too() -> None:
    attack = result([300] * 50)

    assert weak("flood", replace(attack, began=8.0, seconds=42.0), FLOOD, DURING) == ""


@pytest.mark.parametrize(("outcome", "known"), [("passed", "unknown"), ("unknown", "unknown"), ("failed", "failed")])
def test_what_is_broken_without_an_attack_is_broken(outcome: Outcome, known: str) -> None:
    judged = Judged("rate", outcome, "8 a second", "10 a second")

    assert [one.outcome for one in doubted([judged], "attack flood: none")] == [known]
    assert [*doubted([judged], "")] == [judged]


@pytest.mark.parametrize(("attack", "outcomes"), [(result([300] * 46), {"passed"}), ("it did not end", {"unknown"})])
def test_promises_beside_no_attack_are_unknown(attack: Result | str, outcomes: set[str]) -> None:
    runs, target = Runs.__new__(Runs), Thing("webui", TARGETS["webui"])
    seen = replace(DURING, total=result([200]).total)
    runs._bed, runs._ended, runs._before = BED, {"webui": seen, "webui-flood": attack}, {"webui": None}

    judged = [*runs.rates(target), *runs.times(target), *runs.failures(target)]

    assert {one.outcome for one in judged} == outcomes, judged
