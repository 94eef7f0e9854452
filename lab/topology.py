"""The wiring that a bed file declares: which VLAN interfaces each node has, and who is on OOBI."""

from __future__ import annotations

from lab.errors import LabError
from lab.switch import Nic, Oobi, Port
from plumbline.bed import Bed

RUNNER = "runner"
OOBI = "oobi"


def nics(bed: Bed) -> list[Nic]:
    """The data NIC of every node that has a trunk, with one port for each VLAN on it."""
    return [_nic(bed, name) for name, node in bed.nodes.items() if node.trunk]


def oobi(bed: Bed) -> Oobi:
    """The out-of-band network: every node with an address on it, and the runner."""
    network = bed.networks.get(OOBI)
    if network is None:
        raise LabError("the bed has no networks.oobi, by which the lab reaches its nodes", remedy="declare it")
    addresses = {name: node.oobi for name, node in bed.nodes.items() if node.oobi}
    if bed.access.runner:
        addresses[RUNNER] = bed.access.runner
    return Oobi(cidr=network.cidr, mtu=network.mtu, addresses=addresses)


def _nic(bed: Bed, node: str) -> Nic:
    trunk = bed.nodes[node].trunk
    ports = tuple(
        Port(vlan=network.vlan, mtu=network.mtu, address=_address(bed, name, node))
        for name, network in bed.vlans.items()
        if network.vlan in trunk
    )
    return Nic(node=node, trunk=trunk, ports=ports)


def _address(bed: Bed, network: str, node: str) -> str | None:
    declared = bed.networks[network]
    address = declared.addresses.get(node)
    return f"{address}/{declared.cidr.prefixlen}" if address else None
