"""Management (OOBI): every node is on it, reaches every other, and it stands apart from the data plane."""

from __future__ import annotations

from ipaddress import IPv4Network

from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Ping, Tcp
from suites.network.cases import Pair, oobi, oobi_pairs


@check(
    "network.oobi-address",
    severity="critical",
    remedy="on {node}: ip -br address show eth0; mend its netplan file",
    consequence="the cluster and the runner do not reach {node}",
    source="seed 000, chapter 2",
)
@for_each("node", oobi())
def test_the_oobi_address_is_on_eth0(node: str, facts: Facts, bed: Bed) -> None:
    """eth0 has the declared OOBI address, with the prefix of the network."""
    wanted = bed.nodes[node].oobi
    prefix = next((n.cidr.prefixlen for n in bed.networks.values() if n.vlan is None and wanted in n.cidr), None)
    link = facts.node(node).links.get("eth0")
    has = [str(a) for a in link.addresses] if link else []

    assert f"{wanted}/{prefix}" in has, found(f"eth0 has {', '.join(has) or 'none'}", expected=f"{wanted}/{prefix}")


@check(
    "network.oobi-mtu",
    severity="major",
    remedy="on {node}: ip link set eth0 mtu 1500, and the same in its netplan file",
    consequence="large packets of the cluster vanish: logins work, transfers hang",
    source="seed 000, chapter 2",
)
@for_each("node", oobi("oobi-mtu"))
def test_oobi_has_its_mtu(node: str, facts: Facts, bed: Bed) -> None:
    """eth0 has the MTU of OOBI."""
    wanted = next((n.mtu for n in bed.networks.values() if n.vlan is None), None)
    link = facts.node(node).links.get("eth0")

    assert link, found("there is no eth0", expected="eth0")
    assert link.mtu == wanted, found(link.mtu, expected=wanted)


@check(
    "network.oobi-reachable",
    severity="critical",
    kind="active",
    remedy="on the first: ping -c 2 ADDRESS; ip neigh show dev eth0; then the cable and switch port of the second",
    consequence="the cluster falls apart: no API, no pod network, no storage between the two",
    source="seed 000, chapter 1.4",
)
@for_each("pair", oobi_pairs)
def test_every_node_reaches_every_other_over_oobi(pair: Pair, facts: Facts) -> None:
    """A node reaches another over OOBI."""
    answer = facts.probe(Ping, "oobi", source=pair.source, target=pair.target)

    assert answer.received, found(f"{pair.target} does not answer: {answer}", expected="a reply")


@check(
    "network.oobi-apart",
    severity="critical",
    remedy="on {node}: ip route; remove what leads over eth1 but to the VLAN's own network",
    consequence="the cluster goes down with the firewall, and no one can look into why",
    source="seed 000, chapter 2 (OOBI isolation)",
)
@for_each("node", oobi("oobi-apart"))
def test_oobi_is_not_routed_over_the_data_plane(node: str, facts: Facts, bed: Bed) -> None:
    """A node routes nothing over its data NIC but each VLAN's own network, and nothing by way of the NGFW."""
    own = {f"eth1.{n.vlan}": n.cidr for n in bed.vlans.values()}
    firewall = {str(a) for n in bed.vlans.values() for a in n.addresses.values()}
    wrong = [
        f"{route.destination} {f'via {route.gateway} ' if route.gateway else ''}dev {route.device}"
        for route in facts.node(node).routes
        if route.kind == "unicast"
        and (
            (route.device.startswith("eth1") and not _within(route.destination, own.get(route.device)))
            or route.gateway in firewall
        )
    ]

    assert not wrong, found(f"routes: {'; '.join(wrong)}", expected="only the VLANs' own networks over eth1")


def _within(destination: IPv4Network, network: IPv4Network | None) -> bool:
    return network is not None and destination.subnet_of(network)


@check(
    "network.oobi-closed-to-data-plane",
    severity="critical",
    kind="active",
    remedy="on the NGFW: deny what arrives on OOBI for the VLANs, and switch forwarding between the two off",
    consequence="traffic reaches personas around the inspection, over management",
    source="seed 000, chapter 2 (OOBI isolation)",
)
@for_each(
    "node", lambda bed: [c for c in oobi("oobi-door")(bed) if bed.personas and bed.ngfw and c.value != bed.ngfw.node]
)
def test_the_firewall_takes_nothing_from_oobi(node: str, facts: Facts) -> None:
    """The NGFW, asked on OOBI, passes nothing on to a persona."""
    answer = facts.probe(Tcp, "from-oobi", source=node)

    assert not answer.ok, found(f"{answer.target} was reached by way of the NGFW's OOBI address", expected="a refusal")
