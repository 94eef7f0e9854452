"""What the lab's own node programs may do in the cluster: flanneld and the CNI plugin, no more than they need."""

from __future__ import annotations

from typing import Any

GROUP = "rbac.authorization.k8s.io"
_RULES: dict[str, list[dict[str, list[str]]]] = {
    "lab:flanneld": [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
    ],
    "lab:cni": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
        {"apiGroups": ["k8s.cni.cncf.io"], "resources": ["network-attachment-definitions"], "verbs": ["get", "list"]},
    ],
}


def manifests() -> list[dict[str, Any]]:
    """A ClusterRole and its binding for each of them, and kube-proxy's binding to the role that Kubernetes brings."""
    result = [_binding("lab:kube-proxy", "system:node-proxier", "system:kube-proxy")]
    for user, rules in _RULES.items():
        role = {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole", "metadata": {"name": user}, "rules": rules}
        result += [role, _binding(user, user, user)]
    return result


def _binding(name: str, role: str, user: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": GROUP, "kind": "User", "name": user}],
    }
