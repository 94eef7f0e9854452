"""An open loop's plan: even, anchored once, and never moved by what is late."""

from __future__ import annotations

import math

from locustfiles.engine.plan import Plan


def taken(plan: Plan, now: float) -> list[float]:
    starts = []
    while (start := plan.take(now)) is not None:
        starts.append(round(start, 6))
    return starts


def test_starts_are_even_and_what_was_missed_stays_planned() -> None:
    plan = Plan()
    plan.pace(10, now=100.0)

    assert taken(plan, 100.25) == [100.0, 100.1, 100.2]
    assert taken(plan, 101.0)[0] == 100.3, "after a pause of 0.75 s the oldest comes first"


def test_a_change_of_pace_leaves_the_past_alone() -> None:
    plan = Plan()
    plan.pace(10, now=0.0)
    plan.pace(100, now=0.25)

    assert taken(plan, 0.25) == [0.0, 0.1, 0.2]
    assert taken(plan, 0.27) == [0.255, 0.265], "half of the gap that was left is half of the new gap"


def test_nothing_is_planned_without_a_pace() -> None:
    plan = Plan()
    assert math.isinf(plan.next)

    plan.pace(10, now=0.0)
    plan.pace(0, now=0.15)

    assert taken(plan, 9.0) == [0.0, 0.1]
    assert math.isinf(plan.next)
