"""No address stands where it does not belong."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.model import Network
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.subjects import Thing
from suites.network.cases import oobi, shared_networks


@check(
    "network.stray-address",
    severity="critical",
    remedy="on {node}: ip address delete ADDRESS dev INTERFACE, and from its netplan file",
    consequence="traffic for another machine ends at {node}",
    source="seed 000, chapters 4 and 13",
)
@for_each("node", oobi("addresses"))
def test_a_node_has_no_address_of_another(node: str, facts: Facts, bed: Bed) -> None:
    """A node has no address that the bed file gives to another node, a persona or a pool."""
    taken = {str(p.address): name for name, p in bed.personas.items()}
    taken |= {str(a): n for net in bed.networks.values() for n, a in net.addresses.items() if n != node}
    taken |= {str(other.oobi): name for name, other in bed.nodes.items() if name != node}
    taken |= {str(a.ip): name for name, other in bed.nodes.items() if name != node for a in other.also}
    pools = {name: net.pool for name, net in bed.vlans.items() if net.pool}
    has = [(link.name, a.ip) for link in facts.node(node).links.values() for a in link.addresses]
    wrong = [f"{ip} of {taken[str(ip)]} on {link}" for link, ip in has if str(ip) in taken]
    wrong += [f"{ip} of the pool of {name} on {link}" for link, ip in has for name, pool in pools.items() if ip in pool]

    assert not wrong, found("; ".join(wrong), expected="only its own")


@check(
    "network.unique-members",
    severity="critical",
    remedy="kubectl get pods -A -o json | grep -A3 network-status; delete one of the two pods; look at the IPAM's store",
    consequence="two pods on {name} take each other's replies",
    source="seed 000, chapter 13",
)
@for_each("network", shared_networks)
def test_addresses_of_pods_are_unique(network: Thing[Network], facts: Facts, bed: Bed) -> None:
    """On a VLAN, every pod and node has an IP address and a hardware address of its own."""
    interface, owners = f"eth1.{network.spec.vlan}", list[tuple[str, str]]()
    for name, workload in bed.workloads.items():
        if workload.attach and bed.attachments[workload.attach].network == network.name:
            for pod in facts.kubernetes.pods(name):
                link = facts.pod(pod).net1
                owners += [(value, pod.full_name) for value in _values(link)]
    for node in bed.nodes:
        if bed.nodes[node].ssh and network.spec.vlan in bed.nodes[node].trunk:
            owners += [(value, node) for value in _values(facts.node(node).links.get(interface))]
    values = [value for value, _ in owners]
    twice = sorted({f"{v} ({', '.join(o for x, o in owners if x == v)})" for v in values if values.count(v) > 1})

    assert not twice, found(f"more than one has {'; '.join(twice)}", expected="one owner each")


def _values(link: object) -> list[str]:
    if link is None:
        return []
    return [link.mac, *(str(a.ip) for a in link.addresses)]  # type: ignore[attr-defined]
