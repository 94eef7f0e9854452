"""Kept, broken or unknown: the interval decides, and the generator is told from the bed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from locustfiles.engine import failures as failures_of
from plumbline.bed.throughput import Promise, Ratio, Target
from plumbline.load import verdict
from plumbline.load.histogram import of_microseconds
from plumbline.load.intervals import proportion
from plumbline.load.result import Result
from tests.load.measured import CALM, result

RATIO = Ratio(of="past", rate=0.5)


@pytest.mark.parametrize(
    ("by_second", "outcome"),
    [
        ([1000, 1010, 990, 1000], "passed"),
        ([800, 810, 790, 800], "failed"),
        ([980, 1010, 890, 1000], "unknown"),
        ([5000], "unknown"),
        ([0, 0, 0], "failed"),
        ([1000, 0, 0, 1000, 0, 0], "failed"),
        ([], "unknown"),
    ],
)
def test_a_rate_and_its_interval(by_second: list[int], outcome: str) -> None:
    (judged,) = verdict.rates(result(by_second), Promise(rate=950))

    assert judged.outcome == outcome, judged


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        ({"cpu": 0.97, "queued": 0.0}, "it ran 97 % and waited for a processor 0 %"),
        ({"cpu": 0.3, "queued": 0.65}, "it ran 30 % and waited for a processor 65 %"),
        ({"lag": 0.9}, "900 ms after their plan"),
    ],
)
def test_a_saturated_generator_is_not_the_beds_fault(sample: dict[str, float], why: str) -> None:
    seen = result([800, 810, 790], sample=replace(CALM, **sample))

    (judged,) = verdict.rates(seen, Promise(rate=950))

    assert judged.outcome == "unknown"
    assert judged.found.startswith("generator saturated: ")
    assert why in judged.found


@pytest.mark.parametrize(("seen", "outcome"), [(range(8), "failed"), (range(5), "unknown"), (range(4, 8), "unknown")])
def test_what_a_worker_that_was_away_did_not_send_is_not_the_beds_fault(seen: range, outcome: str) -> None:
    there = [(one, second) for one, seconds in (("a", range(8)), ("b", seen)) for second in seconds]
    samples = tuple(replace(CALM, generator=one, at=second + 1.0, seconds=1.0) for one, second in there)

    (judged,) = verdict.rates(replace(result([800, 810, 790]), generator=samples), Promise(rate=950))

    assert judged.outcome == outcome
    assert ("generator saturated: b was not there for" in judged.found) == (outcome == "unknown")


def test_times_suffer_sooner_than_rates_where_others_have_the_processors() -> None:
    seen = result([400] * 5, sample=replace(CALM, queued=0.55))
    promise = Promise(rate=950, within={"p50": timedelta(milliseconds=1.2)})

    assert [judged.outcome for judged in verdict.rates(seen, promise)] == ["failed"]
    assert [judged.outcome for judged in verdict.times(seen, promise)] == ["unknown"]


def test_a_second_in_which_nothing_ended_counts() -> None:
    assert result([5, 0, 0, 7]).whole_seconds() == [5, 0, 0, 7]


@pytest.mark.parametrize("by_second", [[], [0, 0], [1000, 1010, 990]])
def test_of_a_run_that_was_stopped_nothing_is_known(by_second: list[int]) -> None:
    target = Target(profile="p", to="personas", **{"from": "agent"}, users=1, promise=Promise(rate=950))
    stopped = replace(result(by_second, failures={"status 503": 9}), stopped="it was interrupted")

    judged = list(verdict.judge(stopped, target))

    assert judged[0].found == "it was interrupted"
    assert {one.outcome for one in judged} == {"unknown"}


def test_what_is_kept_in_spite_of_a_saturated_generator_is_kept() -> None:
    seen = result([1000, 1010, 990], sample=replace(CALM, cpu=0.99))

    assert [judged.outcome for judged in verdict.rates(seen, Promise(rate=900))] == ["passed"]


@pytest.mark.parametrize(
    ("own", "beside", "outcome"),
    [
        ([300, 310, 290], [500, 510, 490], "passed"),
        ([200, 210, 190], [500, 510, 490], "failed"),
        ([250, 280, 230], [500, 560, 440], "unknown"),
        ([0, 0, 0], [500, 510, 490], "failed"),
        ([300, 310, 290], [0, 0, 0], "unknown"),
        ([300, 310, 290], [500], "unknown"),
        ([300, 0, 0, 0, 0, 310], [500, 510, 490], "unknown"),
        ([], [500, 510, 490], "unknown"),
    ],
)
def test_a_ratio_has_the_intervals_of_both_rates(own: list[int], beside: list[int], outcome: str) -> None:
    judged = verdict.ratio(result(own), result(beside), RATIO)

    assert judged.outcome == outcome, judged


def test_a_ratio_to_a_rate_that_was_the_generators_limit_is_not_known_to_be_kept() -> None:
    limited = result([500, 510, 490], sample=replace(CALM, cpu=0.97))

    kept, broken = (verdict.ratio(result([rate] * 3), limited, RATIO) for rate in (300, 100))

    assert (kept.outcome, broken.outcome) == ("unknown", "failed")
    assert "generator saturated in past: " in kept.found
    assert verdict.ratio(result([1]), "it was not run", RATIO).found == "past: it was not run"


@pytest.mark.parametrize(("own", "outcome"), [(0, "failed"), (9, "failed"), (900, "unknown")])
def test_what_the_generator_could_not_send_explains_as_many_missing_answers(own: int, outcome: str) -> None:
    seen = result([800, 810, 790], failures={"generator: no free port": own} if own else {})

    judged = [next(verdict.rates(seen, Promise(rate=1000))), verdict.ratio(seen, result([2000, 2010, 1990]), RATIO)]

    assert [one.outcome for one in judged] == [outcome] * 2
    assert all(one.found.startswith("generator saturated: 900 × generator: no free port") for one in judged) == (
        own > 9
    )


def test_a_ratio_to_a_rate_that_the_generator_spoilt_is_not_known_to_be_kept() -> None:
    beside = result([500, 510, 490], failures={"generator: no free port": 500})

    assert verdict.ratio(result([300] * 3), beside, RATIO).outcome == "unknown"
    assert verdict.ratio(result([100] * 3), beside, RATIO).outcome == "failed"


@pytest.mark.parametrize(("limit", "outcome"), [(1.8, "passed"), (1.2, "failed"), (1.5, "unknown")])
def test_a_percentile_and_its_interval(limit: float, outcome: str) -> None:
    (judged,) = verdict.times(result([400] * 5), Promise(within={"p50": timedelta(milliseconds=limit)}))

    assert judged.outcome == outcome, judged


@pytest.mark.parametrize(("limit", "outcome"), [(2.0, "unknown"), (1.5, "unknown"), (0.9, "failed")])
def test_a_percentile_of_too_few_answers_may_be_broken_and_is_never_kept(limit: float, outcome: str) -> None:
    (judged,) = verdict.times(result([60]), Promise(within={"p99": timedelta(milliseconds=limit)}))

    assert judged.outcome == outcome, judged
    assert " of 60 answers, where it takes 368 to tell" in judged.found


@pytest.mark.parametrize(("lag", "outcome"), [(0.02, "failed"), (0.9, "unknown")])
def test_being_late_explains_no_more_than_itself(lag: float, outcome: str) -> None:
    late = replace(result([10] * 4, sample=replace(CALM, lag=lag)), total=of_microseconds([1_500_000] * 40))
    rate = next(verdict.rates(late, Promise(rate=13)))
    time = next(verdict.times(late, Promise(within={"p50": timedelta(seconds=1)})))

    assert (rate.outcome, time.outcome) == (outcome if lag < 0.5 else "failed", outcome)


def test_being_late_is_no_reason_for_no_answer_at_all() -> None:
    silent = result([0, 0, 0], sample=replace(CALM, lag=0.02))

    assert [one.outcome for one in verdict.rates(silent, Promise(rate=13))] == ["failed"]
    assert verdict.ratio(silent, result([500, 510, 490]), RATIO).outcome == "failed"


@pytest.mark.parametrize(
    ("failures", "outcome"),
    [
        ({}, "passed"),
        ({"status 503": 100}, "failed"),
        ({"status 503": 1}, "unknown"),
        ({"generator: no free port": 50}, "unknown"),
        ({"generator: no free port": 50, "status 503": 100}, "failed"),
    ],
)
def test_failures_are_a_share_of_all_requests(failures: dict[str, int], outcome: str) -> None:
    [judged] = verdict.failures(result([2500] * 4, failures=failures), Promise())

    assert judged.outcome == outcome, judged


@pytest.mark.parametrize(
    ("good", "failed", "outcome"),
    [(18, 0, "unknown"), (368, 0, "unknown"), (400, 0, "passed"), (400, 3, "unknown"), (400, 30, "failed")],
)
def test_a_promised_share_of_failures_takes_enough_requests(good: int, failed: int, outcome: str) -> None:
    [judged] = verdict.failures(result([good], failures={"status 503": failed}), Promise(failed=0.01))

    assert judged.outcome == outcome, judged


@pytest.mark.parametrize(
    ("failures", "outcome"),
    [
        ({"status 503": 9_990_000}, "passed"),
        ({"status 503": 9_000_000, "connection reset": 990_000}, "passed"),
        ({"status 503": 10_000}, "failed"),
        ({"timeout: no first byte": 9_990_000}, "failed"),
        ({"status 503": 190_000}, "unknown"),
        ({"status 503": 9_990_000, "generator: no free port": 9_990_000}, "passed"),
    ],
)
def test_an_attack_has_to_be_turned_away_and_not_be_left_waiting(failures: dict[str, int], outcome: str) -> None:
    [judged] = verdict.failures(result([2500] * 4, failures=failures), Promise(refused=0.95))

    assert judged.outcome == outcome, judged


@pytest.mark.parametrize(
    ("waited", "number", "times", "failures"),
    [
        (900_000, 500, "passed", "passed"),
        (3_000_000, 5, "passed", "passed"),
        (3_000_000, 500, "failed", "passed"),
        (12_000_000, 500, "failed", "unknown"),
        (12_000_000, 22, "unknown", "passed"),
    ],
)
def test_what_waits_at_the_end_has_waited(waited: int, number: int, times: str, failures: str) -> None:
    seen = replace(result([500] * 4), unanswered=of_microseconds([waited] * number))
    promise = Promise(within={"p99": timedelta(seconds=1)}, failed=0.05)

    judged = [*verdict.times(seen, promise), *verdict.failures(seen, promise, timedelta(seconds=10))]

    assert [one.outcome for one in judged] == [times, failures], judged
    assert all("at the end" in one.found for one in judged if one.outcome != "passed")


def test_refusals_are_classes_that_the_engine_counts_under() -> None:
    known = {*failures_of._CLASSES.values(), *failures_of._CONNECT.values(), *map(failures_of.of_status, (429, 503))}

    assert known >= verdict.REFUSALS


@pytest.mark.parametrize(("failed", "low", "high"), [(0, 0.0, 3.69), (1, 0.0253, 5.57), (10, 4.80, 18.39)])
def test_the_interval_of_few_failures_is_that_of_the_tables(failed: int, low: float, high: float) -> None:
    interval = proportion(failed, 1)[0], proportion(failed, 1000)[1] * 1000

    assert interval == pytest.approx((low, high), abs=0.01)


def test_a_result_can_be_read_again() -> None:
    seen = result([10, 20], failures={"status 503": 1})

    assert Result.from_dict(seen.as_dict()) == seen
