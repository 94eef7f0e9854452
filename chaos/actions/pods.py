"""kubernetes.kill, drain and missing: pods that die or have to go, and whether their controller has noticed."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from pydantic import Field

from chaos.actions.objects import path_of
from chaos.call import JSON, ActionFailed, Arguments, Call, Looking, Node, Workload, action
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


@action("kubernetes.drain")
class Drain(Arguments):
    """A node that takes no new pods, and whose pods are asked to go, but for those of DaemonSets; as `kubectl drain`."""

    node: Node
    limit: float = Field(default=60.0, gt=0, le=600, description="seconds for all pods to be asked")

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        now = reach.get(path_of("Node", self.node))
        if now is None:
            raise ActionFailed("the cluster has no such node", place=self.node)
        was = now["spec"].get("unschedulable")
        named = {"kind": "Node", "name": self.node}
        return [] if was else [Call("kubernetes.patch", {**named, "patch": {"spec": {"unschedulable": None}}})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        reach.patch(path_of("Node", self.node), {"spec": {"unschedulable": True}})
        end = time.monotonic() + self.limit
        for pod in self._pods(reach):
            self._evict(reach, pod["metadata"]["namespace"], pod["metadata"]["name"], end)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        now = reach.get(path_of("Node", self.node))
        asked = all(pod["metadata"].get("deletionTimestamp") for pod in self._pods(reach))
        return bool(now and now["spec"].get("unschedulable")) and asked

    def _pods(self, reach: Reach) -> list[dict[str, JSON]]:
        found = reach.get("/api/v1/pods", fieldSelector=f"spec.nodeName={self.node}") or {"items": []}
        return [pod for pod in found["items"] if not _stays(pod)]

    def _evict(self, reach: Reach, namespace: str, name: str, end: float) -> None:
        """Eviction API (policy/v1): a disruption budget may ask for patience with 429."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        while True:
            status, said = reach.answer("POST", f"{path_of('Pod', name, namespace)}/eviction", body)
            if status < 300 or status == 404:
                return
            if status != 429 or time.monotonic() > end:
                why = said.get("message", "") if isinstance(said, dict) else said
                raise ActionFailed(
                    f"the pod may not be evicted: {status} {str(why)[:200]}", place=f"{namespace}/{name}"
                )
            time.sleep(1.0)


def _stays(pod: dict[str, JSON]) -> bool:
    """Pods of DaemonSets, and those that a kubelet runs by itself, go nowhere; those that have ended are no matter."""
    owners = {owner["kind"] for owner in pod["metadata"].get("ownerReferences") or ()}
    return bool(owners & {"DaemonSet", "Node"}) or pod["status"].get("phase") in ("Succeeded", "Failed")
