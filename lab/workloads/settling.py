"""Waiting for what only time shows: the canary's first renewal, the pods that are replaced meanwhile, and the targets
that Prometheus finds by itself.

A bed that was started a moment ago lacks them, and a gate would rightly say so.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from lab.errors import LabError
from lab.workloads.client import ApiError, Client, list_path
from lab.workloads.order import WORKLOADS, is_ready, replicas
from plumbline.bed import Bed
from plumbline.facts.conditions import has

POLL = 1.0


def wait_settled(bed: Bed, client: Client, deadline: float, progress: Callable[[str], None] = lambda _: None) -> None:
    """Wait until nothing is outstanding; `deadline` is `time.monotonic()` time. LabError says what still is."""
    while left := list(outstanding(bed, client)):
        progress("; ".join(left))
        if time.monotonic() > deadline:
            raise LabError(f"the bed did not settle in time: {'; '.join(left)}")
        time.sleep(POLL)


def replace_outdated(bed: Bed, client: Client) -> list[str]:
    """Delete pods that may have read their certificate before it was written last; the names of their workloads.

    cert-manager now and then issues a certificate a second time at once, while Reloader is still starting. Its
    revision tells: the requests do not, since cert-manager deletes those of earlier revisions.
    """
    secrets = client.by_name("v1", "Secret")
    issued = client.by_name("cert-manager.io/v1", "Certificate")
    again = {namespace for (namespace, _), live in issued.items() if _revision(live) > 1}
    replaced = []
    for name, workload in bed.workloads.items():
        certificate = bed.certificates[workload.certificate] if workload.certificate else None
        if certificate is None or workload.namespace not in again:
            continue
        secret = secrets.get((certificate.secret.namespace, certificate.secret.name), {})
        written = max((f["time"] for f in secret.get("metadata", {}).get("managedFields", [])), default="")
        for pod in client.items(list_path("v1", "Pod", workload.namespace)):
            if pod["metadata"]["creationTimestamp"] <= written:
                client.delete(f"{list_path('v1', 'Pod', workload.namespace)}/{pod['metadata']['name']}")
                replaced.append(name)
    return replaced


def outstanding(bed: Bed, client: Client) -> Iterator[str]:
    """What has yet to happen in a bed whose workloads have been ready once: Reloader may replace their pods since."""
    try:
        yield from _replaced(bed, client)
        yield from _not_renewed(bed, client)
        yield from _not_scraped(bed, client)
    except ApiError as error:
        yield error.what


def _replaced(bed: Bed, client: Client) -> Iterator[str]:
    """Pods that leave, and workloads with other ready pods than they should have: a status may be of a moment ago."""
    live = {kind: client.by_name("apps/v1", kind) for kind in WORKLOADS}
    pods = client.items(list_path("v1", "Pod"))
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            yield f"pod {pod['metadata']['name']} is being replaced"
    ready = [pod for pod in pods if _is_ready(pod)]
    for name, workload in bed.workloads.items():
        found = live[workload.kind].get((workload.namespace, name))
        if found is None:
            continue
        labels = found["spec"]["selector"]["matchLabels"].items()
        near = [pod["metadata"] for pod in ready if pod["metadata"]["namespace"] == workload.namespace]
        have, wanted = sum(labels <= pod.get("labels", {}).items() for pod in near), replicas(workload.kind, found)
        if have != wanted or not is_ready(workload.kind, found):
            yield f"{name}: {have} of {wanted} pods ready"


def _is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod that stays is ready."""
    return not pod["metadata"].get("deletionTimestamp") and has(pod, "Ready")


def _not_renewed(bed: Bed, client: Client) -> Iterator[str]:
    canaries = {(str(c.secret.namespace), c.secret.name): name for name, c in bed.certificates.items() if c.renewed}
    there = client.by_name("cert-manager.io/v1", "Certificate") if canaries else {}
    for (namespace, _), live in there.items():
        name = canaries.get((namespace, live["spec"]["secretName"]))
        if name and _revision(live) < 2:
            yield f"certificate {name} not renewed yet"


def _revision(certificate: dict[str, Any]) -> int:
    """How often cert-manager has issued a certificate."""
    return int(certificate.get("status", {}).get("revision", 0))


def _not_scraped(bed: Bed, client: Client) -> Iterator[str]:
    declared = bed.services.prometheus
    if declared is None:
        return
    workload = bed.workloads[declared.workload]
    service = f"/api/v1/namespaces/{workload.namespace}/services/{declared.workload}:{workload.port}"
    answer = client.get(f"{service}/proxy/api/v1/targets?state=active") or {}
    targets = answer.get("data", {}).get("activeTargets", [])
    # One that was found a moment ago is `unknown` until its first scrape.
    up = Counter(target["labels"]["job"] for target in targets if target["health"] != "down")
    for job, wanted in declared.targets.items():
        if up[job] < wanted:
            yield f"Prometheus has {up[job]} of {wanted} targets of {job}"
