"""The certificate authority answers whoever trusts it, signs what it should, and refuses the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Issue, Tls
from plumbline.facts.pki import PkiFacts
from plumbline.outcome import Unknown
from suites.pki import cases
from suites.pki.cases import Trusting

Pki = Callable[[str], PkiFacts]


@check(
    "pki.authority-active",
    severity="critical",
    remedy="on {node}: systemctl status step-ca; journalctl -u step-ca -n 50; systemctl enable --now step-ca",
    consequence="no certificate is renewed any more: services and logins end one by one, within their lifetimes",
    source="seed 001, line 7615 (step-ca on jast)",
)
@for_each("authority", cases.authority("step-ca"))
def test_the_authority_runs(authority: Trusting, facts: Facts) -> None:
    """The unit of the authority runs, and comes back after a boot."""
    unit = facts.node(authority.node).unit(authority.ca.unit)

    assert unit.active, found(unit.state if unit.loaded else "there is no such unit", expected="active (running)")
    assert unit.enabled == "enabled", found(unit.enabled or "not enabled", expected="enabled")


@check(
    "pki.authority-answers",
    severity="critical",
    kind="active",
    remedy="on {node}: step ca health --ca-url https://CA:9443 --root ROOT",
    consequence="{node} cannot renew any certificate",
    source="seed 001, fact 33",
)
@for_each("node", cases.trusting("authority"))
def test_the_authority_answers_each_node(node: Trusting, facts: Facts) -> None:
    """A node that trusts the root asks the authority for its health, and it says ok."""
    answer = facts.probe(Tls, "authority", source=node.node)

    assert answer.ok, found(str(answer), expected="an answer")
    assert answer.verified, found(
        answer.verify_error or "nothing was verified: the root is empty",
        expected=f"a certificate that {node.ca.root} accepts",
    )
    assert answer.http.get("text", "").replace(" ", "").strip() == '{"status":"ok"}', found(
        f"status {answer.status}: {answer.http.get('text', '')[:80]}", expected="status ok"
    )


@check(
    "pki.anonymous-refused",
    severity="critical",
    kind="active",
    remedy="on {node}: look at the provisioners in ca.json; step ca provisioner list",
    consequence="whoever reaches the authority gets certificates that every node trusts",
    source="seed 001, fact 35 (the other way round)",
)
@for_each("authority", cases.authority("anonymous"))
def test_nobody_renews_without_a_certificate(authority: Trusting, facts: Facts) -> None:
    """A request to renew that shows no certificate is refused."""
    answer = facts.probe(Tls, "authority-anonymous", target=authority.node)
    if not answer.ok or answer.status is None:
        raise Unknown(f"the authority did not answer: {answer}", cause=f"step-ca:{authority.node}")

    assert answer.status in (400, 401, 403), found(f"status {answer.status}", expected="refused with 400, 401 or 403")


@check(
    "pki.issues",
    severity="critical",
    kind="active",
    remedy="on {node}: step ca provisioner list; is the password that of the provisioner?",
    consequence="no certificate can be made anew, such as for a node that was off for too long",
    source="seed 001, fact 35",
)
@for_each("authority", cases.authority("provisioner"))
def test_the_provisioner_issues(authority: Trusting, facts: Facts) -> None:
    """The declared provisioner gets a short certificate with its password."""
    answer = facts.probe(Issue, "issue", target=authority.node)
    if answer.outcome in ("unreachable", "timeout"):
        raise Unknown(f"the authority did not answer: {answer}", cause=f"step-ca:{authority.node}")

    assert answer.certificate, found(
        str(answer), expected=f"a certificate by the provisioner {authority.ca.provisioner}"
    )


@check(
    "pki.longest",
    severity="major",
    kind="active",
    remedy="on {node}: set claims.maxTLSCertDuration in ca.json, of the authority and of its provisioners",
    consequence="certificates live for longer than anybody would notice that they leaked",
    source="seed 001, fact 35 and F29",
)
@for_each("authority", cases.authority("longest"))
def test_a_lifetime_above_the_longest_is_refused(authority: Trusting, facts: Facts) -> None:
    """A certificate that would live for an hour more than the longest lifetime is refused for that reason."""
    answer, longest = facts.probe(Issue, "issue-long", target=authority.node), authority.ca.longest

    assert answer.certificate is None, found(
        f"one that lives for {answer.certificate and answer.certificate.lifetime}", expected=f"refused above {longest}"
    )
    if "duration" not in (answer.error or "").lower():
        raise Unknown(f"it was not refused for its lifetime: {answer}", cause=f"provisioner:{authority.node}")


@check(
    "pki.root",
    severity="critical",
    remedy="on {node}: step ca root ROOT --force --ca-url https://CA:9443 --fingerprint FINGERPRINT",
    consequence="{node} trusts nobody of this bed, or somebody else",
    source="seed 001, facts 34 and 38",
)
@for_each("node", cases.trusting("root"))
def test_each_node_has_the_one_root(node: Trusting, pki: Pki) -> None:
    """The file of the root holds one authority that is valid, and the same on every node."""
    own, reference = pki(node.node), pki(node.ca.node)
    try:
        roots = own.root_certificates
    except ValueError as error:
        raise AssertionError(found(str(error), expected="a certificate")) from None

    assert own.root.form == "pem", found(f"{node.ca.root} is {own.root.form}", expected="a certificate (PEM)")
    assert len(roots) == 1, found(f"{len(roots)} certificates in {node.ca.root}", expected="one")
    assert roots[0].is_ca, found(f"{roots[0]} may not sign others", expected="an authority")
    assert roots[0].starts < datetime.now(UTC) < roots[0].ends, found(str(roots[0]), expected="valid")
    if reference.root.form == "pem":
        wanted = reference.root_certificates[0].fingerprint
        assert roots[0].fingerprint == wanted, found(
            f"fingerprint {roots[0].fingerprint[:16]}…", expected=f"{wanted[:16]}…, as on {node.ca.node}"
        )


@check(
    "pki.root-in-store",
    severity="major",
    remedy="on {node}: cp ROOT /usr/local/share/ca-certificates/ && update-ca-certificates",
    consequence="programs of {node} that are given no authority refuse every service of the bed",
    source="seed 001, fact 34",
)
@for_each("node", cases.trusting("root-store"))
def test_the_root_is_in_the_trust_store(node: Trusting, pki: Pki) -> None:
    """The root is among what the node's programs trust by default."""
    assert pki(node.node).in_bundle, found(f"not in {node.ca.bundle}", expected=f"{node.ca.root} in it")


@check(
    "pki.program",
    severity="critical",
    remedy="on {node}: install step-cli",
    consequence="{node} renews nothing",
    source="seed 001, fact 34",
)
@for_each("node", cases.trusting("step"))
def test_step_is_there(node: Trusting, pki: Pki) -> None:
    """/usr/bin/step is there and may be run."""
    assert pki(node.node).has_program, found("there is no /usr/bin/step, or it may not be run", expected="step-cli")


@check(
    "pki.clock",
    severity="major",
    remedy="on {node}: chronyc makestep; chronyc tracking",
    consequence="new certificates are not yet valid on {node}, or old ones still are",
    source="seed 001, fact 11 and F25",
)
@for_each("node", cases.trusting("clock"))
def test_the_clock_is_right(node: Trusting, facts: Facts, clock_offset: timedelta) -> None:
    """The node's clock agrees with the runner's, as far as a round trip can tell."""
    offset, most = facts.node(node.node).clock_offset, clock_offset.total_seconds()

    assert offset.certain <= most, found(f"off by {offset}", expected=f"{most:g} s at most")
