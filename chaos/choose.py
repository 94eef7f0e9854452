"""Words by which an experiment chooses things of whatever bed it runs on, instead of naming those of one bed.

`$(agent)` is the workload of the first flow through the firewall, `$(agent:2)` that of the second; `$(agent-node)` a node
that its pods may be on, `$(agent-network)` the network of its net1. `$(persona)` is the first persona, `$(persona:2)` the
second; `$(persona-workload)` its workload. `$(api-node)` is the first node of the control plane, `$(program:coredns)` the
first workload of that program. Words of a fault file (chaos/actions/words.py) are left as they are.
"""

from __future__ import annotations

import re
from typing import Any

from plumbline.bed import Bed

_WORD = re.compile(r"\$\((agent|agent-node|agent-network|persona|persona-workload|api-node)(?::(\d{1,3}))?\)")
_PROGRAM = re.compile(r"\$\(program:([a-z0-9-]+)\)")


class Lacks(Exception):
    """The bed has nothing that an experiment is about; the text says what."""


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


def agents(bed: Bed) -> list[str]:
    """Workloads from which traffic goes to personas, in the order of the flows."""
    return list(dict.fromkeys(flow.from_ for flow in bed.flows if flow.expect != "refused"))


def _choose(bed: Bed, kind: str, number: int) -> str:
    what = kind.partition("-")[0]
    there = agents(bed) if what == "agent" else list(bed.personas) if what == "persona" else _masters(bed)
    if not 1 <= number <= len(there):
        raise Lacks(f"the bed {bed.bed} has {len(there)} {what}s, and the experiment is about number {number}")
    name = there[number - 1]
    if kind == "persona-workload":
        return bed.personas[name].workload
    if kind == "agent-node":
        return _node(bed, name)
    if kind == "agent-network":
        attach = bed.workloads[name].attach
        if attach is None:
            raise Lacks(f"{name} has no net1")
        return bed.attachments[attach].network
    return name


def _masters(bed: Bed) -> list[str]:
    return [name for name, node in bed.nodes.items() if node.kubernetes == "control-plane"]


def _running(bed: Bed, program: str) -> str:
    found = next((name for name, workload in bed.workloads.items() if workload.program == program), None)
    if found is None:
        raise Lacks(f"the bed {bed.bed} has no workload of {program}, which the experiment is about")
    return found


def _node(bed: Bed, workload: str) -> str:
    nodes = bed.selected(bed.workloads[workload].on or {})
    if not nodes:
        raise Lacks(f"no node of the bed {bed.bed} is for {workload}")
    return nodes[0]
