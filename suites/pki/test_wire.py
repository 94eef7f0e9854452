"""What services show on the wire: trusted, and the very certificate that lies in their file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from plumbline import x509
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Tls
from plumbline.facts.pki import Pair
from plumbline.outcome import Unknown
from suites.pki import cases
from suites.pki.cases import Served


def _shown(served: Served, facts: Facts) -> tuple[Tls, x509.Certificate]:
    """What the service shows; Unknown, caused by that, where nobody answers there."""
    answer = facts.probe(Tls, "served", target=served.own)
    if answer.leaf is None:
        raise Unknown(f"no handshake: {answer}", cause=f"tls-served:{served.own}")
    return answer, answer.leaf


@check(
    "pki.served",
    severity="critical",
    kind="active",
    remedy="from another node: openssl s_client -connect {node}:PORT -servername {node} -CAfile ROOT",
    consequence="clients refuse the service, or cannot reach it",
    source="seed 001, facts 38 and 43",
)
@for_each("served", cases.on_the_wire("tls-served"))
def test_what_is_shown_is_trusted(served: Served, facts: Facts) -> None:
    """Another node that trusts the root accepts what the service shows, for the node's name."""
    answer = facts.probe(Tls, "served", target=served.own)

    assert answer.leaf, found(f"no handshake: {answer}", expected=f"{served.name} at port {served.spec.port}")
    assert answer.verified, found(
        f"{answer.verify_error or 'not verified'}: {answer.leaf}", expected="trusted by the root"
    )


@check(
    "pki.serial-served",
    severity="critical",
    kind="active",
    remedy="on {node}: systemctl reload-or-restart the service; did ExecStartPost of its renewer run?",
    consequence="the service goes on showing an old certificate, which is going to expire on the wire",
    source="seed 001, fact 43",
)
@for_each("served", cases.on_the_wire("tls-serial"))
def test_what_is_shown_lies_in_the_file(
    served: Served, facts: Facts, pair: Callable[[Served], Pair], lateness: timedelta
) -> None:
    """The serial number on the wire is that of the file, unless a renewal was under way while both were read."""
    files, (_, leaf) = pair(served), _shown(served, facts)
    lies_for = timedelta(seconds=facts.node(served.node).read_at - files.certificate.written)

    assert leaf.serial == files.leaf.serial or leaf.starts > files.leaf.starts or lies_for < lateness, found(
        f"serial {leaf.serial}, begun {leaf.starts:%H:%M:%S}",
        expected=f"serial {files.leaf.serial}, begun {files.leaf.starts:%H:%M:%S}",
    )
