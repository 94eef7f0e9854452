"""Probes of the traffic that the bed is made for: flows, origins good and bad, QUIC, and what must not pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plumbline.bed import Bed
from plumbline.bed.model import Flow, Persona
from plumbline.collect.planned import DSCP, Planned, World, of_pod
from plumbline.facts.cluster import Pod
from plumbline.needs.traffic import endpoints, workload_of

_WHOLE_PODS = 3
"""So many pods of a workload ask every persona; each further pod asks one, in turn."""


def probes(world: World) -> Iterator[Planned]:
    """All of them."""
    for flow in world.bed.flows:
        if flow.expect == "refused":
            yield from _refused(world, flow)
        elif flow.to == "personas" or any(flow.to == p.workload for p in world.bed.personas.values()):
            yield from _let_through(world, flow)
    yield from _origins(world)
    yield from _own(world)
    yield from _around(world)


def targets(bed: Bed, to: str) -> dict[str, Persona]:
    """The personas that a flow goes to."""
    return {n: p for n, p in bed.personas.items() if to in ("personas", p.workload, n)}


def _let_through(world: World, flow: Flow) -> Iterator[Planned]:
    personas = targets(world.bed, flow.to)
    trusts = world.bed.workloads[flow.from_].trusts
    authority = trusts if flow.expect == "inspected" else (world.bed.ngfw.verifies if world.bed.ngfw else None)
    ca = world.bundle(authority)
    for number, pod in enumerate(world.probing(flow.from_)):
        chosen = list(personas.items())
        if number >= _WHOLE_PODS:
            chosen = [chosen[number % len(chosen)]]
        for name, persona in chosen:
            yield of_pod(pod, "tls", "flow", name, _tls(persona, ca, persona.alpn), 6.0)
        if number == 0:
            yield from _first(world, pod, personas, ca)


def _first(world: World, pod: Pod, personas: dict[str, Persona], ca: str) -> Iterator[Planned]:
    """What one pod of a workload asks for all: pages, whether sessions are resumed, QUIC, classes, bad origins."""
    for name, persona in personas.items():
        page = {**_tls(persona, ca, ("http/1.1",)), "resume": True, "http": _page(persona)}
        yield of_pod(pod, "tls", "page", name, page, 6.0)
        if persona.quic:
            yield of_pod(pod, "quic", "quic", name, {"address": str(persona.address), "interface": "net1"}, 1.5)
        tos = DSCP.get(world.bed.networks[persona.network].dscp or "", 0) << 2
        yield of_pod(
            pod, "ping", "class", name, {"address": str(persona.address), "interface": "net1", "tos": tos}, 1.5
        )
    for kind, args in _bad_origins(world, ca):
        yield of_pod(pod, "tls", "bad-origin", kind, {**args, "http": {"path": "/"}}, 6.0)


def _page(persona: Persona) -> dict[str, Any]:
    return {"path": "/", **({"keep": [persona.header]} if persona.header else {})}


def _tls(persona: Persona, ca: str, alpn: tuple[str, ...]) -> dict[str, Any]:
    return {"address": str(persona.address), "name": persona.name, "alpn": list(alpn), "ca": ca}


def _origins(world: World) -> Iterator[Planned]:
    """Each persona as the NGFW sees it: from the NGFW, or where nobody can log in to it, from the persona's pod."""
    ngfw = world.bed.ngfw
    ca = world.bundle(ngfw.verifies if ngfw else None)
    for name, persona in world.bed.personas.items():
        asked = [(f"{name}", "origin", {**_tls(persona, ca, persona.alpn), "http": None})]
        if ngfw and world.reachable(ngfw.node):
            for target, purpose, args in asked:
                yield Planned("tls", purpose, ngfw.node, ngfw.node, target, args, 6.0)
        else:
            for pod in world.probing(persona.workload)[:1]:
                for target, purpose, args in asked:
                    yield of_pod(pod, "tls", purpose, target, args, 6.0)
    if ngfw and world.reachable(ngfw.node):
        for kind, args in _bad_origins(world, ca):
            yield Planned("tls", "bad-origin-direct", ngfw.node, ngfw.node, kind, args, 6.0)


def _own(world: World) -> Iterator[Planned]:
    """Whether a persona speaks QUIC, which its own pod knows whatever the firewall lets through."""
    for name, persona in world.bed.personas.items():
        if persona.quic:
            for pod in world.probing(persona.workload)[:1]:
                yield of_pod(pod, "quic", "origin-quic", name, {"address": str(persona.address)}, 1.5)


def _bad_origins(world: World, ca: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """By kind, what a client that trusts `ca` asks a server for whose certificate is bad."""
    for kind, origin in (world.bed.ngfw.bad_origins if world.bed.ngfw else {}).items():
        yield kind, {"address": str(origin.address), "name": origin.name, "alpn": [], "ca": ca}


def _around(world: World) -> Iterator[Planned]:
    """No way to a persona but through the NGFW: not over eth0, and not as a neighbour in the agents' own VLAN."""
    sources = dict.fromkeys(f.from_ for f in world.bed.flows if f.expect == "inspected")
    for workload in sources:
        for pod in world.probing(workload)[:1]:
            for name, persona in world.bed.personas.items():
                address = str(persona.address)
                yield of_pod(pod, "tcp", "around", name, {"address": address, "port": 443, "interface": "eth0"}, 1.5)
                neighbour = {"interface": "net1", "address": address, "source": pod.net1 or "0.0.0.0"}
                yield of_pod(pod, "arp", "around-neighbour", name, neighbour, 1.5)


def _refused(world: World, flow: Flow) -> Iterator[Planned]:
    """What must not pass: from net1 of one end to net1 of the other, by name of the target's workload or persona."""
    for source, target in endpoints(world.bed, flow.from_, flow.to):
        persona = world.bed.personas.get(target)
        for pod in world.probing(workload_of(world.bed, source))[:1]:
            if persona:
                yield from _forbidden(world, pod, target, str(persona.address), 443)
                continue
            for other in world.probing(target)[:1]:
                if other.net1:
                    yield from _forbidden(world, pod, target, other.net1, world.bed.workloads[target].port or 443)


def _forbidden(world: World, pod: Pod, target: str, address: str, port: int) -> Iterator[Planned]:
    """Asked of the gateway itself: where a pod has no route, its silence would say nothing of the firewall."""
    attach = world.bed.workloads[pod.workload].attach
    gateway = world.bed.gateway_address(world.bed.attachments[attach].network) if attach else None
    if gateway and pod.net1:
        args = {"address": address, "port": port, "interface": "net1", "gateway": str(gateway), "source": pod.net1}
        yield of_pod(pod, "tcp", "refused", target, args, 1.2)
