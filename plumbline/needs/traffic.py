"""Certificates of the data plane, personas, and the flows to them."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed import Bed
from plumbline.needs.parts import API, Parts


def certificates(bed: Bed) -> Parts:
    issuers = [f"workload:{n}" for n, w in bed.workloads.items() if w.program == "cert-manager"]
    for name, authority in bed.authorities.items():
        subject = f"authority:{name}"
        parts = ["published", "validity", *(["key"] if authority.secret else [])]
        yield subject, [f"{subject}/{part}" for part in parts]
        yield from ((f"{subject}/{part}", [API]) for part in parts)
        yield f"{subject}/validity", [f"{subject}/published"]
        yield f"{subject}/issuer", [f"{subject}/{part}" for part in parts if part != "published"] + issuers
    for name, certificate in bed.certificates.items():
        subject = f"certificate:{name}"
        yield from _certificate(subject, f"authority:{certificate.authority}", str(certificate.secret))
        servers = [f"workload:{n}" for n, w in bed.workloads.items() if w.certificate == name]
        yield from ((f"{subject}/{part}", [subject, *servers]) for part in ("wire", "serial", "file"))


def _certificate(subject: str, authority: str, secret: str) -> Parts:
    """A certificate stands on its parts; only that it renews itself stands on who issues it: an old one stays good."""
    yield subject, [f"{subject}/{part}" for part in ("validity", "signature", "names", "key")]
    for part in ("validity", "names", "key", "lifetime", "key-type"):
        yield f"{subject}/{part}", [f"secret:{secret}"]
    yield from ((f"{subject}/{part}", [f"secret:{secret}", authority]) for part in ("signature", "ca"))
    yield f"secret:{secret}", [API]
    yield f"{subject}/issued", [f"{authority}/issuer"]
    yield f"{subject}/renewal", [f"{subject}/issued", f"{subject}/validity"]


def data_plane(bed: Bed) -> Parts:
    for name, persona in bed.personas.items():
        certificate = bed.workloads[persona.workload].certificate
        served = [f"certificate:{certificate}", f"certificate:{certificate}/wire"] if certificate else []
        attached = bed.workloads[persona.workload].attach
        net1 = [f"{kind}:{persona.workload}" for kind in ("net1", "net1-parent")] if attached else []
        yield f"persona:{name}", [f"workload:{persona.workload}", f"persona-address:{name}", *net1, *served]
        yield f"persona-address:{name}", net1
    if bed.ngfw:
        yield "ngfw:ngfw", [f"node:{bed.ngfw.node}"]
    for flow in bed.flows:
        for source, target in endpoints(bed, flow.from_, flow.to):
            gateways = [
                f"gateway:{n}"
                for n in (network_of(bed, source), network_of(bed, target))
                if n and bed.networks[n].gateway
            ]
            through = [*_inspection(bed)] if bed.ngfw and flow.through == bed.ngfw.node else []
            if source in bed.workloads:
                yield f"flow:{source}>{target}", _second(bed, source)
            yield f"flow:{source}>{target}", [_thing(bed, source), _thing(bed, target), *gateways, *through]
    if bed.services.dns:
        servers = [f"workload:{n}" for n, w in bed.workloads.items() if w.program == "coredns"]
        yield "service:dns", [*servers, f"workload:{bed.services.dns.from_}"]
    if bed.services.prometheus:
        yield "service:prometheus", [f"workload:{bed.services.prometheus.workload}"]


def _inspection(bed: Bed) -> Iterator[str]:
    """What an inspected flow stands on: the firewall, who signs what agents see, and whom the firewall trusts."""
    if bed.ngfw:
        yield "ngfw:ngfw"
        yield from dict.fromkeys(f"authority:{name}" for name in (bed.ngfw.authority, bed.ngfw.verifies))


def endpoints(bed: Bed, source: str, target: str) -> list[tuple[str, str]]:
    """A flow written out: to all personas is to each; between personas is from each to the next, which shows a leak."""
    personas = list(bed.personas)
    if source == target == "personas":
        return list(zip(personas, personas[1:] + personas[:1], strict=True)) if len(personas) > 1 else []
    sources = personas if source == "personas" else [source]
    targets = personas if target == "personas" else [target]
    return [(s, t) for s in sources for t in targets]


def workload_of(bed: Bed, endpoint: str) -> str:
    """The workload whose pods an end of a flow is: itself, or the one of a persona."""
    return bed.personas[endpoint].workload if endpoint in bed.personas else endpoint


def network_of(bed: Bed, endpoint: str) -> str:
    """The network of the data plane that a workload or persona is on; empty where it is on none."""
    if endpoint in bed.personas:
        return bed.personas[endpoint].network
    attach = bed.workloads[endpoint].attach
    return bed.attachments[attach].network if attach else ""


def _second(bed: Bed, workload: str) -> list[str]:
    """What a workload's pods have beside eth0, for whatever goes over it."""
    kinds = ("net1", "net1-route", "net1-path", "net1-frame") if bed.workloads[workload].attach else ()
    return [f"{kind}:{workload}" for kind in kinds]


def _thing(bed: Bed, endpoint: str) -> str:
    return f"persona:{endpoint}" if endpoint in bed.personas else f"workload:{endpoint}"
