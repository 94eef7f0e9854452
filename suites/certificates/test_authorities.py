"""Authorities: published under their key, able to sign, and what is published is what signs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from plumbline import x509
from plumbline.bed import Bed
from plumbline.bed.model import Authority
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Tls
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.certificates import cases

Named = Thing[Authority]
_LEFT = timedelta(days=30)


@check(
    "certificates.authority-published",
    severity="critical",
    remedy="publish the certificate of {node} where the bed file says (seed 000: kubectl -n web-agents create "
    "configmap ngfw-ca --from-file=ngfw-ca.crt)",
    consequence="nobody can trust what {node} signs",
    source="seed 000, chapters 5.6 and 8.5",
)
@for_each("authority", cases.authorities("published"))
def test_its_certificate_is_published(authority: Named, facts: Facts) -> None:
    """Under the declared key lies one certificate that can be read."""
    bundle = authority.spec.bundle
    place = f"{'configmap' if bundle.configmap else 'secret'} {bundle.configmap or bundle.secret}, key {bundle.key}"
    pem = facts.kubernetes.bundle(authority.name)

    assert pem, found(f"nothing in {place}", expected=f"the certificate of {authority.name}")
    number = x509.readable(pem)
    assert number == 1, found(f"{number} certificates in {place}", expected="one")


@check(
    "certificates.authority-valid",
    severity="critical",
    remedy="make a new certificate of {node} and publish it; restart whoever trusts it",
    consequence="everything that {node} signed is refused",
    source="RFC 5280, 4.2.1.9 and 6.1",
)
@for_each("authority", cases.authorities("validity"))
def test_it_may_sign_and_is_in_force(authority: Named, bundle: Callable[[str], str]) -> None:
    """What is published is a CA's certificate, in force, with thirty days left."""
    for root in x509.parse(bundle(authority.name)):
        assert root.is_ca, found(f"{root} may not sign others", expected="basicConstraints CA:TRUE")
        assert root.starts <= datetime.now(UTC), found(f"{root}: not valid yet", expected="in force")
        assert root.left() > _LEFT, found(f"{root}: {root.left().days} days left", expected="more than 30 days")


@check(
    "certificates.authority-key",
    severity="critical",
    remedy="restore tls.crt and tls.key of the authority {node} (secret of the ClusterIssuer) from their backup",
    consequence="{node} signs nothing: no certificate of the bed is issued or renewed",
    source="seed 000, chapter 8.5",
)
@for_each("authority", cases.authorities("key"))
def test_it_has_its_key(authority: Named, facts: Facts) -> None:
    """The authority's secret has its certificate, and the key that belongs to it."""
    reference = authority.spec.secret
    assert reference is not None
    secret = facts.kubernetes.secret(reference.namespace, reference.name)
    keys = set(secret.keys) - set(secret.empty) if secret else set()

    assert keys >= {"tls.crt", "tls.key"}, found(
        f"{reference} has {', '.join(sorted(keys)) or 'nothing'}", expected="tls.crt and tls.key"
    )
    assert secret is not None
    assert secret.key_matches, found(f"{reference}: tls.key is of another key", expected="the key of tls.crt")


@check(
    "certificates.issuer-ready",
    severity="critical",
    remedy="kubectl describe clusterissuer; kubectl -n cert-manager logs deploy/cert-manager",
    consequence="no certificate of {node} is issued or renewed",
    source="seed 000, chapter 8.5",
)
@for_each("authority", cases.authorities("issuer"))
def test_its_issuer_is_ready(authority: Named, facts: Facts) -> None:
    """The ClusterIssuer that signs with it is Ready."""
    assert authority.spec.issuer is not None
    state = facts.kubernetes.issuer_ready(authority.spec.issuer)

    assert state is not None, found(f"there is no ClusterIssuer {authority.spec.issuer}", expected="one, Ready")
    assert state[0], found(state[1], expected="Ready")


@check(
    "certificates.authority-signs",
    severity="critical",
    kind="active",
    remedy="publish the certificate of who signs now as {node}, then restart whoever trusts it "
    "(seed 000, chapter 13: kubectl create configmap … --dry-run=client -o yaml | kubectl apply -f -)",
    consequence="whoever trusts the published {node} refuses everything that is signed now",
    source="seed 000, chapters 5.6 and 13",
)
@for_each("authority", cases.authorities(""))
def test_what_is_published_is_what_signs(
    authority: Named, bed: Bed, facts: Facts, bundle: Callable[[str], str]
) -> None:
    """The published certificate is that of the signing key: the secret's, or who signed what the firewall shows."""
    published = x509.parse(bundle(authority.name))
    if authority.spec.secret is not None:
        signing = _of_secret(authority, facts)

        assert signing.fingerprint in {c.fingerprint for c in published}, found(
            f"published: {', '.join(map(str, published))}", expected=str(signing)
        )
    if bed.ngfw is not None and bed.ngfw.authority == authority.name:
        leaf = _of_firewall(bed, facts, x509.parse(bundle(bed.ngfw.verifies)))

        assert leaf is None or any(leaf.signed_by(root) for root in published), found(
            f"published: {', '.join(map(str, published))}; it did not sign what the firewall shows: {leaf}",
            expected="the authority with which the firewall signs",
        )


def _of_secret(authority: Named, facts: Facts) -> x509.Certificate:
    assert authority.spec.secret is not None
    secret = facts.kubernetes.secret(authority.spec.secret.namespace, authority.spec.secret.name)
    chain = secret.chain() if secret else ()
    if not chain:
        raise Unknown(f"{authority.spec.secret} has no certificate", cause=f"authority:{authority.name}/key")
    return chain[0]


def _of_firewall(bed: Bed, facts: Facts, origins: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """What the firewall shows to agents, whatever they trust; None where they are shown the origins' own.

    Unknown, caused by the firewall, where agents are shown nothing. That it does not inspect is for the layer
    inspection to say: it is no fault of what is published.
    """
    shown = [
        answer.leaf
        for source in (flow.from_ for flow in bed.flows if flow.expect == "inspected")
        for answer in facts.probes(Tls, "flow", source=source)
        if answer.leaf is not None
    ]
    if not shown:
        raise Unknown("the firewall shows no certificate to any agent", cause="ngfw:ngfw")
    return next((leaf for leaf in shown if not any(leaf.signed_by(root) for root in origins)), None)
