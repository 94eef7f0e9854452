"""Across the switch: each VLAN reaches its gateway, the right one, with whole frames and its class of service."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.model import Persona
from plumbline.check import check, for_each, found
from plumbline.facts import Arp, Capture, Facts, Ping
from plumbline.subjects import Port, Thing
from suites.network.cases import aspect, neighbour, persona_addresses


@check(
    "network.vlan-crosses",
    severity="critical",
    kind="active",
    remedy="on the switch: show interfaces trunk; switchport trunk allowed vlan add VLAN on the port of {node}",
    consequence="nothing of {node} on {item} reaches the firewall: its pods there are cut off",
    source="seed 000, chapter 13",
)
@for_each("port", aspect("port", asking=True))
def test_a_vlan_crosses_the_switch(port: Port, facts: Facts, bed: Bed) -> None:
    """The gateway of a VLAN (or its first other member) answers a node, which takes a frame each way."""
    asked = facts.probe(Arp, "neighbour", source=port.node, target=port.network)
    other, arrived = neighbour(bed, port), facts.probe(Capture, "wire", source=port.node).arrived
    why = "" if port.vlan in arrived else f"; no frame of VLAN {port.vlan} arrives on the trunk of {port.node}"

    assert asked.claimants, found(
        f"VLAN {port.vlan} does not cross between {port.node} and {other}: nobody has {asked.args['address']}{why}",
        expected=f"VLAN {port.vlan} on the trunks of {port.node} and {other}",
    )


@check(
    "network.gateway-replies",
    severity="critical",
    kind="active",
    remedy="on {node}: ping -I eth1.VLAN GATEWAY; ip neigh; on the gateway: nft list ruleset",
    consequence="{node} cannot use the gateway of {item}",
    source="seed 000, chapter 13",
)
@for_each("port", aspect("echo", addressed=True, asking=True))
def test_the_gateway_replies(port: Port, facts: Facts) -> None:
    """The gateway of a VLAN replies to an echo from the node's own address."""
    answer = facts.probe(Ping, "gateway", source=port.node, target=port.network)

    assert answer.received, found(str(answer), expected=f"a reply from {answer.args['address']}")


@check(
    "network.gateway-owner",
    severity="critical",
    kind="active",
    remedy="on {node}: arping -c 3 -I eth1.VLAN GATEWAY; on the switch: show mac address-table address MAC",
    consequence="another machine takes the traffic of {item} that should be inspected",
    source="seed 000, chapters 4 and 13",
)
@for_each("port", aspect("owner", asking=True))
def test_the_gateway_is_who_it_should_be(port: Port, facts: Facts, bed: Bed) -> None:
    """The gateway's address has one hardware address, that of the gateway's own interface."""
    claimants = facts.probe(Arp, "neighbour", source=port.node, target=port.network).claimants
    other = neighbour(bed, port)
    link = facts.node(other).links.get(port.interface) if bed.nodes[other].ssh else None
    wanted = link.mac if link else bed.nodes[other].macs.get("eth1", claimants[0] if claimants else "")

    assert claimants == (wanted,), found(
        f"claimed by {', '.join(claimants) or 'nobody'}", expected=f"{wanted} ({other})"
    )


@check(
    "network.duplicate-address",
    severity="critical",
    kind="active",
    remedy="on the switch: show mac address-table address MAC; take the address from the machine behind that port",
    consequence="traffic for {node} on {item} goes to either of two machines, as chance will have it",
    source="seed 000, chapter 4",
)
@for_each("port", aspect("address", addressed=True))
def test_no_one_else_has_the_address(port: Port, facts: Facts) -> None:
    """Nobody but the node itself claims its address in the VLAN."""
    answer = facts.probe(Arp, "duplicate", source=port.node, target=port.network)

    assert not answer.claimants, found(
        f"{port.address} is claimed by {', '.join(answer.claimants)} too", expected=f"by {port.node} alone"
    )


@check(
    "network.whole-frame",
    severity="major",
    kind="active",
    remedy="on the switch: mtu 9216 on the VLAN and on every port of it; show interface counters errors",
    consequence="jumbo frames of {item} vanish without a word: handshakes work, transfers hang",
    source="seed 000, chapter 1",
)
@for_each("port", aspect("frame", addressed=True, asking=True))
def test_a_whole_frame_crosses_unfragmented(port: Port, facts: Facts) -> None:
    """A packet of the network's whole MTU that must not be fragmented reaches the gateway and comes back whole."""
    answer = facts.probe(Ping, "frame", source=port.node, target=port.network)
    pieces = facts.probe(Capture, "wire", source=port.node).fragments.get(port.vlan, 0)

    assert answer.received, found(
        f"{port.mtu} bytes do not cross VLAN {port.vlan}; the largest that does: {answer.largest}", expected=port.mtu
    )
    assert not pieces, found(f"{pieces} fragments in VLAN {port.vlan}", expected="none")


@check(
    "network.class-of-service",
    severity="minor",
    kind="active",
    remedy="on the switch: show policy-map interface; trust DSCP on the ports of the VLAN; on the gateway: no rewriting",
    consequence="test traffic of {item} is queued with everything else, and measures the switch",
    source="seed 000, chapter 1",
)
@for_each("port", aspect("class", addressed=True, asking=True, classed=True))
def test_the_class_survives_both_ways(port: Port, facts: Facts) -> None:
    """The class of service with which a packet is sent is the one that its reply comes back with."""
    answer = facts.probe(Ping, "gateway", source=port.node, target=port.network)

    assert answer.received, found(str(answer), expected="a reply")
    assert answer.reply_dscp == answer.dscp, found(f"DSCP {answer.reply_dscp}", expected=f"DSCP {answer.dscp}")


@check(
    "network.persona-address",
    severity="critical",
    kind="active",
    remedy="on the NGFW: arping -c 3 -I eth1.VLAN ADDRESS; kubectl get pods -A -o wide | grep ADDRESS",
    consequence="requests to {name} end at another machine, or at none",
    source="seed 000, chapters 8 and 13",
)
@for_each("persona", persona_addresses)
def test_a_persona_has_its_address_alone(persona: Thing[Persona], facts: Facts) -> None:
    """The gateway of a persona finds one owner of its address: net1 of the persona's pod."""
    claimants = facts.probe(Arp, "claim", target=persona.name).claimants
    pods = facts.kubernetes.pods(persona.spec.workload)
    wanted = {a.mac for pod in pods for a in pod.attached if a.interface == "net1"}

    assert set(claimants) == wanted, found(
        f"{persona.spec.address} is claimed by {', '.join(claimants) or 'nobody'}", expected=", ".join(sorted(wanted))
    )
