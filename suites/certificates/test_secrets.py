"""What lies in the secrets that cert-manager keeps: certificates that prove what the bed file says, today."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from plumbline import x509
from plumbline.bed.model import Certificate
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.certificates import cases

Named = Thing[Certificate]
Leaf = Callable[[Named], x509.Certificate]
KEYS = {"tls.crt", "tls.key", "ca.crt"}


@check(
    "certificates.secret-complete",
    severity="critical",
    remedy="kubectl -n {node} delete secret {item}, and cert-manager issues it again",
    consequence="what serves {name} has no certificate, or loses it when it starts again",
    source="seed 000, chapter 8.5",
)
@for_each("certificate", cases.tls_secrets)
def test_the_secret_is_complete(certificate: Named, facts: Facts) -> None:
    """The secret has tls.crt, tls.key and ca.crt, none of them empty, and its certificates can be read."""
    reference = certificate.spec.secret
    secret = facts.kubernetes.secret(reference.namespace, reference.name)
    if secret is None and not _issued(facts, certificate):
        raise Unknown(
            f"secret {reference} is not there: it was never issued", cause=f"certificate:{certificate.name}/issued"
        )
    keys = set(secret.keys) - set(secret.empty) if secret else set()

    assert keys >= KEYS, found(f"{reference} has {_list(keys)}", expected=f"{_list(KEYS)}, none empty")
    assert secret is not None
    assert all(secret.chain(key) for key in ("tls.crt", "ca.crt")), found(
        f"{reference}: tls.crt or ca.crt holds no certificate", expected="a certificate in both"
    )


def _issued(facts: Facts, certificate: Named) -> bool:
    reference = certificate.spec.secret
    issued = facts.kubernetes.issued(reference.namespace, reference.name)
    return issued is not None and issued.ready


def _list(keys: set[str]) -> str:
    return ", ".join(sorted(keys)) or "nothing"


@check(
    "certificates.in-force",
    severity="critical",
    remedy="kubectl delete secret of {node} in its namespace; if it is not issued again: "
    "kubectl -n cert-manager logs deploy/cert-manager",
    consequence="the firewall refuses the origin of {node}; agents see 503",
    source="seed 000, chapter 13; RFC 5280, 4.1.2.5",
)
@for_each("certificate", cases.certificates("validity"))
def test_it_is_in_force(certificate: Named, leaf: Leaf) -> None:
    """The certificate has begun and has not expired."""
    found_, now = leaf(certificate), datetime.now(UTC)

    assert found_.starts <= now, found(f"{found_}: not valid yet", expected=f"valid at {now:%Y-%m-%d %H:%M:%S}")
    assert now < found_.ends, found(
        f"{found_.subject} expired {found_.ends:%Y-%m-%d %H:%M:%S} UTC", expected=f"valid at {now:%Y-%m-%d %H:%M:%S}"
    )


@check(
    "certificates.signature",
    severity="critical",
    remedy="kubectl get certificate -A -o wide | grep {node}; compare issuerRef; delete the secret to have it reissued",
    consequence="the firewall does not trust the origin of {node}",
    source="seed 000, chapter 8.5; RFC 5280, 6.1",
)
@for_each("certificate", cases.certificates("signature"))
def test_its_authority_signed_it(certificate: Named, leaf: Leaf, bundle: Callable[[str], str]) -> None:
    """The key of the declared authority signed the certificate."""
    authority, found_ = certificate.spec.authority, leaf(certificate)
    roots = x509.parse(bundle(authority))

    assert any(found_.signed_by(root) for root in roots), found(
        f"{found_}: that signature is not of {', '.join(map(str, roots))}", expected=f"signed by {authority}"
    )


@check(
    "certificates.names",
    severity="critical",
    remedy="put the names into spec.dnsNames of the Certificate of {node}",
    consequence="whoever asks for the missing name is refused",
    source="seed 000, chapter 8; RFC 6125",
)
@for_each("certificate", cases.certificates("names"))
def test_it_is_for_its_names(certificate: Named, leaf: Leaf) -> None:
    """The certificate is for the declared names and no others."""
    names = leaf(certificate).names

    assert set(names) == set(certificate.spec.names), found(
        f"it is for {', '.join(names) or 'no name'}", expected=", ".join(certificate.spec.names)
    )


@check(
    "certificates.key-matches",
    severity="critical",
    remedy="kubectl delete secret of {node} in its namespace: key and certificate come from different issuances",
    consequence="the server of {node} does not start",
    source="RFC 8446, 4.4.3",
)
@for_each("certificate", cases.certificates("key"))
def test_its_key_belongs_to_it(certificate: Named, facts: Facts, leaf: Leaf) -> None:
    """The private key of the secret belongs to its certificate."""
    reference = certificate.spec.secret
    leaf(certificate)
    secret = facts.kubernetes.secret(reference.namespace, reference.name)

    assert secret is not None
    assert secret.key_matches is True, found(
        f"{reference}: {'tls.key is of another key' if secret.key_matches is False else 'there is no usable tls.key'}",
        expected="tls.key belongs to tls.crt",
    )


@check(
    "certificates.key-type",
    severity="major",
    remedy="set spec.privateKey of the Certificate of {node}, delete its secret",
    consequence="handshakes with {node} cost what the load figures do not foresee",
    source="seed 000, chapter 8",
)
@for_each("certificate", cases.certificates("key-type"))
def test_its_key_is_of_the_declared_type(certificate: Named, leaf: Leaf) -> None:
    """The public key is of the declared type and size."""
    key = leaf(certificate).key_type

    assert key == certificate.spec.key, found(key, expected=certificate.spec.key)


@check(
    "certificates.lifetime",
    severity="major",
    remedy="set spec.duration of the Certificate of {node}",
    consequence="{node} expires at another time than the bed file promises",
    source="seed 000, chapter 13",
)
@for_each("certificate", cases.certificates("lifetime"))
def test_it_lives_as_long_as_declared(certificate: Named, leaf: Leaf) -> None:
    """From its first moment to its last is the declared lifetime, to a minute."""
    lifetime = leaf(certificate).lifetime

    assert abs(lifetime - certificate.spec.lifetime) <= timedelta(minutes=1), found(
        lifetime, expected=certificate.spec.lifetime
    )


@check(
    "certificates.ca-beside-it",
    severity="major",
    remedy="kubectl delete secret of {node} in its namespace: it was issued by an authority that has been replaced",
    consequence="clients that take ca.crt from the secret of {node} trust another authority than the firewall does",
    source="seed 000, chapter 8.5",
)
@for_each("certificate", cases.certificates("ca"))
def test_its_ca_is_the_published_one(certificate: Named, facts: Facts, bundle: Callable[[str], str]) -> None:
    """ca.crt in the secret is the certificate that the authority publishes."""
    reference, authority = certificate.spec.secret, certificate.spec.authority
    secret = facts.kubernetes.secret(reference.namespace, reference.name)
    if secret is None:
        raise Unknown(f"there is no secret {reference}", cause=f"secret:{reference}")
    published = {c.fingerprint for c in x509.parse(bundle(authority))}
    chain = secret.chain("ca.crt")

    assert {c.fingerprint for c in chain} == published, found(
        f"{reference}: ca.crt is {', '.join(map(str, chain)) or 'missing'}", expected=f"what {authority} publishes"
    )
