"""Rules about VLANs, trunks and the paths over them."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed.consistency.found import Inconsistency, subject_of
from plumbline.bed.model import Bed, Network


def duplicate_vlan(bed: Bed) -> Iterator[Inconsistency]:
    """A VLAN ID belongs to one network."""
    first: dict[int, str] = {}
    for name, network in bed.vlans.items():
        other = first.setdefault(network.vlan or 0, name)
        if other != name:
            yield Inconsistency(
                "duplicate-vlan",
                subject_of(bed, name),
                bed.where(f"networks.{name}.vlan"),
                "a VLAN ID of its own",
                f"{network.vlan} is that of {other} too ({bed.where(f'networks.{other}.vlan')})",
                "give one of the two another ID",
            )


def address_off_trunk(bed: Bed) -> Iterator[Inconsistency]:
    """A node that has an address on a VLAN has that VLAN on its trunk."""
    for name, network in bed.vlans.items():
        for owner in network.addresses:
            if network.vlan not in bed.nodes[owner].trunk:
                yield Inconsistency(
                    "address-off-trunk",
                    f"node:{owner}",
                    bed.where(f"nodes.{owner}.trunk"),
                    f"VLAN {network.vlan} ({name}) on the trunk, since {owner} has an address there",
                    f"trunk {_listed(bed.nodes[owner].trunk)}",
                    f"add {network.vlan} to the trunk, or remove {bed.where(f'networks.{name}.addresses.{owner}')}",
                )


def trunk_without_network(bed: Bed) -> Iterator[Inconsistency]:
    """Every VLAN on a trunk is a network of the bed."""
    declared = {network.vlan for network in bed.vlans.values()}
    for name, node in bed.nodes.items():
        foreign = sorted(node.trunk - declared)
        if foreign:
            yield Inconsistency(
                "trunk-without-network",
                f"node:{name}",
                bed.where(f"nodes.{name}.trunk"),
                "VLANs that are networks of the bed",
                f"no network has VLAN {', '.join(map(str, foreign))}",
                "declare the network, or take the VLAN off the trunk",
            )


def workload_off_trunk(bed: Bed) -> Iterator[Inconsistency]:
    """A workload with an attachment runs only where its VLAN arrives."""
    for name, workload in bed.workloads.items():
        network = _attached(bed, workload.attach)
        if network is None or network.vlan is None:
            continue
        without = [node for node in bed.selected(workload.on) if network.vlan not in bed.nodes[node].trunk]
        if without:
            yield Inconsistency(
                "workload-off-trunk",
                f"workload:{name}",
                bed.where(f"workloads.{name}.on"),
                f"nodes that have VLAN {network.vlan} on their trunk",
                f"it may run on {', '.join(without)}",
                f"narrow workloads.{name}.on, or add {network.vlan} to the trunk",
            )


def persona_without_vlan(bed: Bed) -> Iterator[Inconsistency]:
    """A persona stands on a VLAN, else the firewall is not between it and the agents."""
    for name, persona in bed.personas.items():
        if persona.network not in bed.vlans:
            yield Inconsistency(
                "persona-without-vlan",
                f"persona:{name}",
                bed.where(f"personas.{name}.network"),
                "a network with a VLAN",
                f"{persona.network}, which has none",
                f"give networks.{persona.network} a vlan, or the persona another network",
            )


def path_mtu(bed: Bed) -> Iterator[Inconsistency]:
    """The VLANs at both ends of a flow carry the same frames, else large packets are lost at the firewall."""
    for index, flow in enumerate(bed.flows):
        ends = {name: bed.networks[name].mtu for end in (flow.from_, flow.to) for name in _networks_of(bed, end)}
        if flow.expect != "refused" and len(set(ends.values())) > 1:
            least = min(ends, key=ends.__getitem__)
            most = max(ends, key=ends.__getitem__)
            yield Inconsistency(
                "path-mtu",
                f"flow:{flow.from_}>{flow.to}",
                bed.where(f"flows.{index}"),
                "one MTU along the path",
                f"{most} has {ends[most]}, {least} has {ends[least]} ({bed.where(f'networks.{least}.mtu')})",
                f"make networks.{least}.mtu {ends[most]}",
            )


def attachment_mtu(bed: Bed) -> Iterator[Inconsistency]:
    """A pod's frames are no larger than its VLAN carries."""
    for name, attachment in bed.attachments.items():
        limit = bed.networks[attachment.network].mtu
        if attachment.mtu and attachment.mtu > limit:
            yield Inconsistency(
                "attachment-mtu",
                f"attachment:{name}",
                bed.where(f"attachments.{name}.mtu"),
                f"at most {limit}, the MTU of {attachment.network} ({bed.where(f'networks.{attachment.network}.mtu')})",
                str(attachment.mtu),
                "lower it, or raise that of the network",
            )


def route_over_management(bed: Bed) -> Iterator[Inconsistency]:
    """A route on the data plane leaves management, pods and services alone."""
    kept = {name: network.cidr for name, network in bed.networks.items() if network.vlan is None}
    if bed.kubernetes:
        kept |= {"pods": bed.kubernetes.pods, "services": bed.kubernetes.services}
    for name, attachment in bed.attachments.items():
        for number, route in enumerate(attachment.routes):
            taken = [f"{other} ({cidr})" for other, cidr in kept.items() if route.overlaps(cidr)]
            if taken:
                yield Inconsistency(
                    "route-over-management",
                    f"attachment:{name}",
                    bed.where(f"attachments.{name}.routes.{number}"),
                    "a route that only leads to the data plane",
                    f"{route} takes {', '.join(taken)} with it",
                    "make the route narrower",
                )


def _networks_of(bed: Bed, end: str) -> list[str]:
    if end == "personas":
        return sorted({persona.network for persona in bed.personas.values()})
    attach = bed.workloads[end].attach
    return [bed.attachments[attach].network] if attach else []


def _attached(bed: Bed, attach: str | None) -> Network | None:
    return bed.networks[bed.attachments[attach].network] if attach else None


def _listed(numbers: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(numbers))) or "empty"
