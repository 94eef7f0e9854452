"""The bed file gives every network and every address once, and in its place. No bed is needed to know."""

from __future__ import annotations

from plumbline.bed.consistency import cases
from plumbline.bed.consistency.found import Contradiction
from plumbline.check import check, for_each, found


@check(
    "inventory.overlapping-networks",
    severity="critical",
    remedy="give one of the two networks another prefix in the bed file",
    consequence="packets for one network leave on the other",
    source="seed 000, chapter 2",
)
@for_each("network", cases.ranges)
def test_no_network_overlaps_another(network: str, contradiction: Contradiction) -> None:
    """Networks share no addresses."""
    wrong = contradiction("overlapping-networks", network)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.duplicate-address",
    severity="critical",
    remedy="give one of the two another address in the bed file",
    consequence="two machines answer for one address, and which one does changes",
    source="seed 000, chapters 4.2 and 13",
)
@for_each("owner", cases.owners)
def test_an_address_belongs_to_one_thing(owner: str, contradiction: Contradiction) -> None:
    """An address has one owner."""
    wrong = contradiction("duplicate-address", owner)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.duplicate-mac",
    severity="critical",
    remedy="read the real hardware address on {name}: ip -br link",
    consequence="the switch learns one address on two ports, and both lose frames",
    source="seed 000, chapter 1",
)
@for_each("node", cases.nodes)
def test_a_hardware_address_belongs_to_one_interface(node: str, contradiction: Contradiction) -> None:
    """A hardware address has one interface."""
    wrong = contradiction("duplicate-mac", node)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.address-outside-network",
    severity="critical",
    remedy="take a host address of the network",
    consequence="nothing on that network can reach {name}",
    source="seed 000, chapter 1",
)
@for_each("owner", cases.owners)
def test_an_address_lies_in_its_network(owner: str, contradiction: Contradiction) -> None:
    """An address lies in the network that it is declared on."""
    wrong = contradiction("address-outside-network", owner)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.service-address-outside",
    severity="critical",
    remedy="take an address from kubernetes.services",
    consequence="the cluster refuses the service, or pods never reach it",
    source="seed 000, chapter 8.2",
)
@for_each("range", cases.service_range)
def test_cluster_services_have_addresses_of_their_range(range: str, contradiction: Contradiction) -> None:
    """Addresses of cluster services lie in the range of services."""
    wrong = contradiction("service-address-outside", range)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.gateway-without-address",
    severity="critical",
    remedy="add the gateway to the addresses of {name}",
    consequence="nothing on {name} can leave it",
    source="seed 000, chapter 13",
)
@for_each("network", cases.gateways)
def test_a_gateway_has_an_address(network: str, contradiction: Contradiction) -> None:
    """A gateway has an address in its network."""
    wrong = contradiction("gateway-without-address", network)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.pool-outside-network",
    severity="critical",
    remedy="keep the pool within the network",
    consequence="pods of {name} are given addresses that lead nowhere",
    source="seed 000, chapter 1",
)
@for_each("network", cases.pools)
def test_a_pool_lies_in_its_network(network: str, contradiction: Contradiction) -> None:
    """Pools and DHCP ranges lie in their network."""
    wrong = contradiction("pool-outside-network", network)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.pool-over-static-address",
    severity="critical",
    remedy="move the pool, or the address out of it",
    consequence="sooner or later a pod takes the address of a node",
    source="seed 000, chapter 1",
)
@for_each("network", cases.pools)
def test_a_pool_holds_nobodys_address(network: str, contradiction: Contradiction) -> None:
    """What is handed out is nobody's already."""
    wrong = contradiction("pool-over-static-address", network)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.overlapping-pools",
    severity="critical",
    remedy="make the pool or the DHCP range smaller",
    consequence="two services hand out one address",
    source="seed 000, chapter 1",
)
@for_each("network", cases.pools)
def test_a_pool_and_a_dhcp_range_are_apart(network: str, contradiction: Contradiction) -> None:
    """The pool of pods and the DHCP range are apart."""
    wrong = contradiction("overlapping-pools", network)

    assert not wrong, found(wrong.found, expected=wrong.expected)
