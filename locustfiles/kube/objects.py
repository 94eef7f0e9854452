"""The objects that are made: agents, which are nodes that nobody boots, and attachments, which are pods bound for them.

An attachment runs nowhere but on an agent, and nothing else runs there: selector and taint see to it.
"""

from __future__ import annotations

from typing import Any

from plumbline.load.rights import AGENT_PREFIX, MARK, NAMESPACE

AGENTS, ATTACHMENTS = "/api/v1/nodes", f"/api/v1/namespaces/{NAMESPACE}/pods"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
"""What others have said of attachments; by themselves they stay for an hour."""
OF_AGENTS = f"labelSelector={MARK}"
_ROOM = {"cpu": "1k", "memory": "1Ti", "pods": "1M"}


def agent(own: str) -> dict[str, Any]:
    """A node as a kubelet would register it, but for an address: nobody is there to be asked."""
    name = f"{AGENT_PREFIX}{own}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {MARK: "", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "spec": {"taints": [{"key": MARK, "effect": "NoSchedule"}]},
        "status": {
            "addresses": [{"type": "Hostname", "address": name}],
            "allocatable": _ROOM,
            "capacity": _ROOM,
        },
    }


def attachment(name: str) -> dict[str, Any]:
    """A pod that asks for an agent, and needs nothing that a node would have to bring."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {MARK: ""},
            "tolerations": [{"key": MARK, "operator": "Exists"}],
            "containers": [{"name": "attachment", "image": "none.invalid/attachment"}],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
        },
    }


def is_scheduled(pod: dict[str, Any]) -> bool:
    """Whether it has its agent."""
    return bool(pod["spec"].get("nodeName"))


def is_fulfilled(pod: dict[str, Any]) -> bool:
    """Whether its agent says that it has done what was asked."""
    return bool(pod.get("status", {}).get("phase") == "Running")
