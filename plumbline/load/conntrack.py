"""What a load puts into the conntrack tables of nodes, reckoned before it starts.

A connection is tracked until two minutes after its end: so many a second times that time have to fit (seed 002,
Troubleshooting 3: 1,200 a second for 120 s are more than a table of 128 k holds). Loads between a workload and a
service cross their nodes' own network, and their tables; those of the data plane have interfaces of their own, and pass
them by (seed 000, chapter 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from plumbline.bed import Bed

MOST = "net.netfilter.nf_conntrack_max"
KEPT = "net.netfilter.nf_conntrack_tcp_timeout_time_wait"
"""Seconds that an ended connection is tracked for."""


@dataclass(frozen=True)
class Opened:
    """What a target opens across a node, in connections a second."""

    node: str
    target: str
    rate: float


def opened(bed: Bed) -> list[Opened]:
    """For each node that is crossed, the target that opens the most there."""
    most: dict[str, Opened] = {}
    for one in _opened(bed):
        if one.node not in most or most[one.node].rate < one.rate:
            most[one.node] = one
    return list(most.values())


def settings(bed: Bed, node: str) -> tuple[str, ...]:
    """The sysctls that tell whether a node's table is large enough; nothing where no load crosses it."""
    return (MOST, KEPT) if any(one.node == node for one in _opened(bed)) else ()


def _opened(bed: Bed) -> Iterator[Opened]:
    for name, target in bed.load.targets.items() if bed.load else ():
        if target.service and target.opens:
            ends = [bed.workloads[end].on for end in (target.from_, target.service) if end]
            crossed = {node for on in ends for node in bed.selected(on)}
            entered = () if target.from_ else bed.kubernetes_nodes  # what comes from outside is spread over them
            yield from (Opened(node, name, target.opens) for node in bed.kubernetes_nodes if node in crossed)
            share = target.opens / max(1, len(entered))
            yield from (Opened(node, name, share) for node in entered if node not in crossed)
