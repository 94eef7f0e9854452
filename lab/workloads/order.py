"""What must be there before an object is applied, so that nothing starts only to wait or to fail.

A kubelet that misses a secret tries again after ever longer pauses, so a pod that is applied a moment too early is
ready long after one that is applied when its secret is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lab.workloads.client import Client, list_path
from lab.workloads.rendering import NETWORKS, PROVIDES

Manifest = dict[str, Any]

_EARLY = {"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "PersistentVolume"}
_LATE = {"Deployment", "StatefulSet", "DaemonSet", "HorizontalPodAutoscaler", "APIService"}
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True)
class Need:
    """Something that must be true of an object, and whether it is."""

    kind: str
    namespace: str
    name: str
    met: Callable[[Client], bool]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def phase(manifest: Manifest) -> int:
    """0: what others stand on; 1: what pods read; 2: what runs."""
    return 0 if manifest["kind"] in _EARLY else 2 if manifest["kind"] in _LATE else 1


def needs(manifests: Iterable[Manifest]) -> Callable[[Manifest], list[Need]]:
    """A function that tells what an object waits for, given all that are applied together."""
    everything = list(manifests)
    issued = {_key(m, m["spec"]["secretName"]) for m in everything if m["kind"] == "Certificate"}
    leased = {_key(m, m["metadata"]["name"]) for m in everything if _is_leased(m)}
    leasing = [m for m in everything if m["kind"] == "DaemonSet" and _serves_leases(m)]

    def of(manifest: Manifest) -> list[Need]:
        if manifest["kind"] == "APIService":
            service = manifest["spec"]["service"]
            place = (service["namespace"], service["name"])
            behind = [m for m in everything if m["kind"] in WORKLOADS]
            return [_running(m) for m in behind if _key(m, m["metadata"]["name"]) == place]
        if manifest["kind"] not in WORKLOADS:
            return []
        namespace, template = manifest["metadata"]["namespace"], manifest["spec"]["template"]
        mounted = [v["secret"]["secretName"] for v in template["spec"].get("volumes", []) if "secret" in v]
        wanted = [_secret(namespace, name) for name in mounted if (namespace, name) in issued]
        network = template["metadata"].get("annotations", {}).get(NETWORKS, "")
        place = tuple(network.split("/")) if "/" in network else (namespace, network)
        return wanted + ([_running(m) for m in leasing] if place in leased else [])

    return of


def is_running(live: Manifest | None) -> bool:
    """Has a controller all its pods, of its newest kind, and are they ready?"""
    if not live:
        return False
    status, spec = live.get("status", {}), live["spec"]
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 1):
        return False
    if live["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        counts = [status.get("numberReady", 0), status.get("updatedNumberScheduled", 0)]
        return wanted > 0 and all(count == wanted for count in counts)
    wanted = spec.get("replicas", 1)
    keys = ["replicas", "readyReplicas", "updatedReplicas"]
    return all(status.get(key, 0) == wanted for key in keys)


def _key(manifest: Manifest, name: str) -> tuple[str, str]:
    return manifest["metadata"].get("namespace", ""), name


def _is_leased(manifest: Manifest) -> bool:
    if manifest["kind"] != "NetworkAttachmentDefinition":
        return False
    return bool(json.loads(manifest["spec"]["config"]).get("ipam", {}).get("type") == "dhcp")


def _serves_leases(manifest: Manifest) -> bool:
    return bool(manifest["metadata"].get("annotations", {}).get(PROVIDES) == "dhcp")


def _secret(namespace: str, name: str) -> Need:
    path = f"{list_path('v1', 'Secret', namespace)}/{name}"

    def met(client: Client) -> bool:
        data = (client.get(path) or {}).get("data", {})
        return bool(data.get("tls.crt"))

    return Need("Secret", namespace, name, met)


def _running(manifest: Manifest) -> Need:
    kind, metadata = manifest["kind"], manifest["metadata"]
    path = f"{list_path(manifest['apiVersion'], kind, metadata['namespace'])}/{metadata['name']}"
    return Need(kind, metadata["namespace"], metadata["name"], lambda client: is_running(client.get(path)))
