"""kubernetes.kill and kubernetes.missing: pods that die, and whether their controller has noticed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from chaos.actions.kubernetes import Looking
from chaos.actions.objects import path_of
from chaos.call import ActionFailed, Arguments, Call, Node, Workload, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach


@action("kubernetes.kill")
class Kill(Arguments):
    """Pods of a workload die: the first by name, or a share of them, rounded up. New ones are their controller's work."""

    workload: Workload
    on: Node | None = Field(default=None, description="only pods on this node")
    share: float | None = Field(default=None, gt=0, le=1)

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return []

    def apply(self, bed: Bed, reach: Reach) -> None:
        pods = reach.pods(self.workload, self.on or "")
        if not pods:
            raise ActionFailed("no pod of it is running", place=self.workload)
        for pod in pods[: math.ceil(len(pods) * self.share) if self.share else 1]:
            reach.api("DELETE", path_of("Pod", pod.name, pod.namespace), {"gracePeriodSeconds": 1}, missing=True)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return True  # their controller may long have made new ones


@action("kubernetes.missing")
class Missing(Looking):
    """Whether the controller of a workload itself says that it has fewer ready pods than it wants."""

    workload: Workload

    def holds(self, bed: Bed, reach: Reach) -> bool:
        declared = bed.workloads[self.workload]
        now = reach.get(path_of(declared.kind, self.workload, declared.namespace))
        if now is None:
            return True
        status = now["status"]
        if declared.kind == "DaemonSet":
            return bool(status.get("numberReady", 0) < status.get("desiredNumberScheduled", 0))
        return bool(status.get("readyReplicas", 0) < now["spec"].get("replicas", 1))
