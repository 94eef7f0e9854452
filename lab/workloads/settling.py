"""Waiting for what only time shows: the canary's first renewal, and the targets that Prometheus finds by itself.

A bed that was started a moment ago lacks both, and a gate would rightly say so.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

from lab.errors import LabError
from lab.workloads.client import ApiError, Client
from plumbline.bed import Bed

POLL = 1.0


def wait_settled(bed: Bed, client: Client, deadline: float, progress: Callable[[str], None] = lambda _: None) -> None:
    """Wait until nothing is outstanding; `deadline` is `time.monotonic()` time. LabError says what still is."""
    while left := list(outstanding(bed, client)):
        progress("; ".join(left))
        if time.monotonic() > deadline:
            raise LabError(f"the bed did not settle in time: {'; '.join(left)}")
        time.sleep(POLL)


def outstanding(bed: Bed, client: Client) -> Iterator[str]:
    """What has yet to happen in a bed whose pods are all ready."""
    try:
        yield from _not_renewed(bed, client)
        yield from _not_scraped(bed, client)
    except ApiError as error:
        yield error.what


def _not_renewed(bed: Bed, client: Client) -> Iterator[str]:
    canaries = {(str(c.secret.namespace), c.secret.name): name for name, c in bed.certificates.items() if c.renewed}
    there = client.by_name("cert-manager.io/v1", "Certificate") if canaries else {}
    for (namespace, _), live in there.items():
        name = canaries.get((namespace, live["spec"]["secretName"]))
        if name and live.get("status", {}).get("revision", 0) < 2:
            yield f"certificate {name} not renewed yet"


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
