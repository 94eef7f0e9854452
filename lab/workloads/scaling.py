"""Autoscalers of the workloads for which the bed declares one."""

from __future__ import annotations

from lab.workloads.objects import Manifest, manifest
from plumbline.bed import Bed

_CPU = "500m"
"""Use of a pod above which there should be more of them: absolute, since requests in a lab are only a token."""
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
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": _CPU}},
                    }
                ],
                "behavior": {"scaleUp": {"stabilizationWindowSeconds": _CALM}},
            },
        )
        for name, workload in bed.workloads.items()
        if workload.hpa
    ]
