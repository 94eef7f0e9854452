"""What is served: asked in the persona's own pod, the certificate on the wire, in the file and in the secret is one."""

from __future__ import annotations

from collections.abc import Callable

from plumbline import x509
from plumbline.bed.model import Certificate
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Tls
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.certificates import cases

Named = Thing[Certificate]
Leaf = Callable[[Named], x509.Certificate]
PersonaOf = Callable[[Named], str]


def _served(certificate: Named, facts: Facts, persona_of: PersonaOf) -> tuple[Tls, x509.Certificate]:
    """What the persona shows to its own pod; Unknown, caused by its workload, where nobody answers there."""
    answer = facts.probe(Tls, "own", target=persona_of(certificate))
    if answer.leaf is None:
        raise Unknown(f"no handshake in its own pod: {answer}", cause=f"workload:{answer.source}")
    return answer, answer.leaf


@check(
    "certificates.served",
    severity="critical",
    kind="active",
    remedy="in the pod of {node}: openssl s_client -connect ADDRESS:443 -servername NAME -CAfile ca.crt",
    consequence="the firewall refuses the origin of {node}; agents see 503",
    source="seed 000, chapters 8 and 13",
)
@for_each("certificate", cases.served("wire"))
def test_what_is_served_is_trusted(certificate: Named, facts: Facts, persona_of: PersonaOf) -> None:
    """On the wire, whoever trusts the declared authority accepts the certificate for the persona's name."""
    answer, leaf = _served(certificate, facts, persona_of)

    assert answer.verified is not None, found("no authority is published, so nothing was verified", expected="trusted")
    assert answer.verified, found(f"{answer.verify_error}: {leaf}", expected=f"trusted by {certificate.spec.authority}")


@check(
    "certificates.serial-served",
    severity="critical",
    kind="active",
    remedy="restart the server of {node}: it still serves what it read at its start (Reloader should have done so)",
    consequence="a renewed certificate of {node} is not served, and the old one is going to expire on the wire",
    source="seed 000, chapter 13",
)
@for_each("certificate", cases.served("serial"))
def test_what_is_served_lies_in_the_secret(certificate: Named, facts: Facts, leaf: Leaf, persona_of: PersonaOf) -> None:
    """The serial number on the wire is that of the certificate in the secret."""
    wanted, (_, served) = leaf(certificate), _served(certificate, facts, persona_of)

    assert served.serial == wanted.serial, found(f"serial {served.serial}", expected=f"serial {wanted.serial}")


@check(
    "certificates.file",
    severity="major",
    remedy="wait a minute for the kubelet to write it; kubectl describe pod of {node}: which secret is mounted?",
    consequence="the server of {node} reads another certificate at its next start than the secret holds",
    source="seed 000, chapter 13",
)
@for_each("certificate", cases.served("file"))
def test_the_file_in_the_pod_is_that_of_the_secret(
    certificate: Named, facts: Facts, leaf: Leaf, workload_of: Callable[[Named], str]
) -> None:
    """tls.crt that lies in the pods of the persona's workload is the certificate in the secret."""
    wanted, workload = leaf(certificate), workload_of(certificate)
    pods = [pod for pod in facts.kubernetes.pods(workload) if pod.phase == "Running"]
    if not pods:
        raise Unknown(f"no pod of {workload} is running", cause=f"workload:{workload}")
    for pod in pods:
        chain = facts.pod(pod).chain_named("tls.crt")

        assert chain, found(f"{pod.full_name} has no tls.crt", expected=f"serial {wanted.serial}")
        assert chain[0].serial == wanted.serial, found(
            f"{pod.full_name}: serial {chain[0].serial}", expected=f"serial {wanted.serial}"
        )
