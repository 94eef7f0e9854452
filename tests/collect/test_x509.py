"""Certificates: what they say, and every reason for which a chain proves nothing."""

from __future__ import annotations

import datetime as dt

import pytest

from plumbline import x509
from tests.collect.certificates import Authority

DAY = dt.timedelta(days=1)
CA, OTHER = Authority("persona-ca"), Authority("other-ca")
GOOD = CA.leaf("one.test")


def chain(pem: str) -> tuple[x509.Certificate, ...]:
    """A chain of one."""
    return x509.parse(pem)


def test_a_certificate_says_what_it_is() -> None:
    (leaf,) = chain(GOOD.certificate)

    assert (leaf.subject, leaf.issuer, leaf.names) == ("one.test", "persona-ca", ("one.test",))
    assert (leaf.key_type, leaf.is_ca, leaf.lifetime) == ("ECDSA-256", False, 90 * DAY + dt.timedelta(hours=1))
    assert 89 * DAY < leaf.left() < 91 * DAY


def test_a_good_chain_has_no_problem() -> None:
    assert x509.verified(chain(GOOD.certificate), CA.certificate, "one.test")


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (CA.leaf("one.test", start=-2 * DAY, end=-DAY).certificate, "expired"),
        (CA.leaf("one.test", start=DAY, end=2 * DAY).certificate, "not valid before"),
        (OTHER.leaf("one.test").certificate, "not signed by persona-ca"),
        (CA.leaf("two.test").certificate, "not for one.test"),
    ],
)
def test_a_bad_chain_has_its_reason(pem: str, says: str) -> None:
    assert says in (x509.problem(chain(pem), CA.certificate, "one.test") or "")


def test_an_authority_of_the_same_name_with_another_key_did_not_sign_it() -> None:
    imposter = Authority("persona-ca")

    assert "not signed by" in (x509.problem(chain(GOOD.certificate), imposter.certificate, "one.test") or "")
    assert not chain(GOOD.certificate)[0].signed_by(x509.one(imposter.certificate))
    assert chain(GOOD.certificate)[0].signed_by(x509.one(CA.certificate))


def test_a_key_belongs_to_one_certificate() -> None:
    (leaf,) = chain(GOOD.certificate)

    assert x509.matches_key(leaf, GOOD.key.encode())
    assert not x509.matches_key(leaf, CA.leaf("one.test").key.encode())
    assert not x509.matches_key(leaf, b"rubbish")


@pytest.mark.parametrize("text", ["", "rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        x509.parse(text)
