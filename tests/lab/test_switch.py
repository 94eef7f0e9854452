"""The switch of a lab: VLANs, trunks, frame sizes and cables, between two real machines."""

import os
from collections.abc import Iterator
from time import monotonic

import pytest

from lab import machine, netns, ovs, switch
from tests.lab import smallbed
from tests.lab.smallbed import BED, NICS, OOBI, ping

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="machines need root"),
    pytest.mark.xdist_group("smallbed"),
    pytest.mark.timeout(400),
]
B20, B30 = "198.18.0.2", "198.18.0.130"


@pytest.fixture(scope="module", autouse=True)
def bed() -> Iterator[None]:
    with smallbed.running():
        yield


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    yield
    switch.apply(BED, NICS, OOBI)


def trunks() -> dict[str, frozenset[int]]:
    """The allowed-VLAN list of every node's trunk, as the switch has it now."""
    rows = ovs.table(BED, "Port", "external_ids", "trunks")
    found = {noted["node"]: vlans if isinstance(vlans, list) else [vlans] for noted, vlans in rows if "node" in noted}
    return {node: frozenset(vlans) - {ovs.NO_VLAN} for node, vlans in found.items()}


def put_on(node: str, vlan: int) -> None:
    """`switchport trunk allowed vlan add`."""
    ovs.vsctl(BED, [["add", "Port", f"trunk-{node}", "trunks", str(vlan)]])


def take_off(node: str, vlan: int) -> None:
    """`switchport trunk allowed vlan remove`."""
    ovs.vsctl(BED, [["remove", "Port", f"trunk-{node}", "trunks", str(vlan)]])


def test_a_second_apply_has_nothing_to_do() -> None:
    assert switch.apply(BED, NICS, OOBI) == 0


def test_a_full_frame_crosses() -> None:
    assert ping("a", B20, size=9216 - 28)


def test_a_vlan_taken_off_a_trunk_is_dead_and_the_others_are_not() -> None:
    take_off("b", 20)

    assert trunks() == {"a": frozenset({20, 30}), "b": frozenset({30})}
    assert not ping("a", B20)
    assert ping("a", B30)


def test_the_last_vlan_taken_off_a_trunk_does_not_open_it() -> None:
    take_off("b", 20)
    take_off("b", 30)

    assert trunks()["b"] == frozenset()
    assert not ping("a", B20)
    assert not ping("a", B30)


def test_a_vlan_is_put_back() -> None:
    take_off("b", 20)
    put_on("b", 20)

    assert ping("a", B20)


def test_vlans_are_apart() -> None:
    add_child("b", "eth1.30", "198.18.0.9/25")
    assert not ping("a", "198.18.0.9")

    add_child("b", "eth1.20", "198.18.0.9/25")
    assert ping("a", "198.18.0.9")


def test_a_smaller_mtu_of_a_vlan_drops_what_is_larger_and_nothing_else() -> None:
    switch.set_mtu(BED, 20, 1500)

    assert switch.mtus(BED) == {20: 1500}
    assert ping("a", B20, size=1472)
    assert not ping("a", B20, size=1473)
    assert ping("a", B30, size=9188)

    switch.set_mtu(BED, 20, None)
    assert switch.mtus(BED) == {}
    assert ping("a", B20, size=9188)


def test_the_trunk_shows_tagged_frames_with_their_dscp() -> None:
    machine.run(BED, "a", ["ip", "neighbour", "flush", "all"])
    # Two frames, whatever else is under way: the request and its answer. The capture says when it listens.
    script = (
        "tcpdump -e -n -v -U -i eth1 -c 2 vlan and icmp > /tmp/frames 2> /tmp/said & "
        "until grep -q listening /tmp/said; do :; done; ping -Q 0x88 -c 1 198.18.0.2; wait; cat /tmp/frames"
    )
    said = machine.run(BED, "a", ["sh", "-c", script], timeout=10).stdout

    assert said.count("vlan 20") == 2
    assert said.count("tos 0x88") == 2


def test_macvlan_children_of_two_nodes_reach_each_other() -> None:
    for node, address in (("a", "198.18.0.11/25"), ("b", "198.18.0.12/25")):
        add_child(node, "eth1.20", address)

    said = inside("a", ["ping", "-c", "1", "-W", "1", "-M", "do", "-s", "9188", "198.18.0.12"])
    assert "1 received" in said


def test_a_restart_of_open_vswitch_heals_by_itself() -> None:
    machine.run(BED, switch.NODE, ["systemctl", "restart", "ovs-vswitchd"])

    deadline = monotonic() + 15
    while not ping("a", B20, size=9188) and monotonic() < deadline:
        pass
    assert ping("a", B20, size=9188)


def test_the_switch_without_power_takes_the_data_plane_and_gives_it_back() -> None:
    machine.power_off(BED, switch.NODE)
    assert not ping("a", B20)

    smallbed.bring_up()
    assert ping("a", B20, size=9188)


def test_a_pulled_cable_takes_the_carrier_and_nothing_else() -> None:
    before = addresses("b")
    netns.set_cables(BED, "b", plugged=False)

    carriers = {name: "LOWER_UP" in link["flags"] for name, link in netns.links(netns.name(BED, "b")).items()}
    assert carriers == {"lo": True, "eth0": False, "eth1": False, "eth1.20": False, "eth1.30": False}
    assert addresses("b") == before
    assert not ping("a", B20)
    assert not ping("a", "198.18.1.2")

    netns.set_cables(BED, "b", plugged=True)
    assert ping("a", B20)
    assert ping("a", "198.18.1.2")


def test_apply_takes_back_what_was_changed_by_hand() -> None:
    for command in ("link set eth1.20 down", "address flush dev eth1.30", "link delete eth0"):
        machine.run(BED, "b", ["ip", *command.split()])
    take_off("b", 30)
    assert not ping("a", B20)

    switch.apply(BED, NICS, OOBI)

    assert ping("a", B20)
    assert ping("a", B30)
    assert ping("a", "198.18.1.2")


def test_a_port_that_is_no_longer_declared_is_taken_away() -> None:
    less = [switch.Nic(nic.node, frozenset({30}), nic.ports[1:]) for nic in NICS]
    switch.apply(BED, less, OOBI)

    assert "eth1.20" not in netns.links(netns.name(BED, "b"))
    assert ping("a", B30)


def test_addresses_of_hardware_are_the_same_at_each_boot() -> None:
    assert netns.mac("bed", "node", 20) == netns.mac("bed", "node", 20) == "02:94:77:21:dc:7a"
    assert netns.mac("bed", "node", 30) != netns.mac("bed", "node", 20)


def addresses(node: str) -> dict[str, list[str]]:
    links = netns.links(netns.name(BED, node))
    return {name: [entry["local"] for entry in link["addr_info"]] for name, link in links.items()}


def add_child(node: str, parent: str, address: str) -> None:
    """A pod's namespace with `net1` on a VLAN interface of the node, in the place of one that may be there."""
    script = (
        "ip netns delete pod 2>/dev/null || true; ip netns add pod;"
        f"ip link add net1 link {parent} netns pod type macvlan mode bridge;"
        f"ip -n pod address add {address} dev net1; ip -n pod link set net1 up"
    )
    assert machine.run(BED, node, ["sh", "-ec", script]).returncode == 0


def inside(node: str, argv: list[str]) -> str:
    return machine.run(BED, node, ["ip", "netns", "exec", "pod", *argv]).stdout
