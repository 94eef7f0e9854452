"""The plan of a run: what to read on each node, and which probes start where. Pure: bed and cluster in, plan out."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from plumbline.bed import Bed
from plumbline.collect import plan_network, plan_services, plan_traffic
from plumbline.collect.planned import Planned, World


def probes(world: World) -> dict[str, list[Planned]]:
    """All probes by the node on which they start, each id once."""
    result: dict[str, dict[str, Planned]] = defaultdict(dict)
    for part in (plan_network, plan_traffic, plan_services):
        for planned in part.probes(world):
            result[planned.node].setdefault(planned.id, planned)
    return {node: list(found.values()) for node, found in result.items()}


def host_request(bed: Bed, node: str) -> dict[str, Any]:
    """What is read on a node: everything that a host profile names for it, and its cluster's services."""
    labels = bed.nodes[node].labels
    profiles = [p for p in bed.host if p.on.items() <= labels.items() and (p.on or bed.nodes[node].kubernetes)]
    units = {unit for profile in profiles for unit in profile.services}
    return {
        "sysctls": sorted({name for profile in profiles for name in profile.sysctls}),
        "modules": sorted({name for profile in profiles for name in profile.modules}),
        "units": sorted(units | {"ssh"}),
    }
