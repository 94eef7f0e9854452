"""Rules about certificates that renew themselves: those of services, and those of SSH."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from plumbline.bed.consistency.found import Inconsistency
from plumbline.bed.model import Bed
from plumbline.bed.pki import Renewal


def renewing(bed: Bed) -> Iterator[tuple[str, str, timedelta, Renewal]]:
    """Whatever renews itself: subject, place, lifetime, and when."""
    for name, spec in bed.service_certificates.items():
        yield f"service-certificate:{name}", f"service_certificates.{name}", spec.lifetime, spec.renewal
    if bed.ssh_certificates:
        ssh = bed.ssh_certificates
        yield "ssh:certificates", "ssh_certificates", ssh.lifetime, ssh.renewal


def renewal_slack(bed: Bed) -> Iterator[Inconsistency]:
    """What is left when a renewal is due must be more than the longest gap between two looks (seed 001, fact 44)."""
    for subject, place, lifetime, renewal in renewing(bed):
        slack = renewal.slack(lifetime)
        if slack <= renewal.gap:
            yield Inconsistency(
                "renewal-slack", subject, bed.where(f"{place}.renewal"), f"more than {renewal.gap} left when it is due",
                f"{slack} of {lifetime} are left after {renewal.elapsed} %",
                "a longer lifetime, a smaller `elapsed`, or a timer that looks more often",
            )  # fmt: skip


def lifetime_too_long(bed: Bed) -> Iterator[Inconsistency]:
    """The authority refuses what is to live for longer than its longest lifetime (seed 001, F29)."""
    for name, spec in bed.service_certificates.items():
        if bed.step_ca and spec.lifetime > bed.step_ca.longest:
            yield Inconsistency(
                "lifetime-too-long", f"service-certificate:{name}", bed.where(f"service_certificates.{name}.lifetime"),
                f"at most {bed.step_ca.longest}", str(spec.lifetime), "shorten it, or raise step_ca.longest",
            )  # fmt: skip


def renewal_without_authority(bed: Bed) -> Iterator[Inconsistency]:
    """What is renewed on a node needs an authority that the node trusts (seed 001, facts 34 and 41)."""
    trusting = bed.step_ca.on if bed.step_ca else ()
    on = {f"service_certificates.{n}": (f"service-certificate:{n}", c.on) for n, c in bed.service_certificates.items()}
    if bed.ssh_certificates:
        on["ssh_certificates"] = ("ssh:certificates", bed.ssh_certificates.on)
    for place, (subject, nodes) in on.items():
        strangers = [node for node in nodes if node not in trusting]
        if strangers:
            yield Inconsistency(
                "renewal-without-authority", subject, bed.where(f"{place}.on"), "nodes of step_ca.on",
                f"{', '.join(strangers)} trust no authority", "name them in step_ca.on as well",
            )  # fmt: skip


def certificate_in_one_place(bed: Bed) -> Iterator[Inconsistency]:
    """Two certificates of one node cannot lie in one file: each renewal would undo the other."""
    seen: dict[tuple[str, str], str] = {}
    for name, spec in bed.service_certificates.items():
        for node in spec.on:
            for path in (spec.certificate, spec.key):
                other = seen.setdefault((node, path), name)
                if other != name or spec.certificate == spec.key:
                    yield Inconsistency(
                        "certificate-in-one-place", f"service-certificate:{name}",
                        bed.where(f"service_certificates.{name}"), "a file of its own",
                        f"{path} of {node} is that of {other} too" if other != name else f"{path} is the key's as well",
                        "give each certificate and each key a path of its own",
                    )  # fmt: skip
