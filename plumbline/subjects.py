"""The things of a bed that checks are about: lists of cases for `for_each`, in the order of the bed file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Generic, Literal, TypeVar

from plumbline.bed import Bed
from plumbline.bed.model import (
    Attachment,
    Authority,
    Certificate,
    Flow,
    HostProfile,
    Network,
    Node,
    Persona,
    Secret,
    Storage,
    Workload,
)
from plumbline.check import Case, Cases
from plumbline.needs import endpoints, needs, network_of

Declared = TypeVar("Declared")


@dataclass(frozen=True)
class Thing(Generic[Declared]):
    """Something that the bed file declares under a name."""

    name: str
    spec: Declared


@dataclass(frozen=True)
class Port:
    """A node's access to a VLAN through its trunk."""

    node: str
    network: str
    vlan: int
    mtu: int
    address: IPv4Address | None
    gateway: IPv4Address | None

    @property
    def interface(self) -> str:
        """Name of the VLAN interface on the node."""
        return f"eth1.{self.vlan}"


@dataclass(frozen=True)
class Path:
    """One flow between two ends, each the name of a workload or of a persona."""

    source: str
    target: str
    flow: Flow

    @property
    def expect(self) -> str:
        """inspected, bypassed or refused."""
        return self.flow.expect


@dataclass(frozen=True)
class Setting:
    """One thing that a host profile asks of one node."""

    node: str
    name: str
    value: Any
    source: str


def case(bed: Bed, subject: str, value: Any, *, id: str = "", where: str = "", also: Iterable[str] = ()) -> Case:
    """A case whose needs are read from the bed; `where` is the path of its declaration, `also` are further needs."""
    under = tuple(dict.fromkeys([*needs(bed, subject), *(n for a in also for n in (a, *needs(bed, a)))]))
    return Case(id or subject.partition(":")[2], subject, value, under, bed.where(where) if where else "")


def _things(bed: Bed, kind: str, section: str, declared: Mapping[str, Declared]) -> list[Case]:
    return [
        case(bed, f"{kind}:{name}", Thing(name, spec), where=f"{section}.{name}") for name, spec in declared.items()
    ]


def nodes(bed: Bed) -> list[Case]:
    """Every node that can be logged in to: Thing[Node]."""
    reached: dict[str, Node] = {name: node for name, node in bed.nodes.items() if node.ssh}
    return _things(bed, "node", "nodes", reached)


def all_nodes(bed: Bed) -> list[Case]:
    """Every node, appliances among them: Thing[Node]."""
    return _things(bed, "node", "nodes", bed.nodes)


def kubernetes_nodes(bed: Bed) -> list[Case]:
    """Members of the cluster: Thing[Node]."""
    return _things(bed, "node", "nodes", bed.kubernetes_nodes)


def kubelets(bed: Bed) -> list[Case]:
    """Members of the cluster, as what runs pods: Thing[Node], subject kubelet:NODE."""
    return _things(bed, "kubelet", "nodes", bed.kubernetes_nodes)


def networks(bed: Bed) -> list[Case]:
    """Every network, OOBI among them: Thing[Network]."""
    declared: dict[str, Network] = bed.networks
    return [
        case(bed, f"{'network' if n.vlan is None else 'vlan'}:{name}", Thing(name, n), where=f"networks.{name}")
        for name, n in declared.items()
    ]


def vlans(bed: Bed) -> list[Case]:
    """The VLANs of the data plane: Thing[Network]."""
    return _things(bed, "vlan", "networks", bed.vlans)


def links(bed: Bed) -> list[Case]:
    """The trunk of each node that can be logged in to: Thing[Node], subject link:NODE/eth1."""
    trunks = {name: node for name, node in bed.nodes.items() if node.ssh and node.trunk}
    return [case(bed, f"link:{n}/eth1", Thing(n, node), id=n, where=f"nodes.{n}.trunk") for n, node in trunks.items()]


def ports(bed: Bed) -> list[Case]:
    """Each VLAN of each node that can be logged in to: Port."""
    return [_port_case(bed, port) for port in _ports(bed) if bed.nodes[port.node].ssh]


def addressed_ports(bed: Bed) -> list[Case]:
    """Ports that have an address of their own: Port."""
    return [c for c in ports(bed) if c.value.address is not None]


def agent_ports(bed: Bed) -> list[Case]:
    """Ports of the cluster's nodes on VLANs that have a gateway elsewhere: Port."""
    return [
        c
        for c in ports(bed)
        if bed.nodes[c.value.node].kubernetes and c.value.gateway and c.value.gateway != c.value.address
    ]


def gateways(bed: Bed) -> list[Case]:
    """VLANs that have a gateway: Thing[Network], subject gateway:NETWORK."""
    routed = {name: network for name, network in bed.vlans.items() if network.gateway}
    return [case(bed, f"gateway:{n}", Thing(n, net), where=f"networks.{n}.gateway") for n, net in routed.items()]


def _ports(bed: Bed) -> Iterator[Port]:
    by_vlan = {network.vlan: name for name, network in bed.vlans.items()}
    for node, spec in bed.nodes.items():
        for vlan in sorted(spec.trunk & by_vlan.keys()):
            name = by_vlan[vlan]
            network = bed.networks[name]
            yield Port(node, name, vlan, network.mtu, network.addresses.get(node), bed.gateway_address(name))


def _port_case(bed: Bed, port: Port) -> Case:
    subject = f"port:{port.node}/{port.network}"
    return case(bed, subject, port, id=f"{port.node} {port.network}", where=f"networks.{port.network}")


def labels(bed: Bed) -> list[Case]:
    """Each label that a node must carry: Setting, subject label:NODE/KEY."""
    return [
        case(
            bed,
            f"label:{name}/{key}",
            Setting(name, key, value, ""),
            id=f"{name} {key}",
            where=f"nodes.{name}.labels.{key}",
        )
        for name, node in bed.kubernetes_nodes.items()
        for key, value in node.labels.items()
    ]


def settings(part: Literal["sysctls", "modules", "services"]) -> Cases:
    """One thing of a host profile on each node that it is for: Setting; the value is True for modules and services."""

    def cases(bed: Bed) -> list[Case]:
        found: dict[str, Case] = {}
        for index, node, profile in _profiles(bed):
            asked = getattr(profile, part)
            for name, value in asked.items() if isinstance(asked, Mapping) else dict.fromkeys(asked, True).items():
                id = f"{node} {name}"
                where = f"host.{index}.{part}"
                subject = f"{'unit' if part == 'services' else 'setting'}:{node}/{name}"
                found[id] = case(bed, subject, Setting(node, name, value, profile.source), id=id, where=where)
        return list(found.values())

    return cases


def setting(part: Literal["swap", "transparent_hugepages", "cpu_governor", "clock_offset"]) -> Cases:
    """A single value of a host profile on each node that it is for: Setting."""

    def cases(bed: Bed) -> list[Case]:
        found: dict[str, Case] = {}
        for index, node, profile in _profiles(bed):
            value = getattr(profile, part)
            if value is not None:
                thing = Setting(node, part, value, profile.source)
                found[node] = case(bed, f"setting:{node}/{part}", thing, id=node, where=f"host.{index}.{part}")
        return list(found.values())

    return cases


def _profiles(bed: Bed) -> Iterator[tuple[int, str, HostProfile]]:
    for index, profile in enumerate(bed.host):
        for node in bed.selected(profile.on):
            if bed.nodes[node].ssh:
                yield index, node, profile


def workloads(bed: Bed) -> list[Case]:
    """Every workload: Thing[Workload]."""
    declared: dict[str, Workload] = bed.workloads
    return _things(bed, "workload", "workloads", declared)


def attached_workloads(bed: Bed) -> list[Case]:
    """Workloads whose pods have a net1: Thing[Workload]."""
    return _things(bed, "workload", "workloads", {n: w for n, w in bed.workloads.items() if w.attach})


def attachments(bed: Bed) -> list[Case]:
    """NetworkAttachmentDefinitions: Thing[Attachment]."""
    declared: dict[str, Attachment] = bed.attachments
    return _things(bed, "attachment", "attachments", declared)


def personas(bed: Bed) -> list[Case]:
    """Origins behind the NGFW: Thing[Persona]."""
    declared: dict[str, Persona] = bed.personas
    return _things(bed, "persona", "personas", declared)


def authorities(bed: Bed) -> list[Case]:
    """Certificate authorities: Thing[Authority]."""
    declared: dict[str, Authority] = bed.authorities
    return _things(bed, "authority", "authorities", declared)


def certificates(bed: Bed) -> list[Case]:
    """Certificates: Thing[Certificate]."""
    declared: dict[str, Certificate] = bed.certificates
    return _things(bed, "certificate", "certificates", declared)


def wire_certificates(bed: Bed) -> list[Case]:
    """Certificates that are served somewhere: Thing[Certificate]."""
    return _things(bed, "certificate", "certificates", {n: c for n, c in bed.certificates.items() if c.wire})


def secrets(bed: Bed) -> list[Case]:
    """Secrets and the keys that they must have: Thing[Secret], subject secret:NAMESPACE/NAME."""
    declared: dict[str, Secret] = bed.secrets
    return [
        case(bed, f"secret:{s.namespace}/{name}", Thing(name, s), id=name, where=f"secrets.{name}")
        for name, s in declared.items()
    ]


def storage(bed: Bed) -> list[Case]:
    """PersistentVolumes and their claims: Thing[Storage]."""
    declared: dict[str, Storage] = bed.storage
    return _things(bed, "storage", "storage", declared)


def flows(*expect: Literal["inspected", "bypassed", "refused"]) -> Cases:
    """Flows of these kinds (none given: all), each end written out: Path, subject flow:SOURCE>TARGET."""

    def cases(bed: Bed) -> list[Case]:
        return [
            case(
                bed, f"flow:{s}>{t}", Path(s, t, flow), id=f"{s} to {t}", where=f"flows.{index}", also=_ends(bed, s, t)
            )
            for index, flow in enumerate(bed.flows)
            if not expect or flow.expect in expect
            for s, t in endpoints(bed, flow.from_, flow.to)
        ]

    return cases


def _ends(bed: Bed, *names: str) -> list[str]:
    return [f"vlan:{network}" for network in (network_of(bed, name) for name in names) if network]
