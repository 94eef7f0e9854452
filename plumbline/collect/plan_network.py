"""Probes of the wires: OOBI, VLANs, gateways, frame sizes, classes of service, duplicate addresses, pods' net1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from plumbline.bed import Bed
from plumbline.collect.planned import DSCP, Planned, World, of_pod
from plumbline.facts.cluster import Pod

TRUNK = "eth1"
VXLAN = 50
"""Bytes that VXLAN takes of each packet: an outer IPv4 and UDP header, its own, and the inner Ethernet header."""


def interface(vlan: int) -> str:
    """The interface of a VLAN on a node (seed 000, chapter 4)."""
    return f"{TRUNK}.{vlan}"


def probes(world: World) -> Iterator[Planned]:
    """All of them."""
    yield from _oobi(world)
    for node in world.hosts:
        yield from _trunk(world.bed, node)
    yield from _claims(world)
    yield from _pods(world)
    yield from _overlay(world)
    yield from _apart(world)


def _oobi(world: World) -> Iterator[Planned]:
    """Every node reaches every other over OOBI (seed 000, chapter 4, 1.4)."""
    for node in world.hosts:
        for other, declared in world.bed.nodes.items():
            if other != node and declared.oobi:
                yield Planned("ping", "oobi", node, node, other, {"address": str(declared.oobi), "count": 2}, 1.5)


def _trunk(bed: Bed, node: str) -> Iterator[Planned]:
    """The VLANs of a node's data NIC: what is seen on the wire while each VLAN's neighbours are asked for."""
    members = {name: n for name, n in bed.vlans.items() if n.vlan in bed.nodes[node].trunk}
    if not members:
        return
    watch = Planned("capture", "wire", node, node, TRUNK, {"interface": TRUNK, "hosts": _hosts(bed, node)}, 6.0)
    yield watch
    for name, network in members.items():
        assert network.vlan is not None
        own = network.addresses.get(node)
        for other, address in _neighbours(bed, name, node):
            args: dict[str, Any] = {"interface": interface(network.vlan), "address": str(address)}
            if own:
                args["source"] = str(own)
            yield Planned("arp", "neighbour", node, node, name, args, 1.5, during=watch.id)
            if own:
                tos = DSCP.get(network.dscp or "", 0) << 2
                yield Planned("ping", "gateway", node, node, name, {**args, "tos": tos}, 1.5, during=watch.id)
                yield Planned("ping", "frame", node, node, name, _whole(args, network.mtu), 2.5, during=watch.id)
            del other
        if own:
            args = {"interface": interface(network.vlan), "address": str(own)}
            yield Planned("arp", "duplicate", node, node, name, args, 1.5, during=watch.id)
    foreign = [
        {"vlan": network.vlan, "address": str(address)}
        for name, network in bed.vlans.items()
        if name not in members
        for address in network.addresses.values()
    ]
    if foreign:
        yield Planned("trunk", "foreign", node, node, TRUNK, {"interface": TRUNK, "asks": foreign}, 1.5)


def _hosts(bed: Bed, node: str) -> list[str]:
    """Addresses whose frames a capture on this node counts."""
    networks = [n for n in bed.vlans.values() if n.vlan in bed.nodes[node].trunk]
    return sorted({str(a) for n in networks for a in n.addresses.values()})


def _neighbours(bed: Bed, name: str, node: str) -> list[tuple[str, IPv4Address]]:
    """Whom a node asks for in a VLAN: the gateway, or where there is none or it is itself, the first other."""
    network = bed.networks[name]
    others = {n: a for n, a in network.addresses.items() if n != node}
    if network.gateway in others:
        return [(network.gateway, others[network.gateway])]
    if network.gateway == node:
        return []
    return list(others.items())[:1]


def _claims(world: World) -> Iterator[Planned]:
    """Who claims an address that only one may have: each persona's, asked from its gateway."""
    for name, persona in world.bed.personas.items():
        network = world.bed.networks[persona.network]
        if network.gateway and network.vlan and world.reachable(network.gateway):
            args = {"interface": interface(network.vlan), "address": str(persona.address)}
            yield Planned("arp", "claim", network.gateway, network.gateway, name, args, 1.5)


def _pods(world: World) -> Iterator[Planned]:
    """From net1 of every pod that has one: its gateway, a whole frame to it, single hosts that it has routes for."""
    for name, workload in world.bed.workloads.items():
        if not workload.attach:
            continue
        attachment = world.bed.attachments[workload.attach]
        network = world.bed.networks[attachment.network]
        gateway = world.bed.gateway_address(attachment.network)
        others = [a for n, a in network.addresses.items() if n != network.gateway]
        for pod in world.probing(name):
            address = gateway or next(iter(others), None)
            if address is None:
                continue
            args = {"interface": "net1", "address": str(address)}
            tos = DSCP.get(network.dscp or "", 0) << 2
            yield of_pod(pod, "ping", "gateway", attachment.network, {**args, "tos": tos}, 1.5)
            yield of_pod(pod, "ping", "frame", attachment.network, _whole(args, attachment.mtu or network.mtu), 2.5)
            for route in attachment.routes:
                if route.prefixlen == 32:
                    host = {"address": str(route.network_address), "interface": "net1"}
                    yield of_pod(pod, "ping", "route", str(route.network_address), host, 1.5)


def _overlay(world: World) -> Iterator[Planned]:
    """From a pod on each node to one on each other, over the pod network: an echo, and the largest packet it carries."""
    oobi = next((n.mtu for n in world.bed.networks.values() if n.vlan is None), None)
    on = {node: _plain_pod(world, node) for node in world.bed.kubernetes_nodes if world.reachable(node)}
    for node, pod in on.items():
        for other, target in on.items():
            if pod and target and other != node:
                args: dict[str, Any] = {"address": target.address, "interface": "eth0"}
                one = Planned("ping", "overlay", node, node, other, args, 1.5, pod.full_name, pod.uid)
                yield one
                if oobi and world.bed.kubernetes and world.bed.kubernetes.overlay.backend == "vxlan":
                    whole = _whole(args, oobi - VXLAN)
                    yield replace(one, purpose="overlay-frame", args=whole, timeout=2.5)


def _plain_pod(world: World, node: str) -> Pod | None:
    """A running pod of a node that is on the pod network."""
    pods = (p for name in world.bed.workloads for p in world.probing(name) if p.node == node and p.address)
    own = {str(n.oobi) for n in world.bed.nodes.values()}
    return next((p for p in pods if p.address not in own), None)


def _apart(world: World) -> Iterator[Planned]:
    """What must not be reached from net1 though the gateway is asked for it: other pods' VLANs, and OOBI.

    And from OOBI, with the firewall taken for a gateway: the data plane.
    """
    bed = world.bed
    seconds = {
        name: pod
        for name, workload in bed.workloads.items()
        if workload.attach and bed.gateway_address(bed.attachments[workload.attach].network)
        for pod in world.probing(name)[:1]
        if pod.net1
    }
    agents = [name for name in dict.fromkeys(f.from_ for f in bed.flows) if name in seconds]
    nodes = [name for name in bed.nodes if bed.nodes[name].oobi]
    for number, (name, pod) in enumerate(seconds.items()):
        attach = bed.workloads[name].attach
        gateway = bed.gateway_address(bed.attachments[attach].network) if attach else None
        args = {"interface": "net1", "gateway": str(gateway), "source": pod.net1}
        for node in nodes if name in agents else [nodes[number % len(nodes)]]:
            yield of_pod(pod, "tcp", "to-oobi", node, {**args, "address": str(bed.nodes[node].oobi), "port": 22}, 1.2)
        for other in agents:
            if other != name and (name in agents):
                asked = {**args, "address": seconds[other].net1, "port": bed.workloads[other].port or 443}
                yield of_pod(pod, "tcp", "apart", other, asked, 1.2)
    yield from _from_oobi(world)


def _from_oobi(world: World) -> Iterator[Planned]:
    bed = world.bed
    firewall = bed.nodes[bed.ngfw.node].oobi if bed.ngfw else None
    for node in world.hosts:
        own = bed.nodes[node].oobi
        if not (firewall and own) or own == firewall:
            continue
        for name, persona in list(bed.personas.items())[:1]:
            args = {"interface": "eth0", "gateway": str(firewall), "source": str(own), "address": str(persona.address)}
            yield Planned("tcp", "from-oobi", node, node, name, {**args, "port": 443}, 1.2)


def _whole(args: dict[str, Any], mtu: int) -> dict[str, Any]:
    return {**args, "size": mtu, "fragment": False, "bisect": True, "count": 2}
