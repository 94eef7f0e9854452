"""Words by which an experiment chooses things of whatever bed it runs on, instead of naming those of one bed.

`$(agent)` is the workload of the first flow through the firewall, `$(agent:2)` that of the second; `$(agent-node)` a node
that its pods may be on, `$(agent-network)` the network of its net1. `$(persona)` is the first persona, `$(persona:2)` the
second; `$(persona-workload)` its workload. `$(program:coredns)` is the first workload of that program. Nodes by what they
are for, in the order of the bed file: `$(api-node)`, `$(ngfw)` with its `$(ngfw-unit)`, `$(consul-server)`,
`$(vault-server)`, `$(controller)` and `$(compute)` of Slurm, `$(step-ca)`, `$(renewed)` with a certificate that is to be
renewed as others look on (its canary), whose unit is `$(renewed-unit)`. Words of a fault file (chaos/actions/words.py) are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from plumbline.bed import Bed


class Lacks(Exception):
    """The bed has nothing that an experiment is about; the text says what."""


def agents(bed: Bed) -> list[str]:
    """Workloads from which traffic goes to personas, in the order of the flows."""
    return list(dict.fromkeys(flow.from_ for flow in bed.flows if flow.expect != "refused"))


def _node_of(bed: Bed, workload: str) -> str:
    nodes = bed.selected(bed.workloads[workload].on or {})
    if not nodes:
        raise Lacks(f"no node of the bed {bed.bed} is for {workload}")
    return nodes[0]


def _network_of(bed: Bed, workload: str) -> str:
    attach = bed.workloads[workload].attach
    if attach is None:
        raise Lacks(f"{workload} has no net1")
    return bed.attachments[attach].network


def _canaries(bed: Bed) -> list[tuple[str, str]]:
    """Nodes and units of certificates that are renewed again and again, to be looked at."""
    return [(node, told.unit) for told in bed.service_certificates.values() if told.canary for node in told.on]


_WORDS: dict[str, tuple[str, Callable[[Bed], list[str]]]] = {
    "agent": ("agent", agents),
    "agent-node": ("agent", lambda bed: [_node_of(bed, name) for name in agents(bed)]),
    "agent-network": ("agent", lambda bed: [_network_of(bed, name) for name in agents(bed)]),
    "persona": ("persona", lambda bed: list(bed.personas)),
    "persona-workload": ("persona", lambda bed: [persona.workload for persona in bed.personas.values()]),
    "api-node": ("API server", lambda bed: [n for n, node in bed.nodes.items() if node.kubernetes == "control-plane"]),
    "ngfw": ("firewall", lambda bed: [bed.ngfw.node] if bed.ngfw else []),
    "ngfw-unit": ("record of a firewall", lambda bed: [bed.ngfw.record] if bed.ngfw and bed.ngfw.record else []),
    "consul-server": ("server of Consul", lambda bed: list(bed.consul.servers) if bed.consul else []),
    "vault-server": ("server of Vault", lambda bed: list(bed.vault.on) if bed.vault else []),
    "controller": ("controller of Slurm", lambda bed: list(bed.slurm.controllers) if bed.slurm else []),
    "compute": ("compute node of Slurm", lambda bed: list(bed.slurm.compute) if bed.slurm else []),
    "step-ca": ("step-ca", lambda bed: [bed.step_ca.node] if bed.step_ca else []),
    "renewed": ("renewed canary", lambda bed: [node for node, _ in _canaries(bed)]),
    "renewed-unit": ("renewed canary", lambda bed: [unit for _, unit in _canaries(bed)]),
}
"""By word, of what the bed has to have so many, and which they are."""
_WORD = re.compile(rf"\$\(({'|'.join(sorted(_WORDS, key=len, reverse=True))})(?::(\d{{1,3}}))?\)")
_PROGRAM = re.compile(r"\$\(program:([a-z0-9-]+)\)")


def chosen(bed: Bed, value: Any) -> Any:
    """A value as YAML gives it, with every word in it replaced; Lacks where the bed has no such thing."""
    if isinstance(value, str):
        named = _PROGRAM.sub(lambda match: _running(bed, match[1]), value)
        return _WORD.sub(lambda match: _choose(bed, match[1], int(match[2] or 1)), named)
    if isinstance(value, dict):
        return {key: chosen(bed, below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [chosen(bed, below) for below in value]
    return value


def _choose(bed: Bed, word: str, number: int) -> str:
    what, listed = _WORDS[word]
    there = listed(bed)
    if not 1 <= number <= len(there):
        raise Lacks(f"the bed {bed.bed} has {len(there) or 'no'} {what}, and the experiment is about number {number}")
    return there[number - 1]


def _running(bed: Bed, program: str) -> str:
    found = next((name for name, workload in bed.workloads.items() if workload.program == program), None)
    if found is None:
        raise Lacks(f"the bed {bed.bed} has no workload of {program}, which the experiment is about")
    return found
