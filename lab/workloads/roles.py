"""Who may do what in the cluster: the gate, which only looks, and what the nodes themselves need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from lab.workloads.objects import Manifest, manifest
from plumbline.bed import Bed

GATE = "plumbline-gate"
"""Name of the read-only role, and of the user whom the runner's kubeconfig names."""
CNI_USER, OVERLAY_USER = "lab:cni", "lab:flanneld"

_RBAC = "rbac.authorization.k8s.io"
_LOOK = ["get", "list"]
_GATE_ASKS = ["/healthz", "/livez", "/readyz", "/livez/*", "/readyz/*", "/version"]
_GATE_READS: dict[str, list[str]] = {
    "": [
        "configmaps", "endpoints", "events", "namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes",
        "pods", "replicationcontrollers", "serviceaccounts", "services",
    ],
    "apps": ["daemonsets", "deployments", "replicasets", "statefulsets"],
    "autoscaling": ["horizontalpodautoscalers"],
    "apiextensions.k8s.io": ["customresourcedefinitions"],
    "apiregistration.k8s.io": ["apiservices"],
    "cert-manager.io": ["certificates", "certificaterequests", "clusterissuers", "issuers"],
    "coordination.k8s.io": ["leases"],
    "discovery.k8s.io": ["endpointslices"],
    "k8s.cni.cncf.io": ["network-attachment-definitions"],
    "metrics.k8s.io": ["nodes", "pods"],
    "networking.k8s.io": ["networkpolicies"],
    "storage.k8s.io": ["storageclasses"],
}  # fmt: skip


def access(bed: Bed) -> Iterator[Manifest]:
    """Roles and bindings of the gate and of the nodes' own programs; the workloads' stand in their templates."""
    rules = [_rule(group, resources, _LOOK) for group, resources in _GATE_READS.items()]
    rules.append({"nonResourceURLs": _GATE_ASKS, "verbs": ["get"]})
    yield from _cluster_role(GATE, rules, GATE)
    yield from _gate_secrets(bed)
    yield from _cluster_role(
        "lab-cni",
        [
            _rule("", ["pods"], ["get"]),
            _rule("", ["pods", "pods/status"], ["patch"]),
            _rule("k8s.cni.cncf.io", ["network-attachment-definitions"], ["get"]),
        ],
        CNI_USER,
    )
    yield from _cluster_role(
        "lab-flanneld",
        [
            _rule("", ["pods"], ["get"]),
            _rule("", ["nodes"], ["get", "list", "watch", "patch"]),
            _rule("", ["nodes/status"], ["patch"]),
        ],
        OVERLAY_USER,
    )


def _gate_secrets(bed: Bed) -> Iterator[Manifest]:
    """Secrets are read one by one, by name: those that the bed file names and no other."""
    named: dict[str, set[str]] = defaultdict(set)
    for name, secret in bed.secrets.items():
        named[secret.namespace].add(name)
    references = [certificate.secret for certificate in bed.certificates.values()]
    for authority in bed.authorities.values():
        references += [reference for reference in (authority.secret, authority.bundle.secret) if reference]
    for reference in references:
        named[reference.namespace].add(reference.name)
    for namespace, names in sorted(named.items()):
        rule = _rule("", ["secrets"], ["get"]) | {"resourceNames": sorted(names)}
        yield manifest(f"{_RBAC}/v1", "Role", GATE, namespace, rules=[rule])
        yield manifest(
            f"{_RBAC}/v1", "RoleBinding", GATE, namespace, roleRef=_role_ref("Role", GATE), subjects=[_user(GATE)]
        )


def _cluster_role(name: str, rules: list[dict[str, Any]], user: str) -> Iterator[Manifest]:
    yield manifest(f"{_RBAC}/v1", "ClusterRole", name, rules=rules)
    yield manifest(
        f"{_RBAC}/v1", "ClusterRoleBinding", name, roleRef=_role_ref("ClusterRole", name), subjects=[_user(user)]
    )


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _role_ref(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": _RBAC, "kind": kind, "name": name}


def _user(name: str) -> dict[str, str]:
    return {"apiGroup": _RBAC, "kind": "User", "name": name}
