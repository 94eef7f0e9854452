"""Whom a target asks, and what is shown to them: personas, a service of the cluster, Consul's servers, API servers."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from locustfiles.declared import Refused
from locustfiles.kube import login
from plumbline.bed import Bed
from plumbline.bed.model import Target
from plumbline.bed.throughput import CONSUL, KUBERNETES
from plumbline.collect.access import Access
from plumbline.collect.consul import CREDENTIAL
from plumbline.load.rights import CREDENTIAL as LOAD
from plumbline.remote import dns
from plumbline.remote.types import Probe

_HTTPS = 443
_DNS_S = 3.0


@dataclass(frozen=True)
class Origin:
    """Whom users ask. The name in `url` stands for the address: DNS is not measured."""

    url: str
    name: str
    port: int
    address: str


def origins(bed: Bed, target: Target) -> list[Origin]:
    """Every persona that the target is about, or its service; Refused where the bed's DNS does not know the service."""
    if target.to == CONSUL:
        return list(_of_consul(bed))
    if target.factors:
        return list(_of_kubernetes(bed, target.factors.servers))
    if target.service:
        return [_of_service(bed, target.service)] if target.from_ else list(_from_outside(bed, target.service))
    return [
        Origin(f"https://{persona.name}", persona.name, _HTTPS, str(persona.address))
        for name, persona in bed.personas.items()
        if target.to in (name, "personas")
    ]


def _of_service(bed: Bed, name: str) -> Origin:
    workload, cluster = bed.workloads[name], bed.kubernetes
    if workload.port is None or cluster is None:
        raise Refused(f"{bed.where(f'workloads.{name}')}: a service has a port, and its bed has kubernetes")
    host = bed.host_of(name)
    answer = dns.probe(Probe("service", "dns", {"address": str(cluster.dns), "name": host}, timeout=_DNS_S))
    addresses: list[str] = answer.facts.get("answers", [])
    if not addresses:
        raise Refused(
            f"the bed's DNS, {cluster.dns}, does not know {host}: {answer.error or answer.facts.get('rcode')}"
        )
    return Origin(f"http://{host}:{workload.port}", host, workload.port, addresses[0])


def _from_outside(bed: Bed, name: str) -> Iterator[Origin]:
    """Every node passes on what comes to the port of the service."""
    port = bed.workloads[name].node_port
    if port is None:
        raise Refused(
            f"{bed.where(f'workloads.{name}')}: it has no node_port, and is not reached from outside of the cluster"
        )
    for node in bed.kubernetes_nodes.values():
        yield Origin(f"http://{node.oobi}:{port}", str(node.oobi), port, str(node.oobi))


def _of_consul(bed: Bed) -> Iterator[Origin]:
    """Its servers, whose certificates name their addresses."""
    consul = bed.consul
    if consul is None or consul.server.https is None:
        raise Refused(f"{bed.path} has no Consul whose servers listen for HTTPS")
    for node in consul.servers:
        address, port = str(bed.nodes[node].oobi), consul.server.https.port
        yield Origin(f"https://{address}:{port}", address, port, address)


def _of_kubernetes(bed: Bed, servers: int) -> Iterator[Origin]:
    """The API as it is declared; where several servers are asked, each by its node, all on the same port."""
    if bed.kubernetes is None:
        raise Refused(f"{bed.path} has no Kubernetes")
    api = urlsplit(bed.kubernetes.api)
    nodes = [str(n.oobi) for n in bed.kubernetes_nodes.values() if n.kubernetes == "control-plane"]
    if servers > max(1, len(nodes)):
        raise Refused(f"{servers} API servers are to be asked, and {bed.path} has {len(nodes)} nodes with one")
    for host in nodes[:servers] if servers > 1 else [str(api.hostname)]:
        try:
            address = socket.gethostbyname(host)
        except OSError as error:
            raise Refused(f"the API server {host} has no address: {error.strerror}") from None
        port = api.port or _HTTPS
        yield Origin(f"https://{host}:{port}", host, port, address)


def rights(bed: Bed, target: Target) -> Mapping[str, str]:
    """What is shown to Consul or to the API server, if that is asked. BedUnreachable where a lab's addresses may be somebody else's."""
    if target.from_ is not None:
        return {}
    access = Access.of(bed)
    access.require_inside(bed)
    if target.to == KUBERNETES:
        if LOAD not in access.credentials:
            raise Refused(f"there is no kubeconfig for load: {access.without(LOAD)}")
        return login.shown(access.credentials[LOAD])
    if target.to != CONSUL:
        return {}
    if CREDENTIAL not in access.credentials:
        raise Refused(f"there is no token for Consul: {access.without(CREDENTIAL)}")
    return access.credentials
