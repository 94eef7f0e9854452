"""Shared services of a bed, and what of them can be asked."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.bed import Bed
from plumbline.bed.model import Persona, Workload
from plumbline.check import Case, Cases
from plumbline.subjects import Thing, case


@dataclass(frozen=True)
class Access:
    """The service of a workload, asked from a pod of one node."""

    workload: str
    node: str
    spec: Workload


@dataclass(frozen=True)
class Job:
    """A scrape job of Prometheus, and how many targets it has."""

    name: str
    targets: int


def dns(bed: Bed) -> list[Case]:
    """The cluster's DNS service, as its address: the string of it."""
    declared = bed.services.dns
    return [case(bed, "service:dns", str(declared.server), id="dns", where="services.dns")] if declared else []


def persona_names(bed: Bed) -> list[Case]:
    """The name of each persona: Thing[Persona]."""
    if bed.services.dns is None:
        return []
    found: dict[str, Persona] = {n: p for n, p in bed.personas.items() if p.name.endswith(f".{bed.services.dns.zone}")}
    return [
        case(bed, f"name:{name}", Thing(name, persona), where=f"personas.{name}", also=["service:dns"])
        for name, persona in found.items()
    ]


def served(bed: Bed) -> list[Case]:
    """Workloads that have a service, which are those with a port that others of the cluster ask: Thing[Workload]."""
    return [
        case(bed, f"cluster-ip:{name}", Thing(name, w), where=f"workloads.{name}.port", also=[f"controller:{name}"])
        for name, w in _served(bed).items()
    ]


def service_names(bed: Bed) -> list[Case]:
    """The name of each service in the cluster: Thing[Workload]."""
    if bed.services.dns is None:
        return []
    return [
        case(
            bed,
            f"name:{name}",
            Thing(name, w),
            where=f"workloads.{name}.port",
            also=["service:dns", f"cluster-ip:{name}", f"placement:{name}"],
        )
        for name, w in _served(bed).items()
    ]


def ports(bed: Bed) -> list[Case]:
    """The port of each workload that has a service, on its pod: Thing[Workload]."""
    return [
        case(
            bed,
            f"listening:{name}",
            Thing(name, w),
            where=f"workloads.{name}.port",
            also=[f"workload:{name}", f"cluster-ip:{name}"],
        )
        for name, w in _served(bed).items()
    ]


def accesses(bed: Bed) -> list[Case]:
    """Each service from each member of the cluster: Access."""
    return [
        case(
            bed,
            f"service:{name}/{node}",
            Access(name, node, w),
            id=f"{name} from {node}",
            where=f"workloads.{name}.port",
            also=[f"listening:{name}", f"workload:{name}", f"kubelet:{node}", f"overlay:{node}"],
        )
        for name, w in _served(bed).items()
        for node in bed.kubernetes_nodes
    ]


def of_program(kind: str, *programs: str) -> Cases:
    """Workloads with a service that run one of these programs: Thing[Workload]."""

    def cases(bed: Bed) -> list[Case]:
        return [
            case(
                bed,
                f"{kind}:{name}",
                Thing(name, w),
                where=f"workloads.{name}",
                also=[f"workload:{name}", f"listening:{name}"],
            )
            for name, w in _served(bed).items()
            if w.program in programs
        ]

    return cases


def resolvers(bed: Bed) -> list[Case]:
    """Workloads whose pods have a resolver of the cluster's: Thing[Workload]."""
    return [
        case(bed, f"resolver:{name}", Thing(name, w), where="kubernetes.dns", also=[f"workload:{name}"])
        for name, w in bed.workloads.items()
        if bed.kubernetes and w.kind != "DaemonSet" and w.program != "coredns"
    ]


def node_resolvers(bed: Bed) -> list[Case]:
    """Each member of the cluster, as where pods ask for names: its name."""
    if bed.services.dns is None:
        return []
    return [
        case(
            bed,
            f"names-on:{node}",
            node,
            where="services.dns",
            also=[f"kubelet:{node}", f"overlay:{node}", "service:dns"],
        )
        for node in bed.kubernetes_nodes
    ]


def scraper(bed: Bed) -> list[Case]:
    """Prometheus, as what has targets: the name of its workload."""
    declared = bed.services.prometheus
    if declared is None:
        return []
    also = [f"workload:{declared.workload}", f"listening:{declared.workload}"]
    return [case(bed, "service:prometheus", declared.workload, id="prometheus", where="services.prometheus", also=also)]


def jobs(bed: Bed) -> list[Case]:
    """The scrape jobs: Job. A target is a pod of some workload."""
    declared = bed.services.prometheus
    if declared is None:
        return []
    beneath = ["service:prometheus", *(f"workload:{name}" for name in bed.workloads)]
    if bed.ngfw and bed.ngfw.snmp:  # whose figures an exporter passes on
        beneath.append(f"snmp:{bed.ngfw.node}")
    return [
        case(bed, f"job:{name}", Job(name, n), where="services.prometheus.targets", also=beneath)
        for name, n in declared.targets.items()
    ]


def scraped(bed: Bed) -> list[Case]:
    """Workloads of personas, each of which Prometheus must scrape: Thing[Workload]."""
    if bed.services.prometheus is None:
        return []
    names = dict.fromkeys(p.workload for p in bed.personas.values())
    return [
        case(
            bed,
            f"target:{name}",
            Thing(name, bed.workloads[name]),
            where="services.prometheus.targets",
            also=["service:prometheus", f"workload:{name}"],
        )
        for name in names
    ]


def registered(bed: Bed) -> list[Case]:
    """Workloads that register with a dashboard: Thing[Workload]."""
    boards = {name for name, w in bed.workloads.items() if w.program == "dashboard"}
    return [
        case(bed, f"registered:{name}", Thing(name, w), where=f"workloads.{name}.uses", also=[f"workload:{name}"])
        for name, w in bed.workloads.items()
        if boards & set(w.uses)
    ]


def slots(bed: Bed) -> list[Case]:
    """Personas that serve what the cloner has captured: Thing[Persona]."""
    cloned = bed.services.cloned
    if cloned is None:
        return []
    found = {n: p for n, p in bed.personas.items() if bed.workloads[p.workload].storage}
    flow = next((f for f in bed.flows if f.expect == "inspected"), None)
    return [
        case(
            bed,
            f"cloned:{name}",
            Thing(name, persona),
            where="services.cloned",
            also=[
                f"persona:{name}",
                f"workload:{cloned.workload}",
                f"provider:{cloned.workload}",
                *([f"flow:{flow.from_}>{name}", f"flow:{flow.from_}>{name}/page"] if flow else []),
            ],
        )
        for name, persona in found.items()
    ]


def cloner(bed: Bed) -> list[Case]:
    """The cloner's second network: Thing[Workload]."""
    return _cloner(bed, "provider")


def cloner_names(bed: Bed) -> list[Case]:
    """The cloner, as what asks for names: Thing[Workload]."""
    return _cloner(bed, "cloner-names", "service:dns")


def outside(bed: Bed) -> list[Case]:
    """Single addresses that the cloner reaches over its second network: Thing[Workload] is named ADDRESS."""
    cloned = bed.services.cloned
    attach = bed.workloads[cloned.workload].attach if cloned else None
    if cloned is None or attach is None:
        return []
    routes = [r.network_address for r in bed.attachments[attach].routes if r.prefixlen == 32]
    spec = bed.workloads[cloned.workload]
    return [
        case(
            bed,
            f"outside:{address}",
            Thing(str(address), spec),
            where=f"attachments.{attach}.routes",
            also=[f"provider:{cloned.workload}", f"net1-host:{cloned.workload}", f"workload:{cloned.workload}"],
        )
        for address in routes
    ]


def _cloner(bed: Bed, kind: str, *also: str) -> list[Case]:
    cloned = bed.services.cloned
    if cloned is None or bed.workloads[cloned.workload].attach is None:
        return []
    spec = bed.workloads[cloned.workload]
    network = bed.attachments[spec.attach or ""].network
    under = [f"workload:{cloned.workload}", f"net1-path:{cloned.workload}", f"gateway:{network}", *also]
    return [case(bed, f"{kind}:{cloned.workload}", Thing(cloned.workload, spec), where="services.cloned", also=under)]


def _served(bed: Bed) -> dict[str, Workload]:
    """Workloads with a port on the pod network; those with a net1 and a persona's certificate have it there."""
    data_plane = {p.workload for p in bed.personas.values()}
    origins = {w for w, spec in bed.workloads.items() if spec.program in {"persona", "bad-origin"}}
    return {n: w for n, w in bed.workloads.items() if w.port and n not in data_plane | origins}
