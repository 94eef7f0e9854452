"""Data NICs and the VLANs on them: what the node has, and what the wire carries."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.model import Node
from plumbline.check import check, for_each, found
from plumbline.facts import Capture, Facts, Trunk
from plumbline.subjects import Port, Thing, links
from suites.network.cases import aspect, trunks, unrouted


@check(
    "network.data-nic",
    severity="critical",
    remedy="on {node}: ip -br link show eth1; ip link set eth1 up; without a carrier: cable, optics, switch port",
    consequence="no VLAN reaches {node}: all its pods are cut off the data plane",
    source="seed 000, chapter 3",
)
@for_each("node", links)
def test_the_data_nic_is_up(node: Thing[Node], facts: Facts) -> None:
    """eth1 is there, up, and has a carrier."""
    link = facts.node(node.name).links.get("eth1")

    assert link, found("there is no eth1", expected="eth1")
    assert link.up, found("eth1 is down", expected="up")
    assert link.carrier, found("eth1 has no carrier", expected="a carrier")


@check(
    "network.vlan-interface",
    severity="critical",
    remedy="on {node}: ip link add link eth1 name eth1.VLAN type vlan id VLAN; ip link set eth1.VLAN up; then netplan",
    consequence="pods on {item} do not start, or their macvlan interfaces carry nothing",
    source="seed 000, chapters 4 and 13",
)
@for_each("port", aspect("interface"))
def test_the_vlan_interface_is_up(port: Port, facts: Facts) -> None:
    """The VLAN interface is there and up."""
    link = facts.node(port.node).links.get(port.interface)

    assert link, found(f"there is no {port.interface}", expected=f"{port.interface}, VLAN {port.vlan}")
    assert link.up, found(f"{port.interface} is down", expected="up")
    assert link.carrier, found(f"{port.interface} has no carrier", expected="a carrier")
    assert link.vlan in (None, port.vlan), found(f"{port.interface} has VLAN ID {link.vlan}", expected=port.vlan)


@check(
    "network.vlan-mtu",
    severity="major",
    remedy="on {node}: ip link set eth1 mtu 9216; ip link set eth1.VLAN mtu MTU, and the same in netplan",
    consequence="whole frames are dropped or fragmented at {node}, and throughput collapses",
    source="seed 000, chapter 1",
)
@for_each("port", aspect("interface-mtu"))
def test_the_vlan_interface_has_its_mtu(port: Port, facts: Facts) -> None:
    """The VLAN interface has the MTU of its network."""
    link = facts.node(port.node).links.get(port.interface)

    assert link, found(f"there is no {port.interface}", expected=port.mtu)
    assert link.mtu == port.mtu, found(link.mtu, expected=port.mtu)


@check(
    "network.vlan-address",
    severity="critical",
    remedy="on {node}: ip address show; ip address replace ADDRESS dev eth1.VLAN, and the same in netplan",
    consequence="{node} answers on {item} under another address, or not at all",
    source="seed 000, chapter 4",
)
@for_each("port", aspect("interface-address"))
def test_the_vlan_interface_has_its_address_and_no_other(port: Port, facts: Facts, bed: Bed) -> None:
    """The VLAN interface has exactly the declared address, or none where none is declared."""
    link = facts.node(port.node).links.get(port.interface)
    prefix = bed.networks[port.network].cidr.prefixlen
    wanted = [f"{port.address}/{prefix}"] if port.address else []
    has = [str(address) for address in link.addresses] if link else []

    assert has == wanted, found(f"{port.interface}: {', '.join(has) or 'none'}", expected=", ".join(wanted) or "none")


@check(
    "network.vlan-route",
    severity="critical",
    remedy="on {node}: ip route show; ip link set eth1.VLAN down and up, or ip route add NETWORK dev eth1.VLAN",
    consequence="{node} sends nothing to {item}, and answers nobody there",
    source="seed 000, chapter 13",
)
@for_each("port", aspect("interface-route", addressed=True))
def test_the_way_to_the_vlan_is_its_interface(port: Port, facts: Facts, bed: Bed) -> None:
    """A node that has an address in a VLAN has the route to it, over the VLAN's interface."""
    network = bed.networks[port.network].cidr
    ways = [r for r in facts.node(port.node).routes if r.destination == network and r.kind == "unicast"]
    has = ", ".join(f"via {way.gateway or way.device}" for way in ways) or "none"

    assert {(way.device, way.gateway) for way in ways} == {(port.interface, "")}, found(
        f"route to {network}: {has}", expected=f"over {port.interface}"
    )


@check(
    "network.no-forwarding",
    severity="major",
    remedy="on {node}: sysctl -w net/ipv4/conf/eth1.VLAN/forwarding=0, and the same in /etc/sysctl.d",
    consequence="{node} is a way from {item} to its other VLANs and to OOBI, around the firewall",
    source="seed 000, chapter 2",
)
@for_each("port", unrouted)
def test_a_node_is_no_router_between_vlans(port: Port, facts: Facts) -> None:
    """A node that is no gateway forwards nothing that arrives from a VLAN."""
    assert not facts.node(port.node).forwards(port.interface), found(
        f"{port.interface} forwards", expected="net.ipv4.conf.*.forwarding = 0"
    )


@check(
    "network.vlan-tag",
    severity="critical",
    kind="active",
    remedy="on {node}: tcpdump -eni eth1 vlan; ip -d link show eth1.VLAN; on the switch: show vlan",
    consequence="{item} runs in another VLAN: its neighbours there are others",
    source="seed 000, chapters 4 and 13",
)
@for_each("port", aspect("tag", asking=True))
def test_the_tag_on_the_wire_is_the_right_one(port: Port, facts: Facts, bed: Bed) -> None:
    """On the wire, frames of a VLAN's addresses carry its VLAN ID, and no other."""
    addresses = [str(a) for a in bed.networks[port.network].addresses.values()]
    capture = facts.probe(Capture, "wire", source=port.node)
    tags = frozenset(tag for address in addresses for tag in capture.tags(address))

    assert tags == {port.vlan}, found(
        f"frames of {', '.join(addresses)} carry {', '.join(map(str, tags)) or 'nothing: none were seen'}",
        expected=f"VLAN ID {port.vlan}",
    )


@check(
    "network.foreign-vlan",
    severity="major",
    kind="active",
    remedy="on the switch: show interfaces trunk; switchport trunk allowed vlan remove VLAN on the port of {node}",
    consequence="{node} reaches VLANs that are not its own, around the firewall",
    source="seed 000, chapters 3 and 13",
)
@for_each("trunk", trunks)
def test_a_trunk_carries_no_foreign_vlan(trunk: Thing[Node], facts: Facts) -> None:
    """Nobody answers in VLANs that are not on a node's trunk, and none of their frames arrive."""
    answer = facts.probe(Trunk, "foreign", source=trunk.name)
    arrived = set(facts.probe(Capture, "wire", source=trunk.name).arrived) - trunk.spec.trunk - {0}
    foreign = sorted(arrived | set(answer.answers))

    assert not foreign, found(f"VLANs {', '.join(map(str, foreign))} too", expected=f"only {sorted(trunk.spec.trunk)}")
