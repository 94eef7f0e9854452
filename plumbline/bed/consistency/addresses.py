"""Rules about networks and the addresses in them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from plumbline.bed.consistency.claims import Claim, claims
from plumbline.bed.consistency.found import Inconsistency, subject_of
from plumbline.bed.model import Bed
from plumbline.bed.types import AddressRange


def overlapping_networks(bed: Bed) -> Iterator[Inconsistency]:
    """No two networks share addresses; those of pods and services are networks too."""
    before: list[tuple[str, IPv4Network, str]] = []
    for name, cidr, path, subject in _networks(bed):
        for other, other_cidr, place in before:
            if cidr.overlaps(other_cidr):
                yield Inconsistency(
                    "overlapping-networks",
                    subject,
                    bed.where(path),
                    "addresses of its own",
                    f"{cidr} overlaps {other} ({other_cidr}, {place})",
                    "give one of the two another prefix",
                )
        before.append((name, cidr, bed.where(path)))


def duplicate_address(bed: Bed) -> Iterator[Inconsistency]:
    """An address belongs to one thing."""
    first: dict[IPv4Address, Claim] = {}
    for claim in claims(bed):
        known = first.setdefault(claim.address, claim)
        if known.owner != claim.owner:
            yield Inconsistency(
                "duplicate-address",
                claim.owner,
                bed.where(claim.path),
                "an address of its own",
                f"{claim.address} belongs to {known.owner} too ({bed.where(known.path)})",
                "give one of the two another address",
            )


def duplicate_mac(bed: Bed) -> Iterator[Inconsistency]:
    """A hardware address belongs to one interface."""
    first: dict[str, tuple[str, str]] = {}
    for name, node in bed.nodes.items():
        for interface, mac in node.macs.items():
            path = f"nodes.{name}.macs.{interface}"
            owner, place = first.setdefault(mac, (f"{name}/{interface}", path))
            if place != path:
                yield Inconsistency(
                    "duplicate-mac",
                    f"node:{name}",
                    bed.where(path),
                    "a hardware address of its own",
                    f"{interface} has {mac}, as {owner} has ({bed.where(place)})",
                    "read the real one with: ip -br link",
                )


def address_outside_network(bed: Bed) -> Iterator[Inconsistency]:
    """An address lies in the network that it is declared on, and is neither its first nor its last."""
    for claim in claims(bed):
        if claim.network and not _is_host(claim.address, bed.networks[claim.network].cidr):
            cidr = bed.networks[claim.network].cidr
            yield Inconsistency(
                "address-outside-network",
                claim.owner,
                bed.where(claim.path),
                f"a host address of {claim.network} ({cidr})",
                str(claim.address),
                f"take one between {cidr[1]} and {cidr[-2]}",
            )


def service_address_outside(bed: Bed) -> Iterator[Inconsistency]:
    """The addresses of cluster services lie in the range of services."""
    if bed.kubernetes is None:
        return
    asked = [("kubernetes.dns", bed.kubernetes.dns)]
    if bed.services.dns:
        asked.append(("services.dns.server", bed.services.dns.server))
    for path, address in asked:
        if address not in bed.kubernetes.services:
            yield Inconsistency(
                "service-address-outside",
                "kubernetes:services",
                bed.where(path),
                f"an address of {bed.kubernetes.services}",
                str(address),
                "take one from kubernetes.services",
            )


def gateway_without_address(bed: Bed) -> Iterator[Inconsistency]:
    """The gateway of a network has an address in it."""
    for name, network in bed.networks.items():
        if network.gateway and network.gateway not in network.addresses:
            yield Inconsistency(
                "gateway-without-address",
                subject_of(bed, name),
                bed.where(f"networks.{name}.gateway"),
                f"an address of {network.gateway} on {name}",
                "none",
                f"add {network.gateway} to networks.{name}.addresses",
            )


def pool_outside_network(bed: Bed) -> Iterator[Inconsistency]:
    """Pools and DHCP ranges lie in their network."""
    for name, path, pool in _pools(bed):
        cidr = bed.networks[name].cidr
        if not (_is_host(pool.first, cidr) and _is_host(pool.last, cidr)):
            yield Inconsistency(
                "pool-outside-network",
                subject_of(bed, name),
                bed.where(path),
                f"host addresses of {cidr}",
                str(pool),
                f"stay between {cidr[1]} and {cidr[-2]}",
            )


def pool_over_static_address(bed: Bed) -> Iterator[Inconsistency]:
    """What is handed out to pods or clients is nobody's already.

    Where all attachments of a network are static, they are taken from its pool: only nodes may not be in it.
    """
    for name, path, pool in _pools(bed):
        dynamic = path.endswith("range") or any(
            a.ipam != "static" for a in bed.attachments.values() if a.network == name
        )
        for claim in claims(bed):
            fixed = claim.owner.startswith("node:") or dynamic
            if claim.network == name and fixed and claim.address in pool:
                yield Inconsistency(
                    "pool-over-static-address",
                    subject_of(bed, name),
                    bed.where(path),
                    "addresses that are nobody's",
                    f"{pool} holds {claim.address} of {claim.owner} ({bed.where(claim.path)})",
                    "move the pool, or the address out of it",
                )


def overlapping_pools(bed: Bed) -> Iterator[Inconsistency]:
    """Two services never hand out the same address: the pool of pods and the DHCP range are apart."""
    for name, network in bed.networks.items():
        pool, dhcp = network.pool, network.dhcp.range if network.dhcp else None
        if pool and dhcp and pool.first <= dhcp.last and dhcp.first <= pool.last:
            yield Inconsistency(
                "overlapping-pools",
                subject_of(bed, name),
                bed.where(f"networks.{name}.dhcp.range"),
                "a DHCP range apart from the pool",
                f"{dhcp} and {pool}",
                "make one of them smaller",
            )


def _networks(bed: Bed) -> Iterator[tuple[str, IPv4Network, str, str]]:
    for name, network in bed.networks.items():
        yield name, network.cidr, f"networks.{name}.cidr", subject_of(bed, name)
    if bed.kubernetes:
        yield "pods", bed.kubernetes.pods, "kubernetes.pods", "kubernetes:pods"
        yield "services", bed.kubernetes.services, "kubernetes.services", "kubernetes:services"


def _pools(bed: Bed) -> Iterator[tuple[str, str, AddressRange]]:
    for name, network in bed.networks.items():
        if network.pool:
            yield name, f"networks.{name}.pool", network.pool
        if network.dhcp:
            yield name, f"networks.{name}.dhcp.range", network.dhcp.range


def _is_host(address: IPv4Address, cidr: IPv4Network) -> bool:
    edges = {cidr.network_address, cidr.broadcast_address} if cidr.prefixlen < 31 else set()
    return address in cidr and address not in edges
