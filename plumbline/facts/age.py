"""How long something has been as it is: some figures only come with time, and their absence means nothing before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from plumbline.facts import conditions
from plumbline.facts.cluster import Object, Pod

FIRST_FIGURES_S = 120.0
"""The longest that it takes until the use of something is known: two rounds of what measures, one of what reads."""


def just_ready(pods: Iterable[Pod]) -> bool:
    """Whether one of these pods became Ready less than `FIRST_FIGURES_S` ago; one that is not Ready is no excuse."""
    return any(_ready_for_s(pod.raw) < FIRST_FIGURES_S for pod in pods)


def _ready_for_s(item: Object) -> float:
    """Seconds since the pod became Ready; without end where it is not."""
    ready = conditions.condition(item, "Ready")
    if ready is None or ready["status"] != "True":
        return float("inf")
    return (datetime.now(UTC) - datetime.fromisoformat(ready["lastTransitionTime"])).total_seconds()
