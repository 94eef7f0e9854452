"""Objects of Kubernetes as a fault names them, and what a patch does to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from chaos.call import JSON, Arguments, Slip, Workload
from plumbline.bed import Bed
from plumbline.bed.errors import nearest

KINDS: dict[str, tuple[str, str, bool]] = {
    "Pod": ("/api/v1", "pods", True),
    "Node": ("/api/v1", "nodes", False),
    "Namespace": ("/api/v1", "namespaces", False),
    "Service": ("/api/v1", "services", True),
    "ConfigMap": ("/api/v1", "configmaps", True),
    "Secret": ("/api/v1", "secrets", True),
    "PersistentVolume": ("/api/v1", "persistentvolumes", False),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims", True),
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "StatefulSet": ("/apis/apps/v1", "statefulsets", True),
    "DaemonSet": ("/apis/apps/v1", "daemonsets", True),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers", True),
    "NodeMetrics": ("/apis/metrics.k8s.io/v1beta1", "nodes", False),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies", True),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    "APIService": ("/apis/apiregistration.k8s.io/v1", "apiservices", False),
    "NetworkAttachmentDefinition": ("/apis/k8s.cni.cncf.io/v1", "network-attachment-definitions", True),
    "Certificate": ("/apis/cert-manager.io/v1", "certificates", True),
    "CertificateRequest": ("/apis/cert-manager.io/v1", "certificaterequests", True),
    "ClusterIssuer": ("/apis/cert-manager.io/v1", "clusterissuers", False),
}
"""By kind: the path of its group, its plural, and whether it lives in a namespace."""


_BINDING = "pv.kubernetes.io/"
_KEYS = ("name", "type")
"""By which of its fields an item of a list is known: containers by their name, conditions by their type."""


class Object(Arguments):
    """One object: kind, name and namespace, or the controller of a workload of the bed."""

    workload: Workload | None = None
    kind: str | None = Field(default=None, description="such as Deployment; of a workload, its own kind")
    namespace: str | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.workload is None and (self.kind is None or self.name is None):
            raise ValueError("kind and name (and namespace), or workload is wanted")
        if self.workload is None and self.kind in KINDS and KINDS[self.kind][2] and not self.namespace:
            raise ValueError(f"a {self.kind} has a namespace")
        return self

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        if self.kind is not None and self.kind not in KINDS:
            return [Slip(name, "kind", f"no action knows the kind {self.kind}", nearest(self.kind, KINDS))]
        return []

    def identity(self, bed: Bed) -> dict[str, str]:
        """Kind, namespace and name, written out."""
        declared = bed.workloads[self.workload] if self.workload else None
        kind = self.kind or (declared.kind if declared else "")
        namespaced = KINDS[kind][2]
        namespace = self.namespace or (declared.namespace if declared else "")
        named = {"kind": kind, "name": self.name or self.workload or ""}
        return {**named, "namespace": namespace} if namespaced else named

    def path(self, bed: Bed) -> str:
        """Where the API server has it."""
        return path_of(**self.identity(bed))


def path_of(kind: str, name: str = "", namespace: str = "") -> str:
    """The path of an object, or without a name of their list."""
    group, plural, namespaced = KINDS[kind]
    where = f"{group}/namespaces/{namespace}/{plural}" if namespaced else f"{group}/{plural}"
    return f"{where}/{name}" if name else where


def inverse(patch: Mapping[str, JSON], now: Mapping[str, JSON]) -> dict[str, JSON]:
    """The merge patch that takes another back from what an object is now; lists come back whole."""
    found: dict[str, JSON] = {}
    for key, wanted in patch.items():
        has = now.get(key)
        if isinstance(wanted, Mapping) and isinstance(has, Mapping):
            found[key] = inverse(wanted, has)
        else:
            found[key] = has
    return found


def covers(has: Any, wanted: Any) -> bool:
    """Whether an object is as a patch would make it; null means that there is nothing."""
    if isinstance(wanted, Mapping):
        if not isinstance(has, Mapping):
            return not any(value is not None for value in wanted.values())
        return all(covers(has.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list | tuple):
        if not isinstance(has, list):
            return not wanted and not has
        for key in _KEYS if wanted else ():
            if all(isinstance(item, Mapping) and key in item for item in wanted):
                named = {item.get(key): item for item in has if isinstance(item, Mapping)}
                return all(covers(named.get(item[key]), item) for item in wanted)
        return len(has) == len(wanted) and all(covers(h, w) for h, w in zip(has, wanted, strict=True))
    return bool(has == wanted) or (wanted is None and has in (None, {}, []))


def cleaned(item: Mapping[str, JSON]) -> dict[str, JSON]:
    """An object as it could be created anew: without what the API server adds."""
    metadata = item["metadata"]
    keep = ("name", "namespace", "labels", "annotations", "finalizers")
    body = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    spec = body.get("spec")
    if item["kind"] == "Service" and isinstance(spec, Mapping):
        body["spec"] = {key: value for key, value in spec.items() if key != "clusterIPs"}
    if item["kind"] == "PersistentVolume" and isinstance(spec, Mapping) and spec.get("claimRef"):
        claim = {k: v for k, v in spec["claimRef"].items() if k not in ("uid", "resourceVersion")}
        body["spec"] = {**spec, "claimRef": claim}
    kept = {key: metadata[key] for key in keep if metadata.get(key)}
    if item["kind"].startswith("PersistentVolume"):  # one that says it is bound is lost where its other half is new
        kept["annotations"] = {k: v for k, v in kept.get("annotations", {}).items() if not k.startswith(_BINDING)}
    return {**body, "metadata": kept}
