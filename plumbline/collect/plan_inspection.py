"""Probes of the inspection itself: what a persona shows in its own pod, who must refuse, what the firewall records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plumbline.collect.plan_traffic import targets
from plumbline.collect.planned import Planned, World, of_pod

_RECORD_S = 9.0
"""So long the firewall's journal is followed; agents have asked for their pages by then, or never will."""


def probes(world: World) -> Iterator[Planned]:
    """All of them."""
    yield from _own(world)
    yield from _distrust(world)
    yield from _record(world)


def _own(world: World) -> Iterator[Planned]:
    """The certificate that a persona shows to its own pod, whatever lies between it and everybody else."""
    ca = world.bundle(world.bed.ngfw.verifies if world.bed.ngfw else None)
    for name, persona in world.bed.personas.items():
        for pod in world.probing(persona.workload)[:1]:
            args: dict[str, Any] = {"address": str(persona.address), "name": persona.name, "ca": ca}
            yield of_pod(pod, "tls", "own", name, {**args, "alpn": list(persona.alpn)}, 6.0)


def _distrust(world: World) -> Iterator[Planned]:
    """A client that trusts the origins' authority and not the firewall's: it must refuse what it is shown."""
    ca = world.bundle(world.bed.ngfw.verifies if world.bed.ngfw else None)
    for flow in world.bed.flows:
        if flow.expect == "inspected":
            for pod in world.probing(flow.from_)[:1]:
                for name, persona in targets(world.bed, flow.to).items():
                    args = {"address": str(persona.address), "name": persona.name, "alpn": ["http/1.1"], "ca": ca}
                    yield of_pod(pod, "tls", "distrust", name, args, 6.0)


def _record(world: World) -> Iterator[Planned]:
    """What the firewall wrote down of the pages that agents ask for in this run."""
    ngfw = world.bed.ngfw
    if ngfw is None or ngfw.record is None or not world.reachable(ngfw.node):
        return
    wanted = [
        [pod.net1, str(persona.address)]
        for flow in world.bed.flows
        if flow.expect == "inspected" and flow.through == ngfw.node
        for pod in world.probing(flow.from_)[:1]
        if pod.net1
        for persona in targets(world.bed, flow.to).values()
    ]
    if wanted:
        args = {"unit": ngfw.record, "since": world.started, "wanted": wanted}
        yield Planned("journal", "record", ngfw.node, ngfw.node, ngfw.node, args, _RECORD_S)
