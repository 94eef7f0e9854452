"""A run is worse than the last good one where its interval lies beyond the other's and the noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.load import baseline
from plumbline.load import result as results
from plumbline.load.histogram import of_microseconds
from tests.load.test_verdict import CALM, result

GOOD = result([1000, 1010, 990, 1000])


def outcomes(now: results.Result) -> dict[str, str]:
    judged = [*baseline.rates(now, GOOD, 0.1), *baseline.times(now, GOOD, 0.1)]
    return {each.what: each.outcome for each in judged}


@pytest.mark.parametrize(
    ("by_second", "outcome"),
    [([1000, 1000, 1010, 990], "passed"), ([905, 900, 910, 900], "passed"), ([700, 710, 690, 700], "failed")],
)
def test_fewer_answers_are_a_regression_beyond_noise(by_second: list[int], outcome: str) -> None:
    assert outcomes(result(by_second))["answers a second"] == outcome


def test_a_last_good_run_of_a_single_second_tells_no_rate() -> None:
    assert [one.outcome for one in baseline.rates(result([0, 1]), result([1000]), 0.1)] == ["passed"]


def test_longer_times_are_a_regression_and_say_by_how_much() -> None:
    slow = replace(result([1000, 1010, 990, 1000]), total=of_microseconds(range(3000, 7000)))

    assert outcomes(slow) == {"answers a second": "passed", "p50": "failed", "p99": "failed"}
    assert "+233 %" in next(baseline.times(slow, GOOD, 0.1)).found


def test_a_percentile_that_too_few_answers_tell_is_not_compared() -> None:
    assert outcomes(result([30, 30])) == {"answers a second": "failed", "p50": "passed"}


def test_a_saturated_generator_is_no_regression() -> None:
    busy = result([700, 710, 690, 700], sample=replace(CALM, cpu=0.98))

    assert outcomes(busy)["answers a second"] == "unknown"


@pytest.mark.parametrize(
    ("sample", "failures", "outcome"),
    [
        ({"lag": 0.02}, {}, "failed"),
        ({}, {"generator: no free port": 9}, "failed"),
        ({}, {"generator: none": 900}, "unknown"),
    ],
)
def test_a_regression_is_the_generators_doing_only_as_far_as_that_explains_it(
    sample: dict[str, float], failures: dict[str, int], outcome: str
) -> None:
    slower = result([700, 710, 690, 700], sample=replace(CALM, **sample), failures=failures)

    assert outcomes(slower)["answers a second"] == outcome


def test_kept_by_bed_target_and_kind_of_machine(tmp_path: Path) -> None:
    kind = baseline.machine("processor : 0\nmodel name\t: Fast CPU (R) @ 3.00GHz\n")
    file = baseline.file(tmp_path, "lab", "kept", kind)

    assert results.find(file) is None
    results.write(GOOD, file)
    assert results.find(file) == GOOD
    assert file.parent == tmp_path / "baselines/lab/kept"
    assert file.stem.endswith("-x-fast-cpu-r-3-00ghz")
