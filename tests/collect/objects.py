"""Objects of a pretended cluster: one node, one agent and one persona, and the secrets of the small bed."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.collect.api import Objects
from tests.collect.certificates import Authority, Leaf

AGENT, PERSONA = "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"
NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"


def pod(namespace: str, name: str, uid: str, workload: str, net1: str, **env: str) -> dict[str, Any]:
    """A running pod on n1."""
    status = [
        {"name": "cbr0", "default": True},
        {"name": "dut", "interface": "net1", "ips": [net1], "mac": "02:00:00:00:00:01"},
    ]
    variables = [{"name": key, "value": value} for key, value in env.items()]
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "labels": {"app.kubernetes.io/name": workload},
            "annotations": {NETWORK_STATUS: json.dumps(status)},
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "i", "env": variables}]},
        "status": {"phase": "Running", "podIP": "10.42.0.9", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def secret(name: str, **values: str) -> dict[str, Any]:
    """A secret with these values."""
    data = {
        key.replace("_crt", ".crt").replace("_key", ".key"): base64.b64encode(v.encode()).decode()
        for key, v in values.items()
    }
    return {"metadata": {"name": name, "namespace": "agents"}, "type": "Opaque", "data": data}


def cluster(persona_ca: Authority, fw_ca: Authority, leaf: Leaf) -> Objects:
    """Everything by path."""
    agent = pod("agents", "agent-1", AGENT, "agent", "172.16.1.9", API_TOKEN="t0p-secret", MODE="strict")
    persona = pod("personas", "persona-1-x", PERSONA, "persona-1", "10.1.1.2")
    ready = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
    node = {"metadata": {"name": "n1", "labels": {"role": "agents"}}, "spec": {}, "status": {"conditions": ready}}
    url = "postgresql://user:p%40ss-word-9@db:5432/x"
    agents = "/api/v1/namespaces/agents"
    return {
        "/version": {"gitVersion": "v1.34.4"},
        "/api/v1/nodes": {"items": [node]},
        "/api/v1/pods": {"items": [agent, persona]},
        f"{agents}/secrets/database": secret("database", PASSWORD="p@ss-word-9", URL=url),
        f"{agents}/secrets/persona-ca": secret("persona-ca", ca_crt=persona_ca.certificate),
        "/api/v1/namespaces/personas/secrets/tls": secret("tls", tls_crt=leaf.certificate, tls_key=leaf.key),
        f"{agents}/configmaps/fw-ca": {"metadata": {"name": "fw-ca"}, "data": {"ca.crt": fw_ca.certificate}},
    }
