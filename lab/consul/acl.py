"""Who may do what in the lab's Consul: policies and tokens, as its API takes them. Pure: the bed file in, plan out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plumbline.bed.consul import Consul

GATE, DNS = "gate", "dns"
_GATE_MAY = {
    "operator": "read",
    "acl": "read",
    "agent_prefix": {"": "read"},
    "node_prefix": {"": "read"},
    "service_prefix": {"": "read"},
    "key_prefix": {"plumbline/": "write"},
}


@dataclass(frozen=True)
class Token:
    """A token by the name that its secret is kept under, and what it may do, as Consul's API writes that."""

    name: str
    may: Mapping[str, Any]

    @property
    def accessor(self) -> str:
        """Its public name, the same for each lab."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"plumbline-{self.name}"))


def agent(node: str) -> str:
    """The name of a node's agent's token."""
    return f"agent-{node}"


def services(node: str) -> str:
    """The name of the token with which a node registers its services."""
    return f"services-{node}"


def policies(consul: Consul) -> dict[str, str]:
    """Rules by name of policy: what the bed file declares, and the gate's own."""
    declared = {name: _rules(may) for name, may in consul.policies.items()}
    return {f"plumbline-{GATE}": _rules(_GATE_MAY), **declared}


def tokens(consul: Consul) -> list[Token]:
    """The gate's, that of DNS, and two of each node: its agent's, and the one that registers its services."""
    found = [
        Token(GATE, {"Policies": [{"Name": f"plumbline-{GATE}"}]}),
        Token(DNS, {"TemplatedPolicies": [{"TemplateName": "builtin/dns"}]}),
    ]
    for node in consul.nodes:
        own = [{"ServiceName": name} for name, service in consul.services.items() if node in service.on]
        found += [
            Token(agent(node), {"NodeIdentities": [{"NodeName": node, "Datacenter": consul.datacenter}]}),
            Token(services(node), {"ServiceIdentities": own}),
        ]
    return found


def _rules(may: Mapping[str, Any]) -> str:
    """Rules as HCL: `key_prefix "vault/" { policy = "write" }`, or `operator = "read"` for what has no names."""
    lines = []
    for kind, names in may.items():
        if isinstance(names, str):
            lines.append(f"{kind} = {json.dumps(names)}")
        else:
            lines += [f'{kind} {json.dumps(name)} {{ policy = "{access}" }}' for name, access in names.items()]
    return "\n".join(lines)
