"""What must be there before an object is applied, so that nothing starts only to wait or to fail.

A kubelet that misses a secret tries again after ever longer pauses, so a pod that is applied a moment too early is
ready long after one that is applied when its secret is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lab.workloads.rendering import PROVIDES
from plumbline.bed.cluster import NETWORKS
from plumbline.facts.conditions import has

Manifest = dict[str, Any]

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
CONDITIONS = {"Certificate": "Ready", "ClusterIssuer": "Ready", "APIService": "Available"}
"""The condition that says that an object of a kind does what it is for."""
_EARLY = {"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "PersistentVolume"}
_LATE = {*WORKLOADS, "HorizontalPodAutoscaler", "APIService"}


@dataclass(frozen=True)
class Need:
    """An object that must be ready first."""

    api: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def phase(manifest: Manifest) -> int:
    """0: what others stand on; 1: what pods read; 2: what runs."""
    return 0 if manifest["kind"] in _EARLY else 2 if manifest["kind"] in _LATE else 1


def needs(manifests: Iterable[Manifest]) -> Callable[[Manifest], list[Need]]:
    """A function that tells what an object waits for, given all that are applied together."""
    everything = list(manifests)
    issued = {_key(m, m["spec"]["secretName"]): m for m in everything if m["kind"] == "Certificate"}
    leased = {_key(m, m["metadata"]["name"]) for m in everything if _is_leased(m)}
    leasing = [m for m in everything if m["kind"] == "DaemonSet" and _serves_leases(m)]

    def of(manifest: Manifest) -> list[Need]:
        if manifest["kind"] == "APIService":
            service = manifest["spec"]["service"]
            place = (service["namespace"], service["name"])
            behind = [m for m in everything if m["kind"] in WORKLOADS]
            return [_need(m) for m in behind if _key(m, m["metadata"]["name"]) == place]
        if manifest["kind"] not in WORKLOADS:
            return []
        namespace, template = manifest["metadata"]["namespace"], manifest["spec"]["template"]
        mounted = [v["secret"]["secretName"] for v in template["spec"].get("volumes", []) if "secret" in v]
        wanted = [_need(issued[namespace, name]) for name in mounted if (namespace, name) in issued]
        network = template["metadata"].get("annotations", {}).get(NETWORKS, "")
        place = tuple(network.split("/")) if "/" in network else (namespace, network)
        return wanted + ([_need(m) for m in leasing] if place in leased else [])

    return of


def is_ready(kind: str, live: Manifest | None) -> bool:
    """Does an object do what it is for? `live` is what the API server has of it; the items of a list name no kind."""
    if live is None:
        return False
    status = live.get("status", {})
    if kind in WORKLOADS:
        return _has_its_pods(kind, live, status)
    if kind == "PersistentVolumeClaim":
        return bool(status.get("phase") == "Bound")
    return has(live, CONDITIONS[kind])


def replicas(kind: str, live: Manifest) -> int:
    """How many pods a workload should have; `live` is what the API server has of it."""
    if kind == "DaemonSet":
        return int(live.get("status", {}).get("desiredNumberScheduled", 0))
    return int(live["spec"].get("replicas", 1))


def _has_its_pods(kind: str, live: Manifest, status: Manifest) -> bool:
    """Are there as many pods as there should be, of the newest kind, and ready?"""
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 1):
        return False
    wanted = replicas(kind, live)
    if kind == "DaemonSet":
        counts = [status.get("numberReady", 0), status.get("updatedNumberScheduled", 0)]
        return wanted > 0 and all(count == wanted for count in counts)
    return all(status.get(key, 0) == wanted for key in ("replicas", "readyReplicas", "updatedReplicas"))


def _key(manifest: Manifest, name: str) -> tuple[str, str]:
    return manifest["metadata"].get("namespace", ""), name


def _need(manifest: Manifest) -> Need:
    metadata = manifest["metadata"]
    return Need(manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"])


def _is_leased(manifest: Manifest) -> bool:
    if manifest["kind"] != "NetworkAttachmentDefinition":
        return False
    return bool(json.loads(manifest["spec"]["config"]).get("ipam", {}).get("type") == "dhcp")


def _serves_leases(manifest: Manifest) -> bool:
    return bool(manifest["metadata"].get("annotations", {}).get(PROVIDES) == "dhcp")
