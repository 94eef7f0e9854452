"""Every address that a bed file gives to something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from plumbline.bed.model import Bed


@dataclass(frozen=True)
class Claim:
    """An address, who is given it (as a subject), on which network (empty: on none), and where the bed file says so."""

    address: IPv4Address
    owner: str
    network: str
    path: str


def claims(bed: Bed) -> Iterator[Claim]:
    """Addresses of nodes, gateways, the runner, static attachments and personas; two of one owner are one claim twice.

    A persona and the static attachment of its workload are one interface, so that only the attachment claims.
    """
    for name, node in bed.nodes.items():
        if node.oobi:
            yield Claim(node.oobi, f"node:{name}", "oobi" if "oobi" in bed.networks else "", f"nodes.{name}.oobi")
        for number, interface in enumerate(node.also):
            yield Claim(interface.ip, f"node:{name}", "", f"nodes.{name}.also.{number}")
    if bed.access.runner:
        network = "oobi" if "oobi" in bed.networks else ""
        yield Claim(bed.access.runner, "node:runner", network, "access.runner")
    for name, network_of in bed.networks.items():
        for owner, address in network_of.addresses.items():
            yield Claim(address, f"node:{owner}", name, f"networks.{name}.addresses.{owner}")
    for name, attachment in bed.attachments.items():
        if attachment.address:
            yield Claim(attachment.address, f"attachment:{name}", attachment.network, f"attachments.{name}.address")
    for name, persona in bed.personas.items():
        workload = bed.workloads.get(persona.workload)
        attached = bed.attachments.get(workload.attach) if workload and workload.attach else None
        if attached is None or attached.address != persona.address:
            yield Claim(persona.address, f"persona:{name}", persona.network, f"personas.{name}.address")
