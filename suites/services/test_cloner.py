"""The cloner reaches the provider over its own VLAN, and every slot serves what it has captured."""

from __future__ import annotations

from collections import Counter

from plumbline.bed import Bed
from plumbline.bed.model import Persona, Workload
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Ping, Tls
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.services import cases


@check(
    "services.cloner-lease",
    severity="critical",
    remedy="kubectl -n web-agents get daemonset cni-dhcp-daemon; on the node: ip link show eth1.N; is the VLAN on its trunk?",
    consequence="no site can be cloned",
    source="seed 000, cloner troubleshooting",
)
@for_each("cloner", cases.cloner)
def test_the_cloner_has_a_lease(cloner: Thing[Workload], facts: Facts, bed: Bed) -> None:
    """net1 of the cloner has an address out of the range of the provider's DHCP service."""
    dhcp = bed.networks[bed.attachments[cloner.spec.attach or ""].network].dhcp
    for pod in facts.kubernetes.pods(cloner.name):
        link = facts.pod(pod).net1
        addresses = [a.ip for a in link.addresses] if link else []

        assert dhcp is None or any(dhcp.range.first <= a <= dhcp.range.last for a in addresses), found(
            ", ".join(map(str, addresses)) or "no address on net1", expected=dhcp.range if dhcp else "any"
        )


@check(
    "services.cloner-gateway",
    severity="critical",
    kind="active",
    remedy="kubectl exec deploy/{name} -- ping -c 3 -I net1 GATEWAY; is the VLAN on the trunk of its node?",
    consequence="no site can be cloned",
    source="seed 000, cloner troubleshooting",
)
@for_each("cloner", cases.cloner)
def test_the_cloner_reaches_the_provider(cloner: Thing[Workload], facts: Facts, bed: Bed) -> None:
    """The provider's gateway answers on net1."""
    answer = facts.probe(Ping, "gateway", source=cloner.name)

    assert answer.received, found(answer, expected="a reply")


@check(
    "services.cloner-outside",
    severity="critical",
    kind="active",
    remedy="kubectl exec deploy/cloner -- ping -c 3 -I net1 {name}; ip route: is there one for {name} over net1?",
    consequence="no site can be cloned, although the provider is there",
    source="seed 000, cloner troubleshooting",
)
@for_each("address", cases.outside)
def test_the_cloner_reaches_the_outside(address: Thing[Workload], facts: Facts) -> None:
    """An address behind the provider answers on net1."""
    answer = facts.probe(Ping, "route", target=address.name)

    assert answer.received, found(answer, expected="a reply")


@check(
    "services.cloned-page",
    severity="critical",
    kind="active",
    remedy="restart the NFS server first, then the cloner; kubectl logs of the slot {name}; is the export the cloner's?",
    consequence="agents test an empty page in place of a real site",
    source="seed 000, cloner troubleshooting",
)
@for_each("slot", cases.slots)
def test_a_slot_serves_what_was_captured(slot: Thing[Persona], facts: Facts) -> None:
    """Through the firewall, the slot serves a cloned page that is not empty, the same as all the others serve."""
    page = served(facts, slot.name)

    assert page is not None, found(facts.probe(Tls, "cloned", target=slot.name), expected="a page")
    status, length, digest = page
    assert status == 200, found(f"status {status}", expected="200")
    assert length, found("an empty page", expected="a page")
    usual = most_served(facts)
    assert digest == usual, found(f"a page of its own ({length} bytes)", expected="the page of the other slots")


def served(facts: Facts, slot: str) -> tuple[int | None, int, str] | None:
    """Status, length and digest of the cloned page of a slot; None where there was no answer."""
    answer = facts.probe(Tls, "cloned", target=slot)
    return (answer.status, int(answer.http.get("length", 0)), str(answer.http.get("sha256"))) if answer.http else None


def most_served(facts: Facts) -> str:
    """The digest of the page that most slots serve."""
    pages = [a.http for a in facts.probes(Tls, "cloned") if a.status == 200]
    if not pages:
        raise Unknown("no slot serves a page")
    return Counter(str(page.get("sha256")) for page in pages).most_common(1)[0][0]
