"""prometheus.up: what is only looked at, whether Prometheus has found and reached all that it scrapes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chaos.call import ActionFailed, Looking, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

_LIMIT = 5


@action("prometheus.up")
class Up(Looking):
    """Whether Prometheus has as many targets of each declared job as it must, and reached all the last time it tried.

    A target of a pod that is gone counts as not reached, though it was when Prometheus last tried.
    """

    def holds(self, bed: Bed, reach: Reach) -> bool:
        declared = bed.services.prometheus
        if declared is None:
            raise ActionFailed("the bed file declares no Prometheus", place="prometheus.up")
        url = f"http://127.0.0.1:{bed.workloads[declared.workload].port}/api/v1/targets"
        for pod in reach.pods(declared.workload):
            done = reach.ask_pod(pod.node, pod.uid, ["curl", "-s", "-m", str(_LIMIT), url])
            if done.code == 0:
                targets = json.loads(done.out)["data"]["activeTargets"]
                jobs = Counter(target["labels"]["job"] for target in targets)
                there = {running.name for running in reach.every_pod()}
                up = all(target["health"] == "up" and _pod_of(target) in {"", *there} for target in targets)
                return up and all(jobs[job] == count for job, count in declared.targets.items())
        return False


def _pod_of(target: Mapping[str, Any]) -> str:
    """The pod that a target was found as; empty for one that was found otherwise."""
    return str(target["discoveredLabels"].get("__meta_kubernetes_pod_name", ""))
