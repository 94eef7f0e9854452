"""Origins with a bad certificate: bad in the declared way, and never made good by the firewall that signs anew."""

from __future__ import annotations

from datetime import UTC, datetime

from plumbline import x509
from plumbline.bed.model import BadOrigin
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Tls
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.inspection import cases
from suites.inspection.cases import Laundering


@check(
    "inspection.bad-origin-is-bad",
    severity="major",
    kind="active",
    remedy="kubectl -n bad-origins get pods,secrets; python -m lab up makes their certificates anew",
    consequence="that the firewall refuses {name} would prove nothing",
    source="seed 000, chapter 1 (TLS leg 2); RFC 5280, 6.1",
)
@for_each("origin", cases.bad_origins)
def test_the_origin_is_bad_in_the_declared_way(origin: Thing[BadOrigin], facts: Facts) -> None:
    """Asked without the firewall, the origin answers with a certificate that is bad in this one way."""
    answer = facts.probe(Tls, "bad-origin-direct", target=origin.name)
    assert answer.leaf is not None, found(answer, expected="a handshake with a bad certificate")

    assert answer.verified is False, found(
        "accepted" if answer.verified else "nothing was verified", expected=f"refused: {origin.name}"
    )
    assert _is(origin.name, answer.leaf, origin.spec.name), found(
        f"{answer.verify_error}: {answer.leaf}", expected=f"a certificate that is {origin.name} for {origin.spec.name}"
    )


def _is(kind: str, leaf: x509.Certificate, name: str) -> bool:
    now = datetime.now(UTC)
    return {
        "expired": leaf.ends < now,
        "not-yet-valid": leaf.starts > now,
        "self-signed": leaf.signed_by(leaf),
        "wrong-name": name not in leaf.names,
    }[kind]


@check(
    "inspection.laundering",
    severity="critical",
    kind="active",
    remedy="on the firewall: verify origins, and answer with an error where that fails (lab: ssl verify required)",
    consequence="agents take a forged site for the real one: the firewall hides the bad certificate ({node})",
    source="seed 000, chapter 1 (TLS leg 2); RFC 5280, 6.1",
)
@for_each("asked", cases.laundering)
def test_a_bad_origin_is_not_made_good(asked: Laundering, facts: Facts) -> None:
    """Through the firewall an agent gets no page of an origin whose certificate is bad."""
    direct = facts.probe(Tls, "bad-origin-direct", target=asked.kind)
    if direct.verified is not False:
        raise Unknown(f"{asked.kind}: the origin itself is not bad: {direct}", cause=f"bad-origin:{asked.kind}")
    answer = facts.probe(Tls, "bad-origin", source=asked.source, target=asked.kind)
    if answer.outcome in ("timeout", "unreachable") or (not answer.ok and answer.leaf is None):
        raise Unknown(f"the firewall did not answer at all: {answer}", cause="ngfw:ngfw")
    if answer.verified is False:
        return  # the agent itself refuses what it is shown, so nothing was made good

    headers = answer.http.get("headers", {})
    assert "x-persona" not in headers, found("a page of the bad origin", expected="an error of the firewall")
    assert answer.status is None or answer.status >= 400, found(
        f"status {answer.status}", expected="an error of the firewall, or no page at all"
    )
