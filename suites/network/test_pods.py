"""net1 of the data plane's pods: announced, placed, addressed, routed."""

from __future__ import annotations

from ipaddress import IPv4Interface

from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from suites.network.cases import Second, leases, second
from suites.network.conftest import Inside


@check(
    "network.pod-annotation",
    severity="major",
    remedy="kubectl describe pod of {name}: the events of Multus; kubectl get net-attach-def -A",
    consequence="nobody can tell where pods of {name} are on the data plane",
    source="seed 000, chapter 13",
)
@for_each("second", second("net1-status"))
def test_the_network_status_names_net1(second: Second, facts: Facts) -> None:
    """The network-status annotation of each pod names net1, of the declared attachment, with address and MAC."""
    wanted = f"{second.spec.namespace}/{second.attachment}"
    wrong = [
        pod.full_name
        for pod in facts.kubernetes.pods(second.workload)
        if not any(a.interface == "net1" and a.network == wanted and a.addresses and a.mac for a in pod.attached)
    ]

    assert not wrong, found(f"not so in {', '.join(wrong)}", expected=f"net1 of {wanted}")


@check(
    "network.pod-interface",
    severity="critical",
    remedy="kubectl -n NAMESPACE exec POD -- ip -d link show net1; kubectl describe pod of {name}; ip link on its node",
    consequence="pods of {name} are not on the data plane",
    source="seed 000, chapter 13",
)
@for_each("second", second("net1"))
def test_net1_is_a_macvlan_that_is_up(second: Second, inside: Inside) -> None:
    """Each pod has net1, a macvlan interface, up."""
    wrong = [
        f"{pod.full_name}: {'no net1' if not own.net1 else f'{own.net1.kind}, up: {own.net1.up}'}"
        for pod, own in inside(second.workload)
        if not (own.net1 and own.net1.kind == "macvlan" and own.net1.up and own.net1.carrier)
    ]

    assert not wrong, found("; ".join(wrong), expected="net1: macvlan, up, with a carrier")


@check(
    "network.pod-parent",
    severity="critical",
    remedy="kubectl get net-attach-def -A -o yaml: master must be the VLAN interface; then restart the pods of {name}",
    consequence="pods of {name} sit in another VLAN, whatever their address says",
    source="seed 000, chapters 4 and 13",
)
@for_each("second", second("net1-parent"))
def test_net1_stands_on_the_right_vlan_interface(second: Second, inside: Inside, facts: Facts) -> None:
    """net1 stands on the node's interface of the attachment's VLAN."""
    parent, wrong = f"eth1.{second.network.vlan}", []
    for pod, own in inside(second.workload):
        by_index = {link.index: link.name for link in facts.node(pod.node).links.values()}
        stands_on = by_index.get((own.net1 and own.net1.parent_index) or -1, "nothing that is known")
        wrong += [f"{pod.full_name}: on {stands_on}"] if stands_on != parent else []

    assert not wrong, found("; ".join(wrong), expected=f"on {parent}")


@check(
    "network.pod-address",
    severity="critical",
    remedy="kubectl -n NAMESPACE exec POD -- ip address show net1; mend the IPAM of the attachment, restart the pods",
    consequence="pods of {name} are unreachable, or take an address that belongs to another",
    source="seed 000, chapter 13",
)
@for_each("second", second("net1-address"))
def test_net1_has_an_address_of_its_own_network(second: Second, inside: Inside) -> None:
    """net1 has one address, that of the annotation, in the subnet, and the declared one or one of the pool."""
    cidr, wrong = second.network.cidr, []
    for pod, own in inside(second.workload):
        has = own.net1.addresses if own.net1 else ()
        good = len(has) == 1 and has[0].network == cidr and str(has[0].ip) == pod.net1 and _may(second, has[0])
        wrong += [] if good else [f"{pod.full_name}: {', '.join(map(str, has)) or 'none'}, announced {pod.net1}"]

    assert not wrong, found("; ".join(wrong), expected=f"one of {cidr}, {second.spec.address or second.network.pool}")


def _may(second: Second, address: IPv4Interface) -> bool:
    if second.spec.address:
        return address.ip == second.spec.address
    given = second.network.dhcp.range if second.spec.ipam == "dhcp" and second.network.dhcp else second.network.pool
    return given is None or address.ip in given


@check(
    "network.pod-mac",
    severity="minor",
    remedy="restart the pods of {name}; something changed the interface after it was made",
    consequence="the switch learns another address than the cluster knows",
    source="seed 000, chapter 13",
)
@for_each("second", second("net1-mac"))
def test_net1_has_the_announced_hardware_address(second: Second, inside: Inside) -> None:
    """The hardware address of net1 is the one of the annotation."""
    wrong = [
        f"{pod.full_name}: {own.net1.mac if own.net1 else 'no net1'}"
        for pod, own in inside(second.workload)
        if not own.net1 or own.net1.mac not in {a.mac for a in pod.attached if a.interface == "net1"}
    ]

    assert not wrong, found("; ".join(wrong), expected="as announced")


@check(
    "network.pod-mtu",
    severity="major",
    remedy="kubectl get net-attach-def -A -o yaml: set mtu; then restart the pods of {name}",
    consequence="pods of {name} send small frames, or frames that no one takes",
    source="seed 000, chapter 1",
)
@for_each("second", second("net1-mtu"))
def test_net1_has_the_mtu_of_its_network(second: Second, inside: Inside) -> None:
    """net1 has the MTU of the attachment or its network."""
    wrong = [
        f"{pod.full_name}: {own.net1.mtu}"
        for pod, own in inside(second.workload)
        if own.net1 and own.net1.mtu != second.mtu
    ]

    assert not wrong, found("; ".join(wrong), expected=second.mtu)


@check(
    "network.pod-routes",
    severity="critical",
    remedy="kubectl get net-attach-def -A -o yaml: routes of ipam; then kubectl rollout restart of {name}",
    consequence="traffic of {name} leaves over management, uninspected, or not at all",
    source="seed 000, chapters 6 and 15",
)
@for_each("second", second("net1-route", routed=True))
def test_pods_route_by_way_of_the_firewall(second: Second, inside: Inside, facts: Facts) -> None:
    """Each route of the attachment leads over net1 to the gateway of its VLAN."""
    gateway, wrong = second.network.addresses.get(second.network.gateway or ""), []
    for pod, own in inside(second.workload):
        for destination in second.spec.routes:
            route = own.network.route(destination)
            if route is None or (route.device, route.gateway) != ("net1", str(gateway)):
                leads = f"via {route.gateway or 'the link'} over {route.device}" if route else "nowhere"
                wrong.append(f"{pod.full_name}: {destination} leads {leads}")

    assert not wrong, found("; ".join(wrong), expected=f"via {gateway} over net1")


@check(
    "network.pod-default-route",
    severity="major",
    remedy="kubectl get net-attach-def -A -o yaml: remove the default route or gateway; then restart the pods of {name}",
    consequence="the cluster's own traffic of {name} crosses the firewall, and dies with it",
    source="seed 000, chapter 2 (OOBI isolation)",
)
@for_each("second", second("net1-default"))
def test_the_default_route_is_not_over_net1(second: Second, inside: Inside) -> None:
    """The default route of each pod leads over eth0, and only there."""
    wrong = []
    for pod, own in inside(second.workload):
        over = {r.device for r in own.network.routes if r.destination.prefixlen == 0 and r.kind == "unicast"}
        wrong += [f"{pod.full_name}: over {', '.join(sorted(over)) or 'nothing'}"] if over != {"eth0"} else []

    assert not wrong, found("; ".join(wrong), expected="over eth0")


@check(
    "network.lease",
    severity="critical",
    remedy="kubectl -n web-agents get ds cni-dhcp-daemon; on the DHCP server: journalctl -u dnsmasq -n 30",
    consequence="{name} has no way out, or an address that the server will give to another",
    source="seed 000, cross-node storage (VLAN 40)",
)
@for_each("second", leases)
def test_the_address_is_leased_from_the_declared_range(second: Second, inside: Inside) -> None:
    """net1 has an address out of the range of the network's DHCP server."""
    dhcp = second.network.dhcp
    has = {pod.full_name: pod.net1 for pod, own in inside(second.workload) if own.net1}
    wrong = [
        f"{name}: {address or 'none'}"
        for name, address in has.items()
        if not (dhcp and address and IPv4Interface(address).ip in dhcp.range)
    ]

    assert has, found("no pod has a net1", expected="net1")
    assert not wrong, found("; ".join(wrong), expected=f"one of {dhcp.range if dhcp else 'no range at all'}")
