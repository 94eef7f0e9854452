"""Agents reach every persona through the firewall, which shows a certificate of its own for the persona's name."""

from __future__ import annotations

from collections.abc import Callable

from plumbline import subjects, x509
from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Tls
from plumbline.outcome import Unknown
from plumbline.subjects import Path
from suites.inspection import cases

Shown = Callable[[Path], Tls]
Roots = Callable[[str], tuple[x509.Certificate, ...]]


@check(
    "inspection.ngfw-answers",
    severity="critical",
    kind="active",
    remedy="on the firewall: is its TLS inspection running? (lab: systemctl status ngfw; systemctl restart ngfw)",
    consequence="no agent reaches any persona",
    source="seed 000, chapter 13",
)
@for_each("node", cases.firewall)
def test_the_firewall_answers(node: str, bed: Bed, facts: Facts, require_gateway: Callable[[str], None]) -> None:
    """The firewall shakes hands with agents, whatever becomes of the origins behind it."""
    sources = dict.fromkeys(flow.from_ for flow in bed.flows if flow.through == node and flow.expect == "inspected")
    answers = [answer for source in sources for answer in facts.probes(Tls, "flow", source=source)]
    if not any(answer.leaf for answer in answers):
        for source in sources:
            require_gateway(source)

    assert any(answer.leaf for answer in answers), found(
        f"none of {len(answers)} handshakes of {', '.join(sources)} was answered: {answers[0]}",
        expected="a handshake with the firewall",
    )


@check(
    "inspection.flow",
    severity="critical",
    kind="active",
    remedy="kubectl -n web-agents exec deploy/… -- openssl s_client -connect …:443 -servername …; "
    "on the firewall: ip route; its log of this client",
    consequence="{name} carries no test traffic",
    source="seed 000, chapters 1 and 13",
)
@for_each("flow", subjects.flows("inspected"))
def test_an_agent_reaches_the_persona(flow: Path, facts: Facts) -> None:
    """Every agent pod that asks shakes hands for the persona's name and trusts what it is shown."""
    for answer in facts.probes(Tls, "flow", source=flow.source, target=flow.target):
        assert answer.ok, found(answer, expected=f"a handshake with {flow.target}")
        assert answer.verified is not None, found(
            "the agent had no bundle to trust, so nothing was verified", expected="a trusted certificate"
        )
        assert answer.verified, found(
            f"{answer.verify_error}: {answer.leaf} (from {answer.where})", expected="a certificate that agents trust"
        )


@check(
    "inspection.page",
    severity="critical",
    kind="active",
    remedy="ask the persona itself: python -m lab shell ngfw -- openssl s_client …; 503 is the firewall's: read its log",
    consequence="agents measure the firewall's error page, not the persona",
    source="seed 000, chapter 13",
)
@for_each("flow", cases.pages)
def test_the_page_is_the_persona_s_own(flow: Path, bed: Bed, page: Shown) -> None:
    """The page comes with status 200 and names the persona's own workload."""
    answer, persona = page(flow), bed.personas[flow.target]

    assert answer.status == 200, found(
        f"status {answer.status or answer.facts.get('http_error', 'none')} (from {answer.where})", expected="status 200"
    )
    who = answer.http["headers"].get((persona.header or "").lower())
    assert who == persona.workload, found(
        f"the page is of {who or 'nobody'}", expected=f"the page of {persona.workload}"
    )


@check(
    "inspection.issuer",
    severity="critical",
    kind="active",
    remedy="on the firewall: does a decryption rule match this flow? Bypassed traffic shows the persona's own issuer",
    consequence="{name} is not inspected, so its figures say nothing of inspection",
    source="seed 000, chapter 1 (TLS leg 1)",
)
@for_each("flow", cases.parts("issuer"))
def test_the_firewall_s_authority_issued_it(flow: Path, bed: Bed, shown: Shown, roots: Roots) -> None:
    """The certificate that agents see was signed by the firewall's authority and not by the origins'."""
    assert bed.ngfw is not None
    leaf = shown(flow).leaf
    assert leaf is not None

    assert any(leaf.signed_by(root) for root in roots(bed.ngfw.authority)), found(
        leaf, expected=f"signed by {bed.ngfw.authority}"
    )
    assert not any(leaf.signed_by(root) for root in roots(bed.ngfw.verifies)), found(
        leaf, expected=f"not signed by {bed.ngfw.verifies}, which is for leg 2"
    )


@check(
    "inspection.name",
    severity="critical",
    kind="active",
    remedy="on the firewall: does it read the SNI of this client, and sign for it?",
    consequence="agents refuse {name}",
    source="RFC 6125; RFC 6066, 3",
)
@for_each("flow", cases.parts("name"))
def test_it_is_for_the_persona_s_name(flow: Path, bed: Bed, shown: Shown) -> None:
    """The certificate that agents see is for the name that they asked for."""
    leaf, name = shown(flow).leaf, bed.personas[flow.target].name
    assert leaf is not None

    assert name in leaf.names, found(f"it is for {', '.join(leaf.names) or leaf.subject}", expected=name)


@check(
    "inspection.alpn-h2",
    severity="major",
    kind="active",
    remedy="on the firewall: offer h2 to clients (ALPN h2,http/1.1) and speak it to origins",
    consequence="{node} falls back to HTTP/1.1: one request at a time on each connection",
    source="seed 000, chapter 1; RFC 7301",
)
@for_each("flow", cases.parts("alpn"))
def test_the_best_protocol_is_agreed_on(flow: Path, bed: Bed, shown: Shown) -> None:
    """Client and firewall agree on the first protocol that the persona offers."""
    best, answer = bed.personas[flow.target].alpn[0], shown(flow)

    assert answer.alpn == best, found(f"{answer.alpn or 'none'} (from {answer.where})", expected=best)


@check(
    "inspection.alpn-http1",
    severity="major",
    kind="active",
    remedy="on the firewall: offer http/1.1 to clients as well",
    consequence="clients without HTTP/2 do not get through",
    source="RFC 7301, 3.2",
)
@for_each("flow", cases.parts("http-1.1"))
def test_a_client_of_http_1_1_is_served(flow: Path, page: Shown) -> None:
    """A client that offers http/1.1 alone is given it."""
    answer = page(flow)

    assert answer.alpn == "http/1.1", found(f"{answer.alpn or 'none'} (from {answer.where})", expected="http/1.1")


@check(
    "inspection.protocol",
    severity="major",
    kind="active",
    remedy="on the firewall: set the highest version of TLS for clients to 1.3",
    consequence="handshakes cost a round trip more than the load figures foresee",
    source="RFC 8446; RFC 8996",
)
@for_each("flow", cases.parts("protocol"))
def test_tls_1_3_is_spoken(flow: Path, shown: Shown) -> None:
    """Client and firewall agree on TLS 1.3."""
    answer = shown(flow)

    assert answer.protocol == "TLSv1.3", found(answer.protocol or "none", expected="TLSv1.3")


@check(
    "inspection.not-resumed",
    severity="major",
    kind="active",
    remedy="on the firewall: no session tickets, no session cache, for clients",
    consequence="the load of {name} measures resumed sessions, which cost the firewall next to nothing",
    source="seed 000, chapter 1; RFC 8446, 2.2",
)
@for_each("flow", cases.parts("session"))
def test_a_session_is_not_resumed(flow: Path, page: Shown) -> None:
    """A second connection of the same client makes a whole handshake again."""
    answer = page(flow)
    if answer.resumed is None:
        raise Unknown(f"no second handshake was made: {answer}", cause=f"flow:{flow.source}>{flow.target}")

    assert answer.resumed is False, found("the second connection resumed the first", expected="a full handshake")
