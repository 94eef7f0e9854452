"""What of a lab is up, asked of podman and of the nodes themselves."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab import machine, ovs
from lab.errors import LabError
from lab.places import access_file, is_there
from plumbline.bed import Bed

ASK_LIMIT = 10.0


@dataclass(frozen=True)
class NodeStatus:
    """A machine of the lab: `running`, `paused`, `exited`, `absent` or `silent`, and its failed units."""

    name: str
    state: str
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """The lab: whole when `up` has ended well and every machine runs without a failed unit."""

    bed: str
    whole: bool
    nodes: tuple[NodeStatus, ...]


def status(bed: Bed) -> Status:
    """The state of every machine of the lab, asked side by side."""
    names = [ovs.NODE, *bed.nodes]
    there = machine.status(bed.bed) if is_there(bed.bed) else {}
    with ThreadPoolExecutor(len(names)) as pool:
        nodes = tuple(pool.map(lambda name: _node(bed.bed, name, there), names))
    healthy = all(node.state == "running" and not node.failed for node in nodes)
    return Status(bed.bed, healthy and access_file(bed.bed).exists(), nodes)


def _node(bed: str, name: str, there: dict[str, machine.State]) -> NodeStatus:
    state = there[name].state if name in there else "absent"
    if state != "running":
        return NodeStatus(name, state)
    command = ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]
    try:
        said = machine.run(bed, name, command, timeout=ASK_LIMIT).stdout
    except (LabError, subprocess.TimeoutExpired):
        return NodeStatus(name, "silent")
    return NodeStatus(name, state, tuple(line.split()[0] for line in said.splitlines() if line.split()))
