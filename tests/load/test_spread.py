"""Whether pods share a load: what the API server tells of them, and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from plumbline.bed import load
from plumbline.bed.throughput import Spread
from plumbline.collect.access import Access
from plumbline.load import spread
from plumbline.load.result import Result, Use
from tests.load.measured import CALM, result

SMALL = Path(__file__).parents[1] / "bed" / "small.yaml"
PROMISED = Spread(replicas=3, least=0.3)


def used(*cpu: float | None, ready: bool = True) -> Result:
    return replace(result([10, 10, 10]), uses=tuple(Use(f"pod-{n}", ready, one) for n, one in enumerate(cpu)))


@pytest.mark.parametrize(
    ("seen", "outcome", "said"),
    [
        (used(0.1, 0.12, 0.08), "passed", "the idlest has 80 %: pod-0 100m, pod-1 120m, pod-2 80m"),
        (used(0.2, 0.01, 0.01), "failed", "the idlest has 14 %"),
        (used(0.1, 0.1), "failed", "2 pods are ready: pod-0, pod-1"),
        (used(0.1, 0.1, 0.1, ready=False), "failed", "0 pods are ready: none"),
        (used(0.0, 0.0, 0.0), "failed", "the idlest has 0 %"),
        (used(0.1, None, 0.1), "unknown", "what pod-1 uses was not measured in the steady phase"),
        (used(), "unknown", "nobody told of the pods"),
    ],
)
def test_even_the_idlest_of_enough_pods_has_its_part(seen: Result, outcome: str, said: str) -> None:
    judged = spread.judge(seen, PROMISED)

    assert judged.outcome == outcome, judged
    assert judged.found.startswith(said)
    assert judged.expected == "3 pods, each with at least 30 % of what they use on average"


def test_too_little_load_is_the_generators_doing_where_it_was_saturated() -> None:
    seen = replace(used(0.2, 0.01, 0.01), generator=(replace(CALM, cpu=0.97),))

    assert spread.judge(seen, PROMISED).outcome == "unknown"


@pytest.mark.parametrize(
    ("quantity", "value"), [("12345678n", 0.012345678), ("250u", 0.00025), ("250m", 0.25), ("2", 2)]
)
def test_quantities_of_kubernetes(quantity: str, value: float) -> None:
    assert spread.processors(quantity) == pytest.approx(value)


def test_what_was_measured_before_the_steady_phase_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(access: Access, path: str) -> dict[str, Any]:
        asked.append(path)
        return {"items": METRICS if "metrics.k8s.io" in path else PODS}

    monkeypatch.setattr(spread, "object_at", answer)
    seen = spread.look(load(SMALL), Access(), "files", since=MOMENT.timestamp() + 10)

    assert seen == (Use("old", True, None), Use("new", False, 0.2))
    assert asked[0] == "/api/v1/namespaces/work/pods?labelSelector=app.kubernetes.io/name%3Dfiles"


def pod(name: str, ready: str, phase: str = "Running", **more: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, **more},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
    }


def metric(name: str, second: int, *cpu: str) -> dict[str, Any]:
    at = MOMENT.replace(second=second).isoformat().replace("+00:00", "Z")
    return {"metadata": {"name": name}, "timestamp": at, "containers": [{"usage": {"cpu": one}} for one in cpu]}


MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
PODS = [
    pod("old", "True"),
    pod("new", "False"),
    pod("done", "False", phase="Succeeded"),
    pod("going", "True", deletionTimestamp="2026-01-01T00:00:00Z"),
]
METRICS = [metric("old", 5, "100m"), metric("new", 20, "100m", "100m"), metric("going", 20, "100m")]
