"""Nodes, what their profiles ask of them, and the networks between them."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.needs.parts import API, PROFILE_VALUES, Parts


def ports_of(bed: Bed, network: str) -> list[str]:
    """The ports by which nodes are on a VLAN, as subjects."""
    vlan = bed.networks[network].vlan
    return [f"port:{name}/{network}" for name, node in bed.nodes.items() if vlan is not None and vlan in node.trunk]


def nodes(bed: Bed) -> Parts:
    for name, node in bed.nodes.items():
        yield f"node:{name}", []
        if node.trunk:
            yield f"link:{name}/eth1", [f"node:{name}"]
        for key in node.labels:
            yield f"label:{name}/{key}", [API]
        if node.kubernetes:
            yield f"kubelet:{name}", [f"node:{name}"]
    for profile in bed.host:
        for name in bed.selected(profile.on):
            for unit in profile.services:
                yield f"unit:{name}/{unit}", [f"node:{name}"]
                yield f"kubelet:{name}", [f"unit:{name}/{unit}"]
            for setting in (*profile.sysctls, *profile.modules, *PROFILE_VALUES):
                yield f"setting:{name}/{setting}", [f"node:{name}"]


def networks(bed: Bed) -> Parts:
    for name, network in bed.vlans.items():
        yield f"vlan:{name}", []
        for port in ports_of(bed, name):
            node = port.removeprefix("port:").partition("/")[0]
            yield from _port(node, name, network.gateway)
        if network.gateway:
            yield f"gateway:{name}", [f"port:{network.gateway}/{name}", f"address:{network.gateway}/{name}"]
    for name, machine in bed.nodes.items():
        if machine.oobi:
            yield f"oobi:{name}", [f"node:{name}"]


def _port(node: str, name: str, gateway: str | None) -> Parts:
    """From the ground up: the interface, its MTU and address; who claims that; what crosses; how much, in what class."""
    own = f"{node}/{name}"
    yield f"interface:{own}", [f"link:{node}/eth1"]
    yield f"interface-mtu:{own}", [f"interface:{own}"]
    yield f"interface-address:{own}", [f"interface:{own}"]
    yield f"interface-route:{own}", [f"interface-address:{own}"]
    yield f"address:{own}", [f"interface-address:{own}", f"interface-route:{own}"]
    ends = dict.fromkeys([own, *([f"{gateway}/{name}"] if gateway else [])])
    beneath = [
        f"{kind}:{end}" for end in ends for kind in ("interface", "interface-address", "interface-route", "address")
    ]
    yield f"port:{own}", [f"link:{node}/eth1", f"vlan:{name}", *beneath]
    yield f"frame:{own}", [f"port:{own}", *(f"interface-mtu:{end}" for end in ends)]
    yield f"class:{own}", [f"port:{own}"]
