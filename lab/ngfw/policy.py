"""What the inspecting firewall lets through, derived from the bed: its interfaces and the flows between them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from plumbline.bed import Bed


@dataclass(frozen=True)
class Segment:
    """A VLAN that the firewall is the gateway of."""

    name: str
    interface: str
    cidr: IPv4Network
    gateway: IPv4Address
    dscp: str | None


@dataclass(frozen=True)
class Pair:
    """What may go from the clients of one VLAN to servers: inspected, or bypassed (let through as it is)."""

    source: Segment
    expect: str
    targets: tuple[Segment, ...]


@dataclass(frozen=True)
class Policy:
    """All that the templates of the firewall need to know of the bed."""

    segments: tuple[Segment, ...]
    pairs: tuple[Pair, ...]
    udp_443: str
    management: str = "eth0"

    @property
    def servers(self) -> tuple[Segment, ...]:
        """The VLANs that some flow goes to."""
        return tuple(dict.fromkeys(target for pair in self.pairs for target in pair.targets))

    @property
    def classes(self) -> dict[str, list[Segment]]:
        """Segments by the DSCP class, in nft's spelling, that the bed promises on them."""
        found: dict[str, list[Segment]] = {}
        for segment in self.segments:
            if segment.dscp:
                found.setdefault(segment.dscp.lower(), []).append(segment)
        return found


def interface(vlan: int) -> str:
    """Name of the interface of a VLAN on a node's data NIC."""
    return f"eth1.{vlan}"


def policy(bed: Bed) -> Policy:
    """The policy of the bed's firewall. ValueError where the bed file has none, or a flow names nothing."""
    if bed.ngfw is None:
        raise ValueError("the bed file declares no ngfw")
    node = bed.ngfw.node
    segments = {
        name: Segment(name, interface(network.vlan), network.cidr, network.addresses[node], network.dscp)
        for name, network in bed.vlans.items()
        if network.gateway == node and network.vlan is not None
    }
    wanted: dict[tuple[str, str], dict[str, None]] = {}
    for flow in bed.flows:
        if flow.expect == "refused":
            continue  # whatever is not let through is refused
        for source in networks_of(bed, flow.from_):
            targets = dict.fromkeys(name for name in networks_of(bed, flow.to) if name in segments)
            if source in segments and targets:
                wanted.setdefault((source, flow.expect), {}).update(targets)
    pairs = tuple(
        Pair(segments[source], expect, tuple(segments[name] for name in targets))
        for (source, expect), targets in wanted.items()
    )
    return Policy(tuple(segments.values()), pairs, bed.ngfw.udp_443)


def networks_of(bed: Bed, end: str) -> list[str]:
    """Networks on which one end of a flow is found: those of all personas, of a workload's personas, or of its net1."""
    personas = [persona.network for persona in bed.personas.values() if end in ("personas", persona.workload)]
    if personas:
        return personas
    workload = bed.workloads.get(end)
    if workload is None:
        raise ValueError(f"a flow names {end}, which is no workload of the bed")
    return [bed.attachments[workload.attach].network] if workload.attach else []
