"""Certificates renew themselves: in time, by whom the bed file says, and one of them is seen to have done so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from plumbline import x509
from plumbline.bed import Bed
from plumbline.bed.model import Certificate
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.cluster import Issued
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.certificates import cases

Named = Thing[Certificate]
Leaf = Callable[[Named], x509.Certificate]
_PART = 20
"""A renewal may be late by a twentieth of the lifetime: what takes longer is not a retry but a halt."""
_PATIENCE = timedelta(minutes=2)


def _kept(certificate: Named, facts: Facts) -> Issued:
    """The Certificate of cert-manager that keeps a secret; Unknown, caused by /issued, where there is none."""
    reference = certificate.spec.secret
    found_ = facts.kubernetes.issued(reference.namespace, reference.name)
    if found_ is None:
        raise Unknown(f"no Certificate keeps {reference}", cause=f"certificate:{certificate.name}/issued")
    return found_


@check(
    "certificates.issued",
    severity="critical",
    remedy="kubectl describe certificate of {node} in its namespace; kubectl -n cert-manager logs deploy/cert-manager",
    consequence="{node} is not renewed, or was never issued",
    source="seed 000, chapters 3.2 and 13",
)
@for_each("certificate", cases.certificates("issued"))
def test_it_is_kept_by_its_issuer(certificate: Named, bed: Bed, facts: Facts) -> None:
    """A Certificate keeps the secret, is Ready, and is issued by the issuer of the declared authority."""
    reference, issuer = certificate.spec.secret, bed.authorities[certificate.spec.authority].issuer
    issued = facts.kubernetes.issued(reference.namespace, reference.name)

    assert issued is not None, found(f"no Certificate keeps {reference}", expected=f"one, issued by {issuer}")
    assert issued.ready, found(issued.reason, expected="Ready")
    assert issued.issuer == issuer, found(f"issued by {issued.issuer}", expected=f"issued by {issuer}")


@check(
    "certificates.renewal-plan",
    severity="major",
    remedy="set spec.duration and spec.renewBefore of the Certificate of {node}",
    consequence="{node} is renewed at another time than the bed file promises, or too late",
    source="seed 000, chapter 13",
)
@for_each("certificate", cases.certificates("plan"))
def test_it_is_due_for_renewal_when_declared(certificate: Named, facts: Facts, leaf: Leaf) -> None:
    """The planned renewal lies the declared time before the end, to a minute, and after the beginning."""
    declared, issued = certificate.spec, _kept(certificate, facts)
    if issued.renewal is None:
        raise Unknown(f"{issued.name}: no renewal is planned", cause=f"certificate:{certificate.name}/issued")
    ends = datetime.fromisoformat(issued.raw["status"]["notAfter"])
    planned = ends - datetime.fromisoformat(issued.renewal)

    assert abs(planned - declared.renew_before) <= timedelta(minutes=1), found(
        f"{planned} before its end", expected=f"{declared.renew_before} before its end"
    )
    assert planned < leaf(certificate).lifetime, found(f"{planned} before its end", expected="after its beginning")


@check(
    "certificates.time-left",
    severity="critical",
    remedy="kubectl describe certificate of {node}, and its CertificateRequests: what do they wait for?",
    consequence="{node} was due for renewal and was not renewed: it is going to expire",
    source="seed 000, chapter 13",
)
@for_each("certificate", cases.certificates("renewal"))
def test_it_was_renewed_in_time(certificate: Named, leaf: Leaf) -> None:
    """More time is left than the renewal window, but for a twentieth of the lifetime."""
    left, declared = leaf(certificate).left(), certificate.spec
    least = declared.renew_before - declared.lifetime / _PART

    assert left > least, found(f"{_text(left)} left", expected=f"more than {_text(least)}")


def _text(span: timedelta) -> str:
    return f"{span.days} d {span.seconds // 3600} h {span.seconds // 60 % 60} min" if span > timedelta() else "nothing"


@check(
    "certificates.request-stuck",
    severity="major",
    remedy="kubectl describe certificaterequest of {node}; delete one that failed, and it is made again",
    consequence="{node} is not renewed",
    source="seed 000, chapter 13",
)
@for_each("certificate", cases.certificates("request"))
def test_no_request_for_it_is_stuck(certificate: Named, facts: Facts) -> None:
    """No CertificateRequest for it was denied, has failed, or has waited for more than two minutes."""
    name, namespace = _kept(certificate, facts).name, certificate.spec.secret.namespace
    for request in facts.kubernetes.objects("certificaterequests"):
        metadata = request["metadata"]
        of = metadata["annotations"].get("cert-manager.io/certificate-name")
        if (metadata["namespace"], of) == (namespace, name):
            assert not (why := _stuck(request)), found(f"{metadata['name']}: {why}", expected="issued within 2 minutes")


def _stuck(request: dict[str, Any]) -> str:
    """Why a request does not get on; empty where it does."""
    conditions = {c["type"]: c for c in request["status"]["conditions"]}
    for kind in ("Denied", "InvalidRequest"):
        if conditions.get(kind, {}).get("status") == "True":
            return f"{kind}: {conditions[kind].get('message', '')}"
    ready = conditions.get("Ready", {})
    age = datetime.now(UTC) - datetime.fromisoformat(request["metadata"]["creationTimestamp"])
    if ready.get("status") == "True" or (ready.get("reason") != "Failed" and age < _PATIENCE):
        return ""
    return f"{ready.get('reason', 'nobody took it up')} for {age.seconds} s: {ready.get('message', '')}"


@check(
    "certificates.canary-renewed",
    severity="critical",
    remedy="kubectl describe certificate {node}-tls -A; kubectl -n cert-manager logs deploy/cert-manager",
    consequence="renewal does not work: every certificate of the bed is going to expire",
    source="seed 000, chapter 13",
)
@for_each("certificate", cases.canaries)
def test_the_canary_has_been_renewed(certificate: Named, facts: Facts, leaf: Leaf) -> None:
    """It was issued more than once, the last time no longer ago than its renewal takes, and two minutes."""
    declared, issued, leaf_ = certificate.spec, _kept(certificate, facts), leaf(certificate)
    age, interval = datetime.now(UTC) - leaf_.starts, declared.lifetime - declared.renew_before

    assert issued.revision > 1, found(f"revision {issued.revision}", expected="issued more than once")
    assert age <= interval + _PATIENCE, found(
        f"last issued {age.total_seconds():.0f} s ago", expected=f"every {interval.total_seconds():.0f} s"
    )
