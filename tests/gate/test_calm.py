"""When a container counts as one that ends again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from suites.placement.test_workloads import last_end


@pytest.mark.parametrize(
    ("ran", "ago", "counts"),
    [(2.0, 10, True), (2.0, 400, False), (2000.0, 10, False), (None, 10, True)],
    ids=["again and again", "over for a while", "with its node, after half an hour", "never begun"],
)
def test_only_a_short_life_that_has_just_ended_counts(ran: float | None, ago: int, counts: bool) -> None:
    over = datetime.now(UTC) - timedelta(seconds=ago)
    began = "1970-01-01T00:00:00Z" if ran is None else (over - timedelta(seconds=ran)).isoformat()
    ended = {"startedAt": began, "finishedAt": over.isoformat(), "reason": "Error", "exitCode": 1}

    assert (last_end({"lastState": {"terminated": ended}}) is not None) is counts


def test_a_container_that_has_not_ended_does_not_count() -> None:
    assert last_end({"lastState": {}}) is None
