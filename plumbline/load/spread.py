"""Whether the pods of a service share its load: what each used at the end of a run, as the metrics API tells.

Seed 003 (Kubernetes Horizontal Pod Autoscaling) had five pods of which one did all the work: more pods are no more power
where connections stay with the first. So it is what they use that is looked at, and not how many there are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from plumbline.bed import Bed
from plumbline.bed.throughput import Spread
from plumbline.collect.access import Access
from plumbline.collect.kubernetes import object_at
from plumbline.facts import conditions
from plumbline.load.result import Result, Use
from plumbline.load.verdict import Judged, Outcome, settled

_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3}


def look(bed: Bed, access: Access, name: str, since: float) -> tuple[Use, ...]:
    """The running pods of a workload; what one used is told where it was measured after a moment (Unix time)."""
    workload = bed.workloads[name]
    labels = workload.labels(name)
    asked = f"namespaces/{workload.namespace}/pods?labelSelector={','.join(f'{k}%3D{v}' for k, v in labels.items())}"
    pods: dict[str, Any] = object_at(access, f"/api/v1/{asked}") or {"items": ()}
    metrics: dict[str, Any] = object_at(access, f"/apis/metrics.k8s.io/v1beta1/{asked}") or {"items": ()}
    used = {
        item["metadata"]["name"]: sum(processors(container["usage"]["cpu"]) for container in item["containers"])
        for item in metrics["items"]
        if datetime.fromisoformat(item["timestamp"]).timestamp() > since
    }
    running = [pod for pod in pods["items"] if pod.get("status", {}).get("phase") == "Running"]
    return tuple(
        Use(pod["metadata"]["name"], conditions.has(pod, "Ready"), used.get(pod["metadata"]["name"]))
        for pod in running
        if "deletionTimestamp" not in pod["metadata"]
    )


def judge(result: Result, promised: Spread) -> Judged:
    """As many pods as promised, of which even the idlest has its part."""
    expected = f"{promised.replicas} pods, each with at least {promised.least * 100:g} % of what they use on average"
    ready = [use for use in result.uses if use.ready]
    if not result.uses:
        return Judged("spread", "unknown", "nobody told of the pods", expected)
    if len(ready) < promised.replicas:
        found = f"{len(ready)} pods are ready: {', '.join(use.pod for use in ready) or 'none'}"
        return settled(result, Judged("spread", "failed", found, expected))
    if unknown := [use.pod for use in ready if use.cpu is None]:
        found = f"what {unknown[0]} uses was not measured in the steady phase"
        return Judged("spread", "unknown", found, expected)
    used = {use.pod: use.cpu or 0.0 for use in ready}
    mean = sum(used.values()) / len(used)
    idlest = min(used, key=lambda pod: used[pod])
    share = used[idlest] / mean if mean else 0.0
    found = f"the idlest has {share * 100:.0f} %: {', '.join(f'{pod} {cpu * 1000:.0f}m' for pod, cpu in used.items())}"
    outcome: Outcome = "passed" if share >= promised.least else "failed"
    return settled(result, Judged("spread", outcome, found, expected))


def processors(quantity: str) -> float:
    """A quantity of Kubernetes: 12345678n, 250m or 2."""
    return float(quantity[:-1]) * _UNITS[quantity[-1]] if quantity[-1] in _UNITS else float(quantity)
