"""Histograms: fine where it matters, exact in what they count, honest in what they cannot know."""

from __future__ import annotations

import math
import random

import pytest

from plumbline.load.histogram import Histogram, key, needed, of_microseconds


@pytest.mark.parametrize(
    ("time", "kept"), [(1234, 1230), (12_345, 12_300), (123_456, 123_000), (9_999_999, 10_000_000)]
)
def test_a_key_is_within_one_percent(time: int, kept: int) -> None:
    assert key(time) == kept


def test_quantiles_are_those_of_the_times() -> None:
    random.seed(7)
    times = [round(random.lognormvariate(7, 1)) for _ in range(20_000)]

    histogram = of_microseconds(times)

    assert (histogram.count, histogram.least, histogram.largest) == (20_000, min(times), max(times))
    for share in (0.5, 0.9, 0.99):
        exact = sorted(times)[int(share * len(times))]
        low, high = histogram.interval(share)
        assert histogram.quantile(share) == pytest.approx(exact, rel=0.02, abs=11)
        assert low <= histogram.quantile(share) <= high


def test_added_up_it_is_as_if_counted_together() -> None:
    one, other = [100, 200, 300], [250, 90_000]
    together = Histogram()
    for part in (one, other, []):
        together.add(of_microseconds(part))

    assert together == of_microseconds(one + other)
    assert Histogram.from_dict(together.as_dict()) == together


@pytest.mark.parametrize(("share", "enough"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_few_times_do_not_tell_a_high_percentile(share: float, enough: int) -> None:
    few, many = (of_microseconds([*range(1000, 1000 + count)]) for count in (enough - 1, enough))

    assert needed(share) == enough
    assert few.interval(share)[1] == math.inf
    assert many.interval(share)[1] == many.largest


@pytest.mark.parametrize(("count", "least"), [(5, 0), (6, 1000)])
def test_few_times_do_not_tell_what_a_low_percentile_is_beyond(count: int, least: int) -> None:
    assert of_microseconds([*range(1000, 1000 + 10 * count, 10)]).interval(0.5)[0] == least


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="nothing"):
        Histogram().quantile(0.5)
