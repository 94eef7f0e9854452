"""What this suite looks at: each aspect of a port or of a second interface is a subject of its own, so that it folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations

from plumbline import subjects
from plumbline.bed import Bed
from plumbline.bed.model import Attachment, Network
from plumbline.check import Case, Cases
from plumbline.subjects import Path, Port, Thing, case

_BENEATH = {
    "tag": "interface", "interface-forwarding": "interface", "echo": "port", "owner": "port",
    "net1-status": "workload", "net1-parent": "net1", "net1-address": "net1", "net1-mac": "net1", "net1-default": "net1",
    "net1-host": "net1-path", "oobi-from": "net1-path",
}  # fmt: skip
"""What an aspect that nothing else stands on stands on itself."""


@dataclass(frozen=True)
class Pair:
    """Two nodes, in the order in which one asks the other."""

    source: str
    target: str


@dataclass(frozen=True)
class Second:
    """What the second interface of a workload's pods must be."""

    workload: str
    attachment: str
    spec: Attachment
    network: Network

    @property
    def mtu(self) -> int:
        """Bytes of the largest packet."""
        return self.spec.mtu or self.network.mtu


def aspect(kind: str, *, addressed: bool = False, asking: bool = False, classed: bool = False) -> Cases:
    """One aspect of each port, KIND:NODE/NETWORK: Port. `asking`: only those that have a neighbour to ask."""

    def cases(bed: Bed) -> Iterator[Case]:
        for one in subjects.ports(bed):
            port: Port = one.value
            if (addressed and not port.address) or (asking and not neighbour(bed, port)):
                continue
            if classed and not bed.networks[port.network].dscp:
                continue
            subject = f"{kind}:{port.node}/{port.network}"
            also = _BENEATH.get(kind, "")
            under = [f"{also}:{port.node}/{port.network}"] if also else []
            yield case(bed, subject, port, id=one.id, where=f"networks.{port.network}", also=under)

    return cases


def unrouted(bed: Bed) -> Iterator[Case]:
    """Ports of nodes that are no gateway of any network: Port, subject interface-forwarding:NODE/NETWORK."""
    routers = {network.gateway for network in bed.networks.values()}
    yield from (one for one in aspect("interface-forwarding")(bed) if one.value.node not in routers)


def neighbour(bed: Bed, port: Port) -> str:
    """The node that a port asks for: the gateway, or where there is none the first other; empty: it is the gateway."""
    network = bed.networks[port.network]
    others = [node for node in network.addresses if node != port.node]
    if network.gateway:
        return network.gateway if network.gateway in others else ""
    return others[0] if others else ""


def trunks(bed: Bed) -> Iterator[Case]:
    """The trunk of each node that can be logged in to, as what it must not carry: Thing[Node], subject trunk:NODE."""
    for one in subjects.links(bed):
        yield replace(one, subject=f"trunk:{one.value.name}", needs=(one.subject, *one.needs))


def oobi(kind: str = "oobi") -> Cases:
    """OOBI of each node: its name."""

    def cases(bed: Bed) -> Iterator[Case]:
        for name, node in bed.nodes.items():
            if node.oobi and node.ssh:
                also = [f"oobi:{name}"] if kind != "oobi" else []
                yield case(bed, f"{kind}:{name}", name, id=name, where=f"nodes.{name}.oobi", also=also)

    return cases


def oobi_pairs(bed: Bed) -> Iterator[Case]:
    """Every node and every other, both on OOBI: Pair."""
    asking = [name for name, node in bed.nodes.items() if node.oobi and node.ssh]
    for source, target in permutations([n for n in bed.nodes if bed.nodes[n].oobi], 2):
        if source in asking:
            yield _pair(bed, "oobi-path", source, target, [f"oobi:{source}", f"oobi:{target}"])


def overlay_pairs(kind: str) -> Cases:
    """Every node of the cluster and every other: Pair."""

    def cases(bed: Bed) -> Iterator[Case]:
        members = [n for n, node in bed.kubernetes_nodes.items() if node.ssh]
        for source, target in permutations(members, 2):
            also = [f"{what}:{n}" for n in (source, target) for what in ("kubelet", "oobi", "overlay")]
            also.append(f"oobi-path:{source}>{target}")
            if kind != "overlay":
                also.append(f"overlay:{source}>{target}")
            yield _pair(bed, kind, source, target, also)

    return cases


def _pair(bed: Bed, kind: str, source: str, target: str, also: list[str]) -> Case:
    subject, id = f"{kind}:{source}>{target}", f"{source} to {target}"
    return case(bed, subject, Pair(source, target), id=id, where=f"nodes.{target}.oobi", also=also)


def second(kind: str, *, gateway: bool = False, classed: bool = False, routed: bool = False) -> Cases:
    """One aspect of the second interface of each workload's pods, KIND:WORKLOAD: Second."""

    def cases(bed: Bed) -> Iterator[Case]:
        for name, workload in bed.workloads.items():
            if not workload.attach:
                continue
            spec = bed.attachments[workload.attach]
            thing = Second(name, workload.attach, spec, bed.networks[spec.network])
            if (gateway and not thing.network.addresses) or (classed and not thing.network.dscp):
                continue
            if routed and not spec.routes:
                continue
            under = [f"{_BENEATH[kind]}:{name}"] if kind in _BENEATH else []
            yield case(bed, f"{kind}:{name}", thing, id=name, where=f"attachments.{workload.attach}", also=under)

    return cases


def shared_networks(bed: Bed) -> Iterator[Case]:
    """VLANs on which pods have a second interface: Thing[Network], subject members:NETWORK."""
    on: dict[str, list[str]] = {}
    for name, workload in bed.workloads.items():
        if workload.attach:
            on.setdefault(bed.attachments[workload.attach].network, []).append(f"net1:{name}")
    for network, also in on.items():
        thing = Thing(network, bed.networks[network])
        yield case(bed, f"members:{network}", thing, id=network, where=f"networks.{network}", also=also)


def persona_addresses(bed: Bed) -> Iterator[Case]:
    """The address of each persona whose gateway can be asked who has it: Thing[Persona]."""
    for one in subjects.personas(bed):
        if bed.asking_gateway(one.value.spec.network):
            name = one.value.name
            yield case(bed, f"persona-address:{name}", one.value, id=name, where=f"personas.{name}")


def classed_flows(bed: Bed) -> Iterator[Case]:
    """From each workload whose traffic is inspected to each persona: Path, subject class:SOURCE>TARGET."""
    for one in subjects.flows("inspected")(bed):
        path: Path = one.value
        also = [f"{kind}:{path.source}" for kind in ("net1-class", "net1-route")]
        also += [f"persona-address:{path.target}", f"persona:{path.target}"]
        more = case(bed, f"class:{path.source}>{path.target}", path, also=also)
        yield replace(one, subject=more.subject, needs=(*more.needs, *one.needs))


def leases(bed: Bed) -> Iterator[Case]:
    """Workloads that are given their address by a DHCP server: Second, subject lease:WORKLOAD."""
    for one in second("lease")(bed):
        if one.value.spec.ipam == "dhcp":
            name = one.value.workload
            network = one.value.network
            also = [f"net1:{name}", *([f"node:{network.dhcp.server}"] if network.dhcp else [])]
            yield case(bed, one.subject, one.value, id=name, where=f"attachments.{one.value.attachment}", also=also)
