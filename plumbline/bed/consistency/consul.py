"""Rules about Consul: how many servers, what their certificates are for, which services which agent tells of."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed.consistency.found import Inconsistency
from plumbline.bed.model import Bed


def consul_quorum(bed: Bed) -> Iterator[Inconsistency]:
    """An even number of servers loses its quorum with as few of them as one less would."""
    if bed.consul and len(bed.consul.servers) % 2 == 0:
        yield Inconsistency(
            "consul-quorum",
            "consul:peers",
            bed.where("consul.servers"),
            "an odd number of servers",
            f"{len(bed.consul.servers)} of them",
            "add a server or take one away",
        )


def consul_twice(bed: Bed) -> Iterator[Inconsistency]:
    """A node has one agent: it is a server or a client."""
    if bed.consul is None:
        return
    for index, node in enumerate(bed.consul.clients):
        if node in bed.consul.servers:
            yield Inconsistency(
                "consul-twice",
                f"consul-agent:{node}",
                bed.where(f"consul.clients.{index}"),
                "a server or a client",
                f"{node} is both",
                f"take {node} out of consul.clients or of consul.servers",
            )


def consul_certificate(bed: Bed) -> Iterator[Inconsistency]:
    """Every server has the certificate that servers show."""
    if bed.consul is None:
        return
    declared = bed.service_certificates[bed.consul.certificate]
    for node in bed.consul.servers:
        if node not in declared.on or bed.step_ca is None or node not in bed.step_ca.on:
            yield Inconsistency(
                "consul-certificate",
                f"consul-api:{node}",
                bed.where(f"service_certificates.{bed.consul.certificate}.on"),
                f"{node} among the nodes of this certificate, and of those that trust the step_ca",
                ", ".join(declared.on),
                f"add {node} to service_certificates.{bed.consul.certificate}.on and to step_ca.on",
            )


def consul_server_name(bed: Bed) -> Iterator[Inconsistency]:
    """The certificate of servers is for server.DATACENTER.consul, by which agents know them."""
    if bed.consul is None:
        return
    wanted, declared = f"server.{bed.consul.datacenter}.consul", bed.service_certificates[bed.consul.certificate]
    if wanted not in declared.names:
        yield Inconsistency(
            "consul-server-name",
            "consul:name-of-servers",
            bed.where(f"service_certificates.{bed.consul.certificate}.names"),
            f"{wanted} among the names",
            ", ".join(declared.names) or "none",
            f"add {wanted} to service_certificates.{bed.consul.certificate}.names",
        )


def consul_service_without_agent(bed: Bed) -> Iterator[Inconsistency]:
    """Who tells of a service is the agent of its own node."""
    for id, node, _ in bed.consul.instances() if bed.consul else ():
        if bed.consul and node not in bed.consul.nodes:
            name = id.removesuffix(f"-{node}")
            yield Inconsistency(
                "consul-service-without-agent",
                f"consul-service:{id}",
                bed.where(f"consul.services.{name}.on"),
                f"an agent on {node}",
                "none",
                f"add {node} to consul.clients, or take it out of consul.services.{name}.on",
            )


def consul_check_unnamed(bed: Bed) -> Iterator[Inconsistency]:
    """A check over verified HTTPS asks for a name that the certificate behind it has (seed 001, S14)."""
    for id, node, service in bed.consul.instances() if bed.consul else ():
        check = service.check
        if check.scheme != "https" or not check.verify or check.host in ("loopback", "oobi"):
            continue
        name, host = id.removesuffix(f"-{node}"), check.host.replace("{node}", node)
        certificates = {n: c for n, c in bed.service_certificates.items() if c.unit == service.unit and node in c.on}
        own = [node, f"{node}.nodes.{bed.step_ca.domain}", f"{node}.{bed.step_ca.domain}"] if bed.step_ca else []
        for certificate, declared in certificates.items():
            if host not in (*own, *declared.names):
                yield Inconsistency(
                    "consul-check-unnamed",
                    f"consul-service:{id}",
                    bed.where(f"consul.services.{name}.check.host"),
                    f"a name of certificate {certificate}: {', '.join((*own, *declared.names))}",
                    host,
                    f"add {host} to service_certificates.{certificate}.names, or ask for another name",
                )


def consul_check_overlapping(bed: Bed) -> Iterator[Inconsistency]:
    """A check ends before the next one begins."""
    for name, service in bed.consul.services.items() if bed.consul else ():
        if service.check.timeout >= service.check.interval:
            yield Inconsistency(
                "consul-check-overlapping",
                f"consul-name:{name}",
                bed.where(f"consul.services.{name}.check"),
                f"a timeout shorter than the interval ({service.check.interval.total_seconds():g} s)",
                f"{service.check.timeout.total_seconds():g} s",
                f"shorten timeout or lengthen interval of consul.services.{name}.check",
            )
