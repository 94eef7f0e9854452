"""Whom a target asks over HTTP: personas, a service of the cluster, the servers of Consul or Vault, API servers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from locustfiles.declared import Refused
from plumbline.bed import Bed
from plumbline.bed.model import Target
from plumbline.bed.throughput import CONSUL, VAULT
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
    """Every persona that the target is about, or its service, or servers; none where it asks otherwise than over HTTP.

    Refused where the bed's DNS does not know the service.
    """
    if target.to in (CONSUL, VAULT):
        return list(_servers(bed, target.to))
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


def _servers(bed: Bed, to: str) -> Iterator[Origin]:
    """Their certificates name their addresses."""
    if to == CONSUL:
        consul = bed.consul
        assert consul is not None, "see plumbline.bed.asked"
        assert consul.server.https is not None, "see plumbline.bed.asked"
        nodes, port = consul.servers, consul.server.https.port
    else:
        assert bed.vault is not None, "see plumbline.bed.asked"
        nodes, port = bed.vault.on, bed.vault.port
    for node in nodes:
        address = str(bed.nodes[node].oobi)
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
