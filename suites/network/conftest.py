"""What the suite of this folder speaks with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plumbline.bed import Bed
from plumbline.facts import Facts, Pod, PodFacts
from plumbline.outcome import Unknown

Inside = Callable[[str], list[tuple[Pod, PodFacts]]]


@pytest.fixture(scope="session")
def inside(bed: Bed, facts: Facts) -> Inside:
    """The running pods of a workload, each with what was found inside it. Unknown where there are none."""

    def look(workload: str) -> list[tuple[Pod, PodFacts]]:
        pods = [p for p in facts.kubernetes.pods(workload) if p.phase == "Running" and bed.nodes[p.node].ssh]
        if not pods:
            raise Unknown(f"no pod of {workload} is running", cause=f"workload:{workload}")
        return [(pod, facts.pod(pod)) for pod in pods]

    return look
