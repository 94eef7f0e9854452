"""Agents are scaled by their load, within what the bed file allows, by figures that are known."""

from __future__ import annotations

from typing import Any

from plumbline.bed import Bed
from plumbline.bed.cluster import Autoscaler
from plumbline.bed.model import Workload
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.age import just_ready
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.kubernetes import cases


def autoscaler(facts: Facts, workload: Thing[Workload]) -> dict[str, Any] | None:
    """The HorizontalPodAutoscaler whose target a workload is."""
    wanted = {"kind": workload.spec.kind, "name": workload.spec.called(workload.name)}
    for item in facts.kubernetes.objects("horizontalpodautoscalers"):
        target = item["spec"]["scaleTargetRef"]
        if item["metadata"]["namespace"] == workload.spec.namespace and wanted.items() <= target.items():
            return item
    return None


def by_cpu(known: dict[str, Any]) -> list[str]:
    """The use of a processor above which there should be more pods, as a bed file has it."""
    cpu = (metric.get("resource", {}) for metric in known["spec"].get("metrics", ()))
    targets = [one["target"] for one in cpu if one.get("name") == "cpu"]
    return [f"{t['averageUtilization']}%" if "averageUtilization" in t else t.get("averageValue", "") for t in targets]


@check(
    "kubernetes.autoscaler",
    severity="major",
    remedy="kubectl get hpa -A; apply the autoscaler of {name} again",
    consequence="the number of agents does not follow the load, or leaves what the hardware can carry",
    source="seed 000, chapter 14",
)
@for_each("workload", cases.scaled)
def test_an_autoscaler_keeps_within_the_scale(workload: Thing[Workload], facts: Facts) -> None:
    """There is an autoscaler, whose least and most lie within the declared scale, and which scales by what is declared."""
    known = autoscaler(facts, workload)
    scale = workload.spec.scale or frozenset({workload.spec.replicas})

    assert known is not None, found("none", expected=f"{min(scale)} to {max(scale)} replicas")
    least, most = known["spec"].get("minReplicas", 1), known["spec"]["maxReplicas"]
    assert {least, most} <= scale, found(f"{least} to {most}", expected=f"within {min(scale)} to {max(scale)}")
    if isinstance(workload.spec.hpa, Autoscaler):
        assert workload.spec.hpa.cpu in by_cpu(known), found(by_cpu(known) or "no cpu", expected=workload.spec.hpa.cpu)


@check(
    "kubernetes.autoscaler-figures",
    severity="major",
    remedy="kubectl -n web-agents describe hpa {name}; kubectl top pods; kubectl logs of metrics-server",
    consequence="the number of agents stays what it is, whatever the load",
    source="seed 000, chapter 14",
)
@for_each("workload", cases.measured)
def test_an_autoscaler_knows_the_load(workload: Thing[Workload], facts: Facts, bed: Bed) -> None:
    """The autoscaler has figures for all that it scales by, at the latest two minutes after its pods are ready."""
    known = autoscaler(facts, workload)
    if known is None:
        raise Unknown(f"{workload.name} has no autoscaler", cause=f"hpa:{workload.name}")
    names = [workload.name, *cases.metrics_servers(bed)]
    if any(just_ready(facts.kubernetes.pods(name)) for name in names):
        return
    status = known.get("status", {})
    active: dict[str, str] = {c["type"]: c for c in status.get("conditions", ())}.get("ScalingActive", {})

    assert active.get("status") == "True", found(active.get("message", "it does not say"), expected="figures")
    assert len(status.get("currentMetrics") or ()) == len(known["spec"]["metrics"]), found(
        f"{len(status.get('currentMetrics') or ())} figures", expected=len(known["spec"]["metrics"])
    )
