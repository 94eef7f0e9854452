"""Autoscalers of the workloads for which the bed declares one."""

from __future__ import annotations

from lab.workloads.objects import Manifest, manifest
from plumbline.bed import Bed
from plumbline.bed.cluster import Autoscaler
from plumbline.bed.model import Workload

_UNDECLARED = Autoscaler(cpu="500m")
"""Where the bed says only that there is an autoscaler: absolute, since requests in a lab are mostly a token."""
_CALM = 300


def scalers(bed: Bed) -> list[Manifest]:
    """A HorizontalPodAutoscaler for each of them: from the declared replicas up to the end of the declared scale."""
    return [
        manifest(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            name,
            workload.namespace,
            spec={
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": workload.kind, "name": name},
                "minReplicas": workload.replicas,
                "maxReplicas": max(workload.scale or {workload.replicas}),
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": _target(workload)}}],
                "behavior": {"scaleUp": {"stabilizationWindowSeconds": _CALM if workload.hpa is True else 0}},
            },
        )
        for name, workload in bed.workloads.items()
        if workload.hpa
    ]


def _target(workload: Workload) -> Manifest:
    cpu = (_UNDECLARED if isinstance(workload.hpa, bool) else workload.hpa).cpu
    if cpu.endswith("%"):
        return {"type": "Utilization", "averageUtilization": int(cpu.removesuffix("%"))}
    return {"type": "AverageValue", "averageValue": cpu}
