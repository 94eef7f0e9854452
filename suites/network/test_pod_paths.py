"""From net1 of the data plane's pods: the gateway, whole frames, the class of service, further hosts."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Ping
from plumbline.subjects import Path
from suites.network.cases import Pair, Second, classed_flows, overlay_pairs, second


@check(
    "network.pod-gateway",
    severity="critical",
    kind="active",
    remedy="kubectl -n NAMESPACE exec POD -- ping -c 2 -I net1 GATEWAY; on its node: ip -br link show eth1.VLAN",
    consequence="nothing that {name} sends reaches the firewall",
    source="seed 000, chapter 13",
)
@for_each("second", second("net1-path", gateway=True))
def test_pods_reach_their_gateway(second: Second, facts: Facts) -> None:
    """The gateway of the VLAN (or its first other member) replies to each pod."""
    answers = facts.probes(Ping, "gateway", source=second.workload)
    silent = [str(answer) for answer in answers if not answer.received]

    assert not silent, found("; ".join(silent), expected="a reply to each pod")


@check(
    "network.pod-whole-frame",
    severity="major",
    kind="active",
    remedy="kubectl -n NAMESPACE exec POD -- ip link show net1; then MTU of eth1.VLAN, of the switch and of the gateway",
    consequence="large requests and answers of {name} vanish without a word",
    source="seed 000, chapter 1",
)
@for_each("second", second("net1-frame", gateway=True))
def test_whole_frames_of_pods_cross(second: Second, facts: Facts) -> None:
    """A packet of the whole MTU that must not be fragmented comes back to each pod."""
    answers = facts.probes(Ping, "frame", source=second.workload)
    short = [f"{a.where}: {a.largest or a.error}" for a in answers if not a.received]

    assert not short, found(f"the largest that crosses: {'; '.join(short)}", expected=f"{second.mtu} bytes")


@check(
    "network.pod-class",
    severity="minor",
    kind="active",
    remedy="tcpdump -vni eth1.VLAN icmp on the node of {name}: where does tos 0x88 end?",
    consequence="test traffic of {name} is queued with everything else",
    source="seed 000, chapter 1",
)
@for_each("second", second("net1-class", gateway=True, classed=True))
def test_the_class_of_pods_survives(second: Second, facts: Facts) -> None:
    """The class of service of each pod's packets is the one that the replies come back with."""
    answers = facts.probes(Ping, "gateway", source=second.workload)
    wrong = [f"{a.where}: DSCP {a.reply_dscp}" for a in answers if a.reply_dscp != a.dscp]

    assert not wrong, found("; ".join(wrong), expected=f"DSCP {answers[0].dscp}")


@check(
    "network.path-class",
    severity="minor",
    kind="active",
    remedy="on the NGFW: look for rules that rewrite DSCP; on the switch: trust DSCP on its ports",
    consequence="the firewall or the switch changes what is measured on the way {name}",
    source="seed 000, chapter 1",
)
@for_each("path", classed_flows)
def test_the_class_survives_through_the_firewall(path: Path, facts: Facts) -> None:
    """Through the NGFW to a persona and back, the class of service stays what it was."""
    answer = facts.probe(Ping, "class", source=path.source, target=path.target)

    assert answer.received, found(str(answer), expected="a reply")
    assert answer.reply_dscp == answer.dscp, found(f"DSCP {answer.reply_dscp}", expected=f"DSCP {answer.dscp}")


@check(
    "network.host-route",
    severity="major",
    kind="active",
    remedy="kubectl exec POD of {name} -- ping -c 3 -I net1 ADDRESS; on VLAN 40: the provider's gateway",
    consequence="{name} has no way to the outside world: nothing is cloned",
    source="seed 000, cross-node storage (VLAN 40)",
)
@for_each(
    "second", lambda bed: [c for c in second("net1-host")(bed) if any(r.prefixlen == 32 for r in c.value.spec.routes)]
)
def test_single_hosts_are_reached(second: Second, facts: Facts) -> None:
    """Each single host that the attachment has a route for replies."""
    silent = [str(a) for a in facts.probes(Ping, "route", source=second.workload) if not a.received]

    assert not silent, found("; ".join(silent), expected="a reply")


@check(
    "network.overlay",
    severity="critical",
    kind="active",
    remedy="on both nodes: systemctl status flanneld; ip -d link show flannel.1; is UDP 8472 let through between them?",
    consequence="pods of the two nodes do not reach each other: DNS, storage and scraping fail across them",
    source="seed 000, chapter 2",
)
@for_each("pair", overlay_pairs("overlay"))
def test_the_pod_network_reaches_across_nodes(pair: Pair, facts: Facts) -> None:
    """A pod on one node reaches a pod on another over the pod network."""
    answer = facts.probe(Ping, "overlay", source=pair.source, target=pair.target)

    assert answer.received, found(str(answer), expected="a reply")


@check(
    "network.overlay-frame",
    severity="major",
    kind="active",
    remedy="on both nodes: ip link show flannel.1 and cni0: MTU of OOBI less 50",
    consequence="large answers between pods of the two nodes hang",
    source="seed 000, chapter 2",
)
@for_each("pair", overlay_pairs("overlay-frame"))
def test_the_pod_network_carries_its_largest_packet(pair: Pair, facts: Facts, bed: Bed) -> None:
    """A packet as large as VXLAN leaves room for crosses the pod network unfragmented."""
    answer = facts.probe(Ping, "overlay-frame", source=pair.source, target=pair.target)

    assert answer.received, found(f"the largest that crosses: {answer.largest}", expected=answer.args["size"])
