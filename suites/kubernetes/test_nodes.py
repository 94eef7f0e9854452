"""The members of the cluster are the bed's own, ready, and known by their management addresses."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address

from plumbline import subjects
from plumbline.bed import Bed
from plumbline.bed.model import Node
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.age import just_ready
from plumbline.facts.cluster import Member
from plumbline.outcome import Unknown
from plumbline.release import is_of
from plumbline.subjects import Thing
from suites.kubernetes import cases
from suites.kubernetes.cases import Trait

_PUBLIC_ADDRESS = "flannel.alpha.coreos.com/public-ip"


def member(facts: Facts, name: str) -> Member:
    """A node as the cluster sees it; Unknown where it is none of its members."""
    node = facts.kubernetes.node(name)
    if node is None:
        raise Unknown(f"{name} is no member of the cluster", cause=f"kubelet:{name}")
    return node


@check(
    "kubernetes.members",
    severity="major",
    remedy="kubectl get nodes -o wide; kubectl delete node of those that are not of this bed, or declare them",
    consequence="pods run on machines that nobody looks after",
    source="seed 000, chapter 2.7",
)
@for_each("declared", cases.members)
def test_the_cluster_has_no_strangers(declared: frozenset[str], facts: Facts) -> None:
    """Every member of the cluster is a node of the bed."""
    strangers = sorted(facts.kubernetes.nodes.keys() - declared)

    assert not strangers, found(f"also {', '.join(strangers)}", expected=", ".join(sorted(declared)))


@check(
    "kubernetes.node-ready",
    severity="critical",
    remedy="on {name}: systemctl status kubelet containerd; journalctl -u kubelet -n 50; systemctl restart kubelet",
    consequence="pods of {name} are moved away or stay where they cannot be reached",
    source="seed 000, chapter 2.7",
)
@for_each("node", subjects.kubelets)
def test_a_node_is_ready(node: Thing[Node], facts: Facts) -> None:
    """The node is a member of the cluster, and Ready."""
    known = facts.kubernetes.node(node.name)

    assert known is not None, found(f"{node.name} is no member of the cluster", expected="Ready")
    assert known.ready, found(f"{node.name} is not Ready: {known.reason}", expected="Ready")


@check(
    "kubernetes.node-pressure",
    severity="major",
    remedy="kubectl describe node {node}; on {node}: free -m; df -h /var; ps --sort=-rss | head",
    consequence="the kubelet of {node} evicts pods",
    source="seed 000, chapter 3",
)
@for_each("trait", cases.pressures)
def test_a_node_is_not_short_of_anything(trait: Trait, facts: Facts) -> None:
    """The kubelet complains of no shortage."""
    conditions = {c["type"]: c for c in member(facts, trait.node).raw["status"].get("conditions", ())}
    said = conditions.get(trait.name, {"status": "False"})

    assert said["status"] == "False", found(f"{said['status']}: {said.get('message', '')}", expected="False")


@check(
    "kubernetes.kubelet-version",
    severity="major",
    remedy="on {name}: install the kubelet of the declared version; systemctl restart kubelet",
    consequence="nodes of one bed behave differently",
    source="seed 000, chapter 2.7",
)
@for_each("trait", cases.versions)
def test_a_kubelet_is_of_the_declared_version(trait: Trait, facts: Facts, bed: Bed) -> None:
    """The kubelet is of the version that the bed declares, or of one that begins so."""
    version, declared = member(facts, trait.node).version, bed.kubernetes.version if bed.kubernetes else ""

    assert is_of(version, declared), found(version, expected=declared)


@check(
    "kubernetes.node-address",
    severity="critical",
    remedy="on {name}: kubelet --node-ip with the OOBI address; systemctl restart kubelet",
    consequence="logs, metrics and probes of {name} go over the data plane, through the firewall",
    source="seed 000, chapter 2",
)
@for_each("trait", cases.addresses)
def test_a_node_is_known_by_its_management_address(trait: Trait, facts: Facts) -> None:
    """The node's internal address is its OOBI address."""
    address = member(facts, trait.node).address

    assert address == str(trait.spec.oobi), found(address or "none", expected=trait.spec.oobi)


@check(
    "kubernetes.node-off-data-plane",
    severity="critical",
    remedy="kubectl get node {name} -o jsonpath='{.status.addresses}'; on {name}: kubelet --node-ip",
    consequence="the cluster's own traffic is measured with the test traffic, and stops with the firewall",
    source="seed 000, OOBI isolation requirement",
)
@for_each("trait", cases.addresses)
def test_a_node_has_no_data_plane_address_in_the_cluster(trait: Trait, facts: Facts, bed: Bed) -> None:
    """No address by which the cluster knows the node lies in a data network."""
    known = [a["address"] for a in member(facts, trait.node).raw["status"]["addresses"] if a["type"].endswith("IP")]
    data = [f"{a} in {name}" for a in known for name, net in bed.vlans.items() if ip_address(a) in net.cidr]

    assert not data, found(", ".join(data), expected="OOBI addresses alone")


@check(
    "kubernetes.overlay-address",
    severity="critical",
    remedy="on {name}: flanneld --iface=eth0; systemctl restart flanneld",
    consequence="pods of {name} talk to others over the data plane, or not at all",
    source="seed 000, chapter 2",
)
@for_each("trait", cases.overlays)
def test_the_pod_network_runs_over_management(trait: Trait, facts: Facts) -> None:
    """Other nodes send traffic for this node's pods to its OOBI address."""
    address = member(facts, trait.node).raw["metadata"]["annotations"].get(_PUBLIC_ADDRESS, "none")

    assert address == str(trait.spec.oobi), found(address, expected=trait.spec.oobi)


@check(
    "kubernetes.pod-range",
    severity="critical",
    remedy="kubectl get nodes -o custom-columns=N:.metadata.name,C:.spec.podCIDR; remove and rejoin {name}",
    consequence="two pods have one address, or pods of {name} are not routed",
    source="seed 000, chapter 2",
)
@for_each("trait", cases.pod_ranges)
def test_a_node_has_pod_addresses_of_its_own(trait: Trait, facts: Facts, bed: Bed) -> None:
    """The node's pod addresses lie in the pod network, and no other node gives them out."""
    own = IPv4Network(member(facts, trait.node).raw["spec"].get("podCIDR", "0.0.0.0/0"))
    others = {n: m.raw["spec"].get("podCIDR") for n, m in facts.kubernetes.nodes.items() if n != trait.node}
    shared = [name for name, cidr in others.items() if cidr and IPv4Network(cidr).overlaps(own)]

    assert bed.kubernetes is not None
    assert own.subnet_of(bed.kubernetes.pods), found(own, expected=f"a part of {bed.kubernetes.pods}")
    assert not shared, found(f"{own} is also given out by {', '.join(shared)}", expected="its own alone")


@check(
    "kubernetes.node-schedulable",
    severity="major",
    remedy="kubectl uncordon {name}; kubectl describe node {name} | grep -A3 Taints",
    consequence="pods of {name} that end do not come back",
    source="seed 000, chapter 13",
)
@for_each("trait", cases.schedulable)
def test_a_node_takes_pods(trait: Trait, facts: Facts) -> None:
    """The node is neither cordoned nor tainted against pods, but for what the cluster itself says of an ill node."""
    node = member(facts, trait.node)
    taints = [t for t in node.taints if not t.startswith("node.kubernetes.io/") and not t.endswith("PreferNoSchedule")]

    assert not node.unschedulable, found("cordoned", expected="it takes pods")
    assert not taints, found(", ".join(taints), expected="no taint")


@check(
    "kubernetes.label",
    severity="critical",
    remedy="kubectl label node {node} {item}=VALUE --overwrite; kubectl -n NAMESPACE rollout restart deployment NAME",
    consequence="pods that are meant for {node} go nowhere or elsewhere at their next start",
    source="seed 000, chapter 13",
)
@for_each("label", subjects.labels)
def test_a_node_carries_its_labels(label: subjects.Setting, facts: Facts) -> None:
    """The node carries the label by which pods find it."""
    carried = member(facts, label.node).labels.get(label.name, "no such label")

    assert carried == label.value, found(f"{label.name}: {carried}", expected=f"{label.name}={label.value}")


@check(
    "kubernetes.no-other-label",
    severity="major",
    remedy="kubectl label node {node} {item}-",
    consequence="pods that are meant for other nodes come to {node}",
    source="seed 000, chapter 15",
)
@for_each("trait", cases.undeclared_labels)
def test_a_node_carries_no_label_of_others(trait: Trait, facts: Facts) -> None:
    """A label that selects nodes is only on those that the bed file gives it to."""
    carried = member(facts, trait.node).labels.get(trait.name)

    assert carried is None, found(f"{trait.name}={carried}", expected=f"no label {trait.name}")


@check(
    "kubernetes.node-metrics",
    severity="minor",
    remedy="kubectl top node {name}; kubectl -n kube-system logs deployment/metrics-server --tail=20",
    consequence="agents are not scaled by their load, and nobody sees how busy {name} is",
    source="seed 000, chapter 14",
)
@for_each("trait", cases.metrics)
def test_the_use_of_a_node_is_known(trait: Trait, facts: Facts, bed: Bed) -> None:
    """metrics-server tells the processor time and memory that the node uses, at the latest two minutes after it began."""
    known = {m["metadata"]["name"]: m["usage"] for m in facts.kubernetes.objects("nodemetrics")}
    usage = known.get(trait.node, {})
    young = any(just_ready(facts.kubernetes.pods(name)) for name in cases.metrics_servers(bed))

    assert set(usage.values()) - {"0"} or young, found("nothing is known", expected="processor time and memory")
