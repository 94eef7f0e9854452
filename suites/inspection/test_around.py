"""What must not be: a way around the firewall, QUIC through it unseen, a client that takes anything for good."""

from __future__ import annotations

from collections.abc import Callable

from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.facts import Arp, Facts, Quic, Tcp, Tls
from plumbline.outcome import Unknown
from plumbline.subjects import Path
from suites.inspection import cases

Alive = Callable[[str], None]
_QUIC = {"refused": ("refused",), "dropped": ("timeout",), "allowed": ("ok",)}


@check(
    "inspection.not-around",
    severity="critical",
    kind="active",
    remedy="in the agent pod: ip route get ADDRESS oif eth0; on the node: iptables -t nat -S, no masquerade into VLANs",
    consequence="agents of {node} may reach the persona without inspection",
    source="seed 000, chapter 1.4",
)
@for_each("flow", cases.parts("around", on="source"))
def test_no_way_leads_around_the_firewall(flow: Path, facts: Facts, require_alive: Alive) -> None:
    """Over eth0, the pod network, an agent does not reach a persona that is up."""
    require_alive(flow.target)
    answer = facts.probe(Tcp, "around", source=flow.source, target=flow.target)

    assert not answer.ok, found(
        f"connected over eth0 (from {answer.where})", expected="refused, unreachable or silence"
    )


@check(
    "inspection.not-neighbours",
    severity="critical",
    kind="active",
    remedy="on the switch: the VLANs of agents and personas must not be bridged: show vlan, show spanning-tree",
    consequence="agents of {node} talk to the persona directly, past the firewall",
    source="seed 000, chapter 6",
)
@for_each("flow", cases.parts("neighbour", on="source"))
def test_agents_and_personas_are_no_neighbours(flow: Path, facts: Facts, require_alive: Alive) -> None:
    """Asked for in the agents' own VLAN, nobody claims the persona's address."""
    require_alive(flow.target)
    answer = facts.probe(Arp, "around-neighbour", source=flow.source, target=flow.target)

    assert not answer.claimants, found(f"{', '.join(answer.claimants)} claims it", expected="silence")
    assert answer.outcome == "timeout", found(answer, expected="asked, and nobody answered")


@check(
    "inspection.udp-443",
    severity="major",
    kind="active",
    remedy="on the firewall: the rule for UDP/443 from agents to personas",
    consequence="browsers of {node} use QUIC past inspection, or wait for an answer that never comes",
    source="seed 000, chapter 1; RFC 9114, 3.1",
)
@for_each("flow", cases.parts("udp-443", on="gateways"))
def test_quic_meets_the_declared_verdict(flow: Path, bed: Bed, facts: Facts) -> None:
    """UDP/443 of agents is refused, dropped or let through, as declared; the persona itself does speak QUIC."""
    assert bed.ngfw is not None
    if not bed.personas[flow.target].quic:
        raise Unknown(f"{flow.target} speaks no QUIC, so nothing can be said", cause=f"persona:{flow.target}")
    own = facts.probe(Quic, "origin-quic", target=flow.target)
    if not own.ok:
        raise Unknown(f"{flow.target} does not speak QUIC itself: {own}", cause=f"persona:{flow.target}/quic")
    answer = facts.probe(Quic, "quic", source=flow.source, target=flow.target)

    assert answer.outcome in _QUIC[bed.ngfw.udp_443], found(answer, expected=bed.ngfw.udp_443)


@check(
    "inspection.distrust",
    severity="critical",
    kind="active",
    remedy="look at what the agent is shown: is it the persona's own certificate? Then the flow is not inspected",
    consequence="that agents accept {node} would not show that they verify anything",
    source="seed 000, chapter 7.2 (REJECT_INVALID_CERTS)",
)
@for_each("flow", cases.parts("distrust"))
def test_who_does_not_trust_the_firewall_refuses_it(flow: Path, facts: Facts) -> None:
    """A client that trusts the origins' authority alone refuses what the firewall shows."""
    answer = facts.probe(Tls, "distrust", source=flow.source, target=flow.target)
    if answer.leaf is None or answer.verified is None:
        raise Unknown(f"nothing was verified: {answer}", cause=f"flow:{flow.source}>{flow.target}")

    assert answer.verified is False, found(
        f"accepted: {answer.leaf}", expected="refused: not signed by the origins' CA"
    )
