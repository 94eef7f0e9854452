"""Behind the firewall: each persona proves itself to it, and the firewall's own record says that it asked for that."""

from __future__ import annotations

from collections.abc import Callable

from plumbline import x509
from plumbline.bed import Bed
from plumbline.bed.model import Persona
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Quic, Record, Tls
from plumbline.facts.replies import Crossing
from plumbline.outcome import Unknown
from plumbline.subjects import Path, Thing
from suites.inspection import cases

Roots = Callable[[str], tuple[x509.Certificate, ...]]


@check(
    "inspection.origin-answers",
    severity="critical",
    kind="active",
    remedy="kubectl -n {name} get pods -o wide; kubectl -n {name} logs deploy/{name}",
    consequence="the firewall answers 503 for {name}",
    source="seed 000, chapter 8",
)
@for_each("persona", cases.personas())
def test_the_persona_answers_the_firewall(persona: Thing[Persona], facts: Facts) -> None:
    """From where the firewall stands, the persona shakes hands for its own name."""
    answer = facts.probe(Tls, "origin", target=persona.name)

    assert answer.ok, found(answer, expected=f"a handshake with {persona.spec.address}:443")


@check(
    "inspection.origin-trusted",
    severity="critical",
    kind="active",
    remedy="kubectl -n {node} get certificate,secret; delete the secret to have the certificate issued again",
    consequence="the firewall refuses {node}; agents see 503",
    source="seed 000, chapter 1 (TLS leg 2)",
)
@for_each("persona", cases.personas("leg-2"))
def test_the_persona_s_authority_issued_it(persona: Thing[Persona], bed: Bed, facts: Facts, roots: Roots) -> None:
    """What the firewall sees was signed by the origins' authority, and proves the name today."""
    assert bed.ngfw is not None
    answer, authority = facts.probe(Tls, "origin", target=persona.name), bed.ngfw.verifies
    if answer.leaf is None:
        raise Unknown(f"{persona.name} shows no certificate: {answer}", cause=f"persona:{persona.name}")

    assert any(answer.leaf.signed_by(root) for root in roots(authority)), found(
        answer.leaf, expected=f"signed by {authority}"
    )
    assert answer.verified is True, found(
        f"{answer.verify_error or 'nothing was verified'}: {answer.leaf}", expected=f"trusted by who trusts {authority}"
    )


@check(
    "inspection.origin-alpn",
    severity="major",
    kind="active",
    remedy="kubectl -n {node} get configmap {node} -o yaml: servers … protocols h1 h2 h3",
    consequence="leg 2 to {node} falls back to HTTP/1.1",
    source="RFC 7301; seed 000, chapter 8",
)
@for_each("persona", cases.personas("alpn"))
def test_the_persona_agrees_on_its_best_protocol(persona: Thing[Persona], facts: Facts) -> None:
    """The persona itself agrees on the first protocol that it declares."""
    answer = facts.probe(Tls, "origin", target=persona.name)
    if answer.leaf is None:
        raise Unknown(f"{persona.name} makes no handshake: {answer}", cause=f"persona:{persona.name}")

    assert answer.alpn == persona.spec.alpn[0], found(answer.alpn or "none", expected=persona.spec.alpn[0])


@check(
    "inspection.origin-quic",
    severity="minor",
    kind="active",
    remedy="kubectl -n {node} get configmap {node} -o yaml: protocols must name h3; ss -lun in its pod",
    consequence="that QUIC does not cross the firewall would prove nothing of the firewall",
    source="RFC 9000, 6; seed 000, chapter 7.3",
)
@for_each("persona", cases.quic_personas)
def test_the_persona_speaks_quic(persona: Thing[Persona], facts: Facts) -> None:
    """Asked from its own pod, the persona answers QUIC on UDP/443."""
    answer = facts.probe(Quic, "origin-quic", target=persona.name)

    assert answer.ok, found(answer, expected="a QUIC version negotiation")
    assert answer.versions, found("an answer without a version", expected="QUIC version 1 among them")


def _crossing(flow: Path, bed: Bed, facts: Facts) -> Crossing:
    """What the firewall wrote down of the page of this flow."""
    asked = facts.probe(Tls, "page", source=flow.source, target=flow.target)
    pod = next(p for p in facts.kubernetes.pods(flow.source) if p.full_name == asked.pod)
    record = facts.probe(Record, "record")
    crossing = record.crossing(pod.net1, str(bed.personas[flow.target].address))
    if crossing is None and asked.leaf is None:
        raise Unknown(f"no handshake: {asked}", cause=f"flow:{flow.source}>{flow.target}")
    assert crossing is not None, found(
        f"no record of {pod.net1} > {bed.personas[flow.target].address}; {record.error or ''}",
        expected="the firewall writes down each connection that it inspects",
    )
    return crossing


@check(
    "inspection.crossed",
    severity="critical",
    kind="active",
    remedy="on the firewall: journalctl -u ngfw -o cat -f; in the agent pod: ip route get, is net1 the way?",
    consequence="the figures of {node} may be of traffic that the firewall never saw",
    source="seed 000, chapter 1",
)
@for_each("flow", cases.records("record"))
def test_the_firewall_wrote_the_page_down(flow: Path, bed: Bed, facts: Facts) -> None:
    """The firewall's record has the agent, the persona, its name, and the status that the agent saw."""
    crossing = _crossing(flow, bed, facts)
    status = facts.probe(Tls, "page", source=flow.source, target=flow.target).status

    assert crossing.name == bed.personas[flow.target].name, found(
        crossing.name, expected=bed.personas[flow.target].name
    )
    assert crossing.status == status, found(f"status {crossing.status}", expected=f"status {status}, as the agent saw")


@check(
    "inspection.leg-2-verified",
    severity="critical",
    kind="active",
    remedy="on the firewall: ssl verify required, with the origins' authority and the client's SNI",
    consequence="the firewall would make a forged origin look good to agents",
    source="seed 000, chapter 1 (persona-ca trusted by NGFW)",
)
@for_each("flow", cases.records("leg-2"))
def test_the_firewall_verified_the_origin(flow: Path, bed: Bed, facts: Facts, roots: Roots) -> None:
    """The firewall's record says: verified, issued by the origins' authority, the serial that the persona shows."""
    assert bed.ngfw is not None
    crossing, issuers = _crossing(flow, bed, facts), {root.subject for root in roots(bed.ngfw.verifies)}
    own = facts.probe(Tls, "own", target=flow.target).leaf

    assert crossing.verified, found(
        f"not verified, status {crossing.status}, {crossing.error}", expected=f"verified against {bed.ngfw.verifies}"
    )
    assert crossing.issuer in issuers, found(f"issued by {crossing.issuer}", expected=", ".join(issuers))
    if own is None:
        raise Unknown(f"{flow.target} shows its own pod no certificate", cause=f"persona:{flow.target}")
    assert int(crossing.serial, 16) == int(own.serial, 16), found(
        f"serial {crossing.serial}", expected=f"serial {own.serial}, which {flow.target} shows"
    )


@check(
    "inspection.leg-2-not-resumed",
    severity="major",
    kind="active",
    remedy="on the firewall: no session cache and no tickets towards origins (lab: no-ssl-reuse)",
    consequence="the load of {node} measures resumed sessions on leg 2",
    source="seed 000, chapter 1; RFC 8446, 2.2",
)
@for_each("flow", cases.records("leg-2-session"))
def test_leg_2_is_not_resumed(flow: Path, bed: Bed, facts: Facts) -> None:
    """The firewall's record says that it made a whole handshake with the origin."""
    crossing = _crossing(flow, bed, facts)
    if not crossing.verified:
        raise Unknown(f"there was no leg 2: status {crossing.status}", cause=f"flow:{flow.source}>{flow.target}/leg-2")

    assert crossing.resumed is False, found(f"resumed: {crossing.resumed}", expected="a full handshake")
