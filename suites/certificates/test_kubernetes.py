"""Kubernetes' own certificates, on the wire: signed by the cluster's authority, for the right names, with time left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from plumbline import x509
from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Tls
from plumbline.outcome import Unknown
from suites.certificates import cases

_LEFT = timedelta(days=30)


@check(
    "certificates.api-server",
    severity="critical",
    kind="active",
    remedy="on the control plane: kubeadm certs renew apiserver (k3s: systemctl restart k3s), then compare its names",
    consequence="{item} and all its pods refuse the API server, or are going to",
    source="seed 000, chapter 13 (x509: certificate); kubernetes.io, PKI certificates and requirements",
)
@for_each("node", cases.control_planes)
def test_the_api_server_proves_its_name(node: str, bed: Bed, facts: Facts, cluster_ca: Callable[[], str]) -> None:
    """Seen from this node, the API server is signed by the cluster's authority for its address, with 30 days left."""
    assert bed.kubernetes is not None
    host = urlsplit(bed.kubernetes.api).hostname or ""

    _proves(facts.probe(Tls, "api-anonymous", node=node), host, cluster_ca(), "kubernetes:api")


@check(
    "certificates.api-server-names",
    severity="critical",
    kind="active",
    remedy="on the control plane: make its certificate anew with --apiserver-cert-extra-sans",
    consequence="pods on {item}, which ask for the service of the API server, refuse it",
    source="kubernetes.io, PKI certificates and requirements",
)
@for_each("node", cases.control_plane_names)
def test_the_api_server_has_the_service_s_names(node: str, bed: Bed, facts: Facts) -> None:
    """Its certificate is for the names and the address of the service `kubernetes`, by which pods ask for it."""
    assert bed.kubernetes is not None
    answer, first = facts.probe(Tls, "api-anonymous", node=node), next(bed.kubernetes.services.hosts())
    if answer.leaf is None:
        raise Unknown(f"no handshake with the API server: {answer}", cause="kubernetes:api")
    wanted = {"kubernetes", "kubernetes.default", f"kubernetes.default.svc.{bed.kubernetes.domain}", str(first)}
    missing = sorted(wanted - set(answer.leaf.names))

    assert not missing, found(f"it is not for {', '.join(missing)}", expected=", ".join(sorted(wanted)))


@check(
    "certificates.kubelet",
    severity="major",
    kind="active",
    remedy="on {node}: systemctl restart kubelet; kubectl get csr; approve its serving certificate",
    consequence="kubectl logs and exec, and metrics of {node}, are refused or not verified",
    source="kubernetes.io, PKI certificates and requirements",
)
@for_each("node", cases.kubelets)
def test_the_kubelet_proves_its_name(node: str, bed: Bed, facts: Facts, cluster_ca: Callable[[], str]) -> None:
    """The kubelet is signed by the cluster's authority for its node's address, with 30 days left."""
    answer, address = facts.probe(Tls, "kubelet-anonymous", target=node), bed.nodes[node].oobi

    _proves(answer, str(address), cluster_ca(), f"kubelet:{node}")


def _proves(answer: Tls, host: str, authority: str, cause: str) -> None:
    """Fails unless the chain proves `host` to who trusts `authority` (PEM), today and in 30 days."""
    if answer.leaf is None:
        raise Unknown(f"no handshake: {answer}", cause=cause)
    # cryptography's verifier asks of a root what Kubernetes' tools do not put into theirs, so each part is asked alone
    left, leaf = answer.leaf.left(), answer.leaf
    assert any(leaf.signed_by(root) for root in x509.parse(authority)), found(
        leaf, expected="signed by the cluster's authority"
    )
    assert str(ip_address(host)) in leaf.names, found(f"it is for {', '.join(leaf.names)}", expected=host)
    assert left > _LEFT, found(f"{left.days} days left: {leaf}", expected="more than 30 days")
