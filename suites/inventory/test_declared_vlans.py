"""The bed file gives every VLAN once, and lets it through wherever it is needed. No bed is needed to know."""

from __future__ import annotations

from plumbline.bed.consistency import cases
from plumbline.bed.consistency.found import Contradiction
from plumbline.check import check, for_each, found


@check(
    "inventory.duplicate-vlan",
    severity="critical",
    remedy="give one of the two networks another VLAN ID",
    consequence="two networks are one broadcast domain",
    source="seed 000, chapter 1",
)
@for_each("vlan", cases.vlans)
def test_a_vlan_id_belongs_to_one_network(vlan: str, contradiction: Contradiction) -> None:
    """A VLAN ID has one network."""
    wrong = contradiction("duplicate-vlan", vlan)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.address-off-trunk",
    severity="critical",
    remedy="add the VLAN to the trunk of {name}, or remove the address",
    consequence="{name} has an address that no frame reaches",
    source="seed 000, chapter 13",
)
@for_each("node", cases.trunks)
def test_an_address_is_on_the_trunk(node: str, contradiction: Contradiction) -> None:
    """A node with an address on a VLAN has the VLAN on its trunk."""
    wrong = contradiction("address-off-trunk", node)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.trunk-without-network",
    severity="major",
    remedy="declare the network, or take its VLAN off the trunk of {name}",
    consequence="a VLAN reaches {name} that no check looks at",
    source="seed 000, chapter 1",
)
@for_each("node", cases.trunks)
def test_a_trunk_carries_networks_of_the_bed(node: str, contradiction: Contradiction) -> None:
    """Every VLAN on a trunk is a network of the bed."""
    wrong = contradiction("trunk-without-network", node)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.workload-off-trunk",
    severity="critical",
    remedy="narrow the node selector of {name}, or add the VLAN to the trunk",
    consequence="pods of {name} fail to start: there is no interface to attach to",
    source="seed 000, chapter 13",
)
@for_each("workload", cases.attached_workloads)
def test_a_workload_runs_where_its_vlan_arrives(workload: str, contradiction: Contradiction) -> None:
    """A workload with an attachment runs only where its VLAN arrives."""
    wrong = contradiction("workload-off-trunk", workload)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.persona-without-vlan",
    severity="critical",
    remedy="give the persona's network a vlan",
    consequence="traffic to {name} bypasses the firewall",
    source="seed 000, chapter 1",
)
@for_each("persona", cases.personas)
def test_a_persona_stands_on_a_vlan(persona: str, contradiction: Contradiction) -> None:
    """A persona stands on a VLAN."""
    wrong = contradiction("persona-without-vlan", persona)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.path-mtu",
    severity="major",
    remedy="make the MTU of both ends the same",
    consequence="large packets of one side are lost at the firewall",
    source="seed 000, chapter 1",
)
@for_each("flow", cases.flows)
def test_both_ends_of_a_flow_have_one_mtu(flow: str, contradiction: Contradiction) -> None:
    """Both ends of a flow carry the same frames."""
    wrong = contradiction("path-mtu", flow)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.attachment-mtu",
    severity="major",
    remedy="lower the MTU of {name}, or raise that of its network",
    consequence="pods send frames that their VLAN drops",
    source="seed 000, chapter 1",
)
@for_each("attachment", cases.attachments)
def test_pods_send_no_larger_frames_than_their_vlan_carries(attachment: str, contradiction: Contradiction) -> None:
    """A pod's frames are no larger than its VLAN carries."""
    wrong = contradiction("attachment-mtu", attachment)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.route-over-management",
    severity="critical",
    remedy="make the route narrower",
    consequence="pods answer management over the data plane and are lost to the cluster",
    source="seed 000, chapter 2",
)
@for_each("attachment", cases.routed_attachments)
def test_data_plane_routes_leave_management_alone(attachment: str, contradiction: Contradiction) -> None:
    """A route on the data plane leaves management, pods and services alone."""
    wrong = contradiction("route-over-management", attachment)

    assert not wrong, found(wrong.found, expected=wrong.expected)
