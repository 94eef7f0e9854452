"""Every node answers, and is the one that it is taken for."""

from __future__ import annotations

import datetime as dt

from plumbline.bed.model import Node
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.subjects import Thing, nodes
from suites.host.cases import aspect


@check(
    "host.answers",
    severity="critical",
    remedy="from the runner: ssh -v {name}; if it stays silent, look at its console and at eth0",
    consequence="nothing of {name} can be judged, and nothing that runs there works",
    source="seed 000, chapter 3",
)
@for_each("node", nodes)
def test_the_node_answers_over_ssh(node: Thing[Node], facts: Facts) -> None:
    """The node answers over SSH, on OOBI."""
    source = facts.raw(f"nodes/{node.name}")

    assert source.outcome == "ok", found(
        f"{source.outcome}: {source.error}", expected=f"an answer from {node.spec.oobi}"
    )


@check(
    "host.hostname",
    severity="major",
    remedy="on {node}: hostnamectl set-hostname {node}",
    consequence="Kubernetes registers the node under another name, and pods that are pinned to it stay Pending",
    source="seed 000, chapter 2.7",
)
@for_each("node", aspect("hostname"))
def test_the_node_has_its_own_name(node: str, facts: Facts) -> None:
    """The node calls itself what the bed file calls it."""
    name = facts.node(node).hostname

    assert name.partition(".")[0] == node, found(f"it calls itself {name}", expected=node)


@check(
    "host.machine-id",
    severity="major",
    remedy="on {node}: rm /etc/machine-id; systemd-machine-id-setup; reboot",
    consequence="two nodes count as one: DHCP leases, journals and Kubernetes' node identity get mixed up",
    source="seed 000, chapter 2",
)
@for_each("node", aspect("machine-id"))
def test_the_machine_id_is_unique(node: str, facts: Facts, answering: list[str]) -> None:
    """No other node has this machine ID, as clones of one disk do."""
    own = facts.node(node).machine_id
    same = [other for other in answering if other != node and facts.node(other).machine_id == own]

    assert len(own) == 32, found(f"machine-id is {own!r}", expected="32 hexadecimal digits")
    assert not same, found(f"{node} and {', '.join(same)} have the machine-id {own}", expected="one of its own")


@check(
    "host.key-signed",
    severity="major",
    remedy="sign it: ssh-keygen -s HOST_CA -h -I {node} -n {node} ssh_host_ed25519_key.pub, and name it in sshd_config",
    consequence="the runner cannot tell {node} from a machine that has taken its address",
    source="seed 000, chapter 3",
)
@for_each("node", aspect("host-key"))
def test_the_host_key_is_signed_by_the_authority(node: str, facts: Facts) -> None:
    """The host key on the wire is signed, for this node's name, by an authority that the runner trusts, and valid."""
    key = facts.host_key(node)

    assert key.signed, found(
        f"no key signed by one of {len(key.authorities)} authorities", expected="a signed host key"
    )
    assert not key.names or node in key.names, found(f"signed for {', '.join(key.names)}", expected=node)
    assert not key.ends or key.ends > dt.datetime.now(dt.UTC), found(f"expired on {key.ends}", expected="a valid one")
