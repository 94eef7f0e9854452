"""The bed file asks nothing of the cluster that no cluster can give. No bed is needed to know."""

from __future__ import annotations

from plumbline.bed.consistency import cases
from plumbline.bed.consistency.found import Contradiction
from plumbline.check import check, for_each, found


@check(
    "inventory.role-without-node",
    severity="critical",
    remedy="label a node, or change the selector of {name}",
    consequence="pods of {name} stay Pending",
    source="seed 000, chapter 13",
)
@for_each("pinned", cases.pinned)
def test_what_is_pinned_has_a_node(pinned: str, contradiction: Contradiction) -> None:
    """Whatever is pinned by labels has a node that carries them."""
    wrong = contradiction("role-without-node", pinned)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.even-quorum",
    severity="major",
    remedy="add a control-plane node or remove one",
    consequence="the loss of half of the members stops the cluster",
    source="seed 000, chapter 2",
)
@for_each("members", cases.control_plane)
def test_the_control_plane_has_an_odd_number_of_members(members: str, contradiction: Contradiction) -> None:
    """The control plane has an odd number of members."""
    wrong = contradiction("even-quorum", members)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.replicas-outside-scale",
    severity="minor",
    remedy="change replicas or scale of {name}",
    consequence="the bed is out of order from its first second",
    source="seed 000, chapter 1",
)
@for_each("workload", cases.scaled_workloads)
def test_replicas_are_within_the_scale(workload: str, contradiction: Contradiction) -> None:
    """The declared number of replicas is one that is in order."""
    wrong = contradiction("replicas-outside-scale", workload)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.nfs-over-data-plane",
    severity="critical",
    remedy="take the attachment away from the NFS server",
    consequence="storage shares the path that is measured, and spoils the measurement",
    source="seed 000, cross-node storage",
)
@for_each("storage", cases.exports)
def test_storage_keeps_off_the_data_plane(storage: str, contradiction: Contradiction) -> None:
    """Storage is served over management only."""
    wrong = contradiction("nfs-over-data-plane", storage)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.another-namespace",
    severity="critical",
    remedy="put {name} and what it uses into one namespace",
    consequence="pods of {name} cannot mount or attach what they need",
    source="seed 000, chapter 5",
)
@for_each("workload", cases.equipped_workloads)
def test_a_workload_uses_things_of_its_own_namespace(workload: str, contradiction: Contradiction) -> None:
    """A pod uses secrets, certificates, claims and attachments of its own namespace."""
    wrong = contradiction("another-namespace", workload)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.attachment-without-addresses",
    severity="critical",
    remedy="declare a pool, a DHCP service or an address, or change ipam",
    consequence="pods never get an address on net1",
    source="seed 000, chapter 13",
)
@for_each("attachment", cases.attachments)
def test_an_attachment_has_addresses_to_give(attachment: str, contradiction: Contradiction) -> None:
    """An attachment has where to take its addresses from."""
    wrong = contradiction("attachment-without-addresses", attachment)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.node-without-way-in",
    severity="critical",
    remedy="set oobi of {name}, or ssh: false for an appliance",
    consequence="nothing can be known of {name}",
    source="seed 000, chapter 2",
)
@for_each("node", cases.nodes)
def test_a_node_can_be_reached(node: str, contradiction: Contradiction) -> None:
    """A node that is logged in to has an address on OOBI."""
    wrong = contradiction("node-without-way-in", node)

    assert not wrong, found(wrong.found, expected=wrong.expected)
