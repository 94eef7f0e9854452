"""Certificates of services as they lie in files: presence, form, validity, path and placement are a check each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from plumbline import x509
from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.facts.pki import Pair, PkiFacts
from suites.pki import cases
from suites.pki.cases import Served, Trusting

PairOf = Callable[[Served], Pair]
_FORMS = {
    "missing": "there is no such file",
    "empty": "it is empty",
    "der": "it is DER, not PEM",
    "truncated": "it breaks off",
    "encrypted": "it is protected by a password",
    "key": "there is a private key in it",
    "rubbish": "it is no certificate",
}
_BACKDATE = timedelta(seconds=90)
"""step-ca begins a certificate a minute back, for clocks that are behind."""


@check(
    "pki.file",
    severity="critical",
    remedy="on {node}: systemctl cat cert-renewer@UNIT; step ca certificate, into the declared path",
    consequence="the service does not start, or shows something else",
    source="seed 001, facts 37 and 38",
)
@for_each("served", cases.certificates("tls-file"))
def test_the_files_are_there(served: Served, pair: PairOf) -> None:
    """Certificate and key lie where they are declared, PEM, readable without a password."""
    files, spec = pair(served), served.spec

    assert files.certificate.form == "pem", found(
        f"{spec.certificate}: {_FORMS[files.certificate.form]}", expected="a certificate (PEM)"
    )
    try:
        files.chain  # noqa: B018
    except ValueError as error:
        raise AssertionError(found(f"{spec.certificate}: {error}", expected="a certificate (PEM)")) from None
    assert files.key.form == "pem", found(f"{spec.key}: {_FORMS[files.key.form]}", expected="a key (PEM, no password)")


@check(
    "pki.permissions",
    severity="critical",
    remedy="on {node}: chown OWNER CERTIFICATE KEY; chmod 600 KEY",
    consequence="the service cannot read its key, or others can",
    source="seed 001, fact 37",
)
@for_each("served", cases.certificates("tls-permissions"))
def test_the_key_is_for_its_owner_alone(served: Served, pair: PairOf) -> None:
    """The key is its owner's and nobody else may read it; the certificate is the same owner's."""
    files, owner = pair(served), served.spec.owner
    whose = {files.certificate.owner, files.key.owner} - {""}

    assert whose <= {owner}, found(f"owned by {', '.join(sorted(whose))}", expected=owner)
    assert not files.key.mode & 0o077, found(f"{served.spec.key} is {files.key.mode:04o}", expected="0600")


@check(
    "pki.key",
    severity="critical",
    remedy="on {node}: step ca certificate, with a new key, into both files",
    consequence="the service does not start",
    source="seed 001, fact 37",
)
@for_each("served", cases.certificates("tls-key"))
def test_the_key_belongs_to_it(served: Served, pair: PairOf) -> None:
    """The key belongs to one of the file's certificates."""
    files = pair(served)

    assert files.matches or not files.leaf, found(
        f"{served.spec.key} belongs to none of them", expected="the key of the first"
    )


@check(
    "pki.order",
    severity="critical",
    remedy="on {node}: put the service's own certificate first, then the one that signed it",
    consequence="clients see the authority in the service's place, and refuse it",
    source="seed 001, fact 38",
)
@for_each("served", cases.certificates("tls-order"))
def test_its_own_comes_first(served: Served, pair: PairOf) -> None:
    """The service's own certificate comes first, each next one has signed the one before it."""
    files = pair(served)
    first, *others = files.leaf, *files.chain[1:]

    assert not first.is_ca, found(f"first comes {first}", expected="the service's own certificate")
    for lower, upper in zip(files.chain, others, strict=False):
        assert lower.signed_by(upper), found(f"{upper.subject} did not sign {lower.subject}", expected="its issuer")


@check(
    "pki.valid",
    severity="critical",
    remedy="on {node}: one that has expired is not renewed (S3): step ca certificate, into the same files",
    consequence="clients refuse the service; what has expired is not renewed either",
    source="seed 001, fact 38, F8, F23 and S3",
)
@for_each("served", cases.certificates("tls-validity"))
def test_it_is_valid_now(served: Served, pair: PairOf) -> None:
    """It has begun, and has not ended."""
    leaf, now = pair(served).leaf, datetime.now(UTC)

    assert leaf.starts <= now, found(f"it begins {leaf.starts:%Y-%m-%d %H:%M:%S} UTC", expected="valid now")
    assert leaf.ends > now, found(f"it expired {leaf.ends:%Y-%m-%d %H:%M:%S} UTC", expected="valid now")


@check(
    "pki.chain",
    severity="critical",
    remedy="on {node}: step certificate verify CERTIFICATE --roots ROOT",
    consequence="whoever trusts the root refuses the service",
    source="seed 001, fact 38 and F19",
)
@for_each("served", cases.certificates("tls-chain"))
def test_it_leads_to_the_root(served: Served, pair: PairOf, pki: Callable[[str], PkiFacts]) -> None:
    """Its signatures lead to the root that the node trusts, whatever the dates."""
    files, node = pair(served), pki(served.node)
    roots = x509.parse(node.root_pem) if node.root_pem else ()
    top = (files.leaf, *files.chain[1:])[-1]

    assert any(top.signed_by(root) or top.fingerprint == root.fingerprint for root in roots), found(
        f"{top.subject} is signed by {top.issuer}", expected=f"by {', '.join(r.subject for r in roots) or 'a root'}"
    )


@check(
    "pki.names",
    severity="critical",
    remedy="on {node}: step ca certificate with --san for each of them: a renewal keeps the names that it finds",
    consequence="clients that ask for a missing name refuse the service",
    source="seed 001, fact 38, line 7371 and S14",
)
@for_each("served", cases.certificates("tls-names"))
def test_it_names_all_that_is_asked_for(served: Served, pair: PairOf, bed: Bed) -> None:
    """It is for the node's names and address, and for those that are declared beside."""
    ca, address = bed.step_ca, bed.nodes[served.node].oobi
    assert ca is not None
    wanted = {*ca.names(served.node), *served.spec.names, *([str(address)] if address else [])}
    missing = wanted - set(pair(served).leaf.names)

    assert not missing, found(f"not for {', '.join(sorted(missing))}", expected=f"for {', '.join(sorted(wanted))}")


@check(
    "pki.lifetime",
    severity="major",
    remedy="on {node}: step ca certificate with --not-after: a renewal keeps the lifetime that it finds",
    consequence="it is renewed at another time than the bed file promises",
    source="seed 001, fact 36",
)
@for_each("served", cases.certificates("tls-lifetime"))
def test_it_lives_as_long_as_declared(served: Served, pair: PairOf) -> None:
    """It lives for as long as declared, but for the minute by which it begins earlier."""
    lifetime, declared = pair(served).leaf.lifetime, served.spec.lifetime

    assert timedelta(0) <= lifetime - declared <= _BACKDATE, found(str(lifetime), expected=str(declared))


@check(
    "pki.placement",
    severity="major",
    remedy="on {node}: remove it and its renewer, or declare it",
    consequence="a key lies where nobody looks after it",
    source="seed 001, fact 38 and F52",
)
@for_each("node", cases.trusting("tls-placement"))
def test_no_certificate_lies_elsewhere(node: Trusting, pki: Callable[[str], PkiFacts]) -> None:
    """No certificate lies on a node on which its service does not live."""
    strays = pki(node.node).elsewhere

    assert not strays, found(f"there is one of {', '.join(strays)}", expected="none, as declared")
