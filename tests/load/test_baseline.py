"""A run is worse than the last good one where its interval lies beyond the other's and the noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plumbline.bed import Bed, load
from plumbline.load import baseline
from plumbline.load import result as results
from plumbline.load.histogram import of_microseconds
from tests.load.test_verdict import CALM, result

LAB = Path(__file__).parents[2] / "inventories" / "lab.yaml"
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


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    """The lab's, in a file that may be changed."""
    (tmp_path / "bed.yaml").write_text(LAB.read_text())
    return load(tmp_path / "bed.yaml")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("pace: 2, during: webui-flood", "pace: 3, during: webui-flood", False),
        ("users: 255, pace: 300", "users: 255, pace: 290", False),
        ("bed: lab", "bed: another", False),
        ("{p50: 500ms, p95: 3s}", "{p50: 400ms}", True),
        ("source: seed 003, ", "", True),
    ],
)
def test_only_the_same_load_is_compared(bed: Bed, tmp_path: Path, old: str, new: str, same: bool) -> None:
    good = replace(GOOD, declared=baseline.declared(bed, "webui"))
    results.write(good, tmp_path / "good.json")
    changed = bed.path.read_text().replace(old, new)
    assert changed != bed.path.read_text()
    (tmp_path / "changed.yaml").write_text(changed)
    now = replace(GOOD, declared=baseline.declared(load(tmp_path / "changed.yaml"), "webui"))

    assert baseline.last_good(tmp_path / "good.json", now) == (good if same else None)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, ""),
        ({"stopped": "it was interrupted"}, "it was interrupted: python -m locustfiles direct-kept comes first"),
        ({"declared": "of-another-bed"}, "its last run was of another load"),
        ({"began": -7200.0}, "its last run was 120 minutes before"),
    ],
)
def test_a_ratio_by_hand_is_to_a_whole_run_of_the_same_bed_and_hour(
    bed: Bed, tmp_path: Path, changed: dict[str, Any], why: str
) -> None:
    other = replace(GOOD, **{"declared": baseline.declared(bed, "direct-kept"), **changed})
    results.write(other, tmp_path / "result.json")
    found = baseline.beside(tmp_path / "result.json", bed, "direct-kept", GOOD)

    assert found == other if not why else str(found).startswith(why)
    assert (
        baseline.beside(tmp_path / "none.json", bed, "direct-kept", GOOD)
        == "python -m locustfiles direct-kept comes first"
    )


def test_kept_by_bed_target_and_kind_of_machine(tmp_path: Path) -> None:
    kind = baseline.machine("processor : 0\nmodel name\t: Fast CPU (R) @ 3.00GHz\n")
    file = baseline.file(tmp_path, "lab", "kept", kind)

    assert results.find(file) is None
    results.write(GOOD, file)
    assert results.find(file) == GOOD
    assert file.parent == tmp_path / "baselines/lab/kept"
    assert file.stem.endswith("-x-fast-cpu-r-3-00ghz")
