"""Waiting until everything that was applied works, and saying why where it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lab.errors import LabError
from lab.workloads.client import ApiError, Client, list_path
from lab.workloads.order import CONDITIONS, WORKLOADS, is_ready

Manifest = dict[str, Any]

POLL = 0.5
_WATCHED = (*WORKLOADS, "PersistentVolumeClaim", *CONDITIONS)
_SHOWN = 6
_EVENTS = 3


def wait_ready(
    manifests: Iterable[Manifest], client: Client, deadline: float, progress: Callable[[str], None] = lambda _: None
) -> None:
    """Wait until all pods are ready, claims bound and certificates issued; `deadline` is `time.monotonic()` time.

    `progress` is told what is still missing. LabError says for each what its pods, their containers and the events say.
    """
    wanted = [m for m in manifests if m["kind"] in _WATCHED]
    kinds = {(m["apiVersion"], m["kind"]) for m in wanted}
    left, total, said = wanted, len(wanted), "no answer of the API server"
    while left:
        try:
            there = {kind: client.by_name(api, kind) for api, kind in kinds}
            left = [m for m in left if not is_ready(m["kind"], there[m["kind"]].get(_name(m)[1:]))]
            kinds = {(m["apiVersion"], m["kind"]) for m in left}
            names = sorted(m["metadata"]["name"] for m in left)
            said = f"{total - len(left)} of {total} ready"
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                said += f"; missing {', '.join(names[:_SHOWN])}{more}"
        except ApiError as error:
            said = error.what
        progress(said)
        if left and time.monotonic() > deadline:
            raise LabError(f"not everything became ready in time: {said}\n{_reasons(client, left)}")
        if left:
            time.sleep(POLL)


def _name(manifest: Manifest) -> tuple[str, str, str]:
    return manifest["kind"], manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]


def _reasons(client: Client, left: list[Manifest]) -> str:
    """What is known of each thing that is missing: at most a few lines each."""
    try:
        pods = client.items(list_path("v1", "Pod"))
        events = client.items(list_path("v1", "Event"))
    except ApiError as error:
        return f"  and why is not known: {error.what}"
    return "\n".join(line for m in left for line in _reason(m, pods, events))


def _reason(manifest: Manifest, pods: list[Manifest], events: list[Manifest]) -> Iterator[str]:
    kind, namespace, name = _name(manifest)
    yield f"  {kind} {namespace}/{name}" if namespace else f"  {kind} {name}"
    subjects = {name}
    if kind in WORKLOADS:
        wanted = manifest["spec"]["selector"]["matchLabels"].items()
        near = [p for p in pods if p["metadata"]["namespace"] == namespace]
        mine = [p for p in near if wanted <= p["metadata"].get("labels", {}).items()]
        subjects |= {p["metadata"]["name"] for p in mine}
        subjects |= {o["name"] for p in mine for o in p["metadata"].get("ownerReferences", [])}
        if not mine:
            yield "    it has no pods"
        for pod in mine:
            yield from (f"    {pod['metadata']['name']}: {text}" for text in _pod_state(pod))
    chosen = [
        e
        for e in events
        if e["involvedObject"].get("name") in subjects
        and e["involvedObject"].get("namespace", "") == namespace
        and e.get("type") != "Normal"
    ]
    chosen.sort(key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or "")
    yield from (f"    {e.get('reason')}: {e.get('message')}" for e in chosen[-_EVENTS:])


def _pod_state(pod: Manifest) -> Iterator[str]:
    status = pod.get("status", {})
    if not status.get("containerStatuses"):
        reasons = [c["message"] for c in status.get("conditions", []) if c["status"] != "True" and c.get("message")]
        yield f"{status.get('phase', 'unknown')}{': ' + reasons[0] if reasons else ''}"
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        if container.get("ready"):
            continue
        state: tuple[str, Manifest] = next(iter(container.get("state", {}).items()), ("unknown", {}))
        last = container.get("lastState", {}).get("terminated", {})
        parts = [state[0], state[1].get("reason"), state[1].get("message"), last.get("message")]
        exit_code = last.get("exitCode", state[1].get("exitCode"))
        told = f" (exit code {exit_code}, {container.get('restartCount', 0)} restarts)" if exit_code is not None else ""
        yield f"{container['name']}: {': '.join(p for p in parts if p)}{told}"
