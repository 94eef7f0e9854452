"""Applying the objects of a bed: in the order of what they stand on, side by side where they stand on the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from lab.errors import LabError
from lab.workloads.client import PARALLEL, ApiError, Client, object_path
from lab.workloads.order import WORKLOADS, Need, is_ready, needs, phase
from plumbline.facts.conditions import has

Manifest = dict[str, Any]

POLL = 0.25
"""Seconds between two looks at what an object waits for."""
_DEFINITION = "CustomResourceDefinition"


def apply(
    manifests: Iterable[Manifest], client: Client, deadline: float, progress: Callable[[str], None] = lambda _: None
) -> None:
    """Apply all objects; `deadline` is `time.monotonic()` time. A second run of the same changes nothing.

    An object that waits for another, such as a pod for its certificate, is applied as soon as that is there, while the
    others go on. LabError names what was missing at the deadline, or which object was refused and why.
    """
    everything = list(manifests)
    of = needs(everything)
    scaled = {_target(m) for m in everything if m["kind"] == "HorizontalPodAutoscaler"}
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="apply") as pool:
        for number in (0, 1):
            chosen = [m for m in everything if phase(m) == number]
            _all(pool.submit(_apply, client, m, deadline) for m in chosen)
            progress(f"{len(chosen)} objects applied")
            if number == 0:
                _await_definitions(client, [m for m in chosen if m["kind"] == _DEFINITION], deadline)
        waiting = {id(m): (m, of(m)) for m in everything if phase(m) == 2}
        while waiting:
            ready = [key for key, (_, wanted) in waiting.items() if not wanted]
            chosen = [waiting.pop(key)[0] for key in ready]
            _all(pool.submit(_apply, client, _with_replicas(client, m, scaled), deadline) for m in chosen)
            if waiting:
                _tell(waiting.values(), progress)
                _look(client, waiting, deadline)


def _look(client: Client, waiting: dict[int, tuple[Manifest, list[Need]]], deadline: float) -> None:
    """Wait until at least one object waits for nothing any more."""
    while True:
        wanted = {need for _, needed in waiting.values() for need in needed}
        kinds = {(need.api, need.kind) for need in wanted}
        there = {kind: client.by_name(*kind) for kind in kinds}
        met = {n for n in wanted if is_ready(n.kind, there[n.api, n.kind].get((n.namespace, n.name)))}
        for key, (manifest, needed) in waiting.items():
            waiting[key] = (manifest, [need for need in needed if need not in met])
        if any(not needed for _, needed in waiting.values()):
            return
        if time.monotonic() > deadline:
            missing = "\n".join(f"  {need}" for need in sorted(wanted - met, key=str))
            raise LabError(f"these did not come in time, and others wait for them:\n{missing}")
        time.sleep(POLL)


def _tell(waiting: Iterable[tuple[Manifest, list[Need]]], progress: Callable[[str], None]) -> None:
    first = [f"{m['metadata']['name']} waits for {wanted[0]}" for m, wanted in waiting if wanted]
    progress(f"{first[0]}{f' and {len(first) - 1} more' if len(first) > 1 else ''}" if first else "")


def _apply(client: Client, manifest: Manifest, deadline: float) -> None:
    while True:
        try:
            client.apply(manifest)
            return
        except ApiError as error:
            # 404: a kind that has just been defined is not served yet; 5xx and 0: the server is still starting.
            passing = error.status in (0, 404, 429) or error.status >= 500
            if not passing or time.monotonic() > deadline:
                raise
            time.sleep(POLL)


def _await_definitions(client: Client, definitions: list[Manifest], deadline: float) -> None:
    """Wait until the kinds that were just defined are served."""
    left = list(definitions)
    while left := [m for m in left if not has(client.get(object_path(m)) or {}, "Established")]:
        if time.monotonic() > deadline:
            raise LabError(f"the API server does not serve {left[0]['metadata']['name']}")
        time.sleep(0.1)


def _with_replicas(client: Client, manifest: Manifest, scaled: set[tuple[str, str, str]]) -> Manifest:
    """The manifest, with the replicas that there are now where an autoscaler decides about them."""
    if manifest["kind"] not in WORKLOADS or _identity(manifest) not in scaled:
        return manifest
    live = client.get(object_path(manifest))
    if live is None:
        return manifest
    return {**manifest, "spec": {**manifest["spec"], "replicas": live["spec"].get("replicas", 1)}}


def _identity(manifest: Manifest) -> tuple[str, str, str]:
    return manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _target(scaler: Manifest) -> tuple[str, str, str]:
    target = scaler["spec"]["scaleTargetRef"]
    return target["kind"], scaler["metadata"]["namespace"], target["name"]


def _all(futures: Iterable[Future[None]]) -> None:
    """Wait for all; the first error ends the waiting, and what has not begun is not begun."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            if error := future.exception():
                for other in pending:
                    other.cancel()
                raise error
