"""The things of a cluster that only this suite is about."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.bed import Bed
from plumbline.bed.model import Absent, Node, SameSecret
from plumbline.check import Case
from plumbline.collect.rights import forbidden as rights_of
from plumbline.needs import namespaces as declared_namespaces
from plumbline.needs import same_secret
from plumbline.subjects import Thing, case

API = "kubernetes:api"
READY_CHECKS = ("ping", "log", "etcd", "etcd-readiness", "informer-sync", "shutdown")
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


@dataclass(frozen=True)
class Trait:
    """Something that a member of the cluster has beside being ready."""

    node: str
    name: str
    spec: Node


def api(bed: Bed) -> list[Case]:
    """The API server, where the bed has one: its address."""
    return [case(bed, API, bed.kubernetes.api, id="api", where="kubernetes.api")] if bed.kubernetes else []


def version(bed: Bed) -> list[Case]:
    """The version that the API server must be of."""
    declared = bed.kubernetes
    return [case(bed, "version:api", declared.version, where="kubernetes.version", also=[API])] if declared else []


def ready_checks(bed: Bed) -> list[Case]:
    """The checks of the API server's own that every one has, by name."""
    if bed.kubernetes is None:
        return []
    return [case(bed, f"readyz:{name}", name, where="kubernetes.api", also=[API]) for name in READY_CHECKS]


def members(bed: Bed) -> list[Case]:
    """The cluster as a set of nodes: their names."""
    names = frozenset(bed.kubernetes_nodes)
    return [case(bed, "cluster:members", names, where="nodes", also=[API])] if bed.kubernetes else []


def pressures(bed: Bed) -> list[Case]:
    """What the kubelet of each node must not complain of: Trait."""
    return [c for condition in PRESSURES for c in traits(bed, "condition", condition)]


def traits(bed: Bed, kind: str, name: str = "") -> list[Case]:
    """One trait of each member of the cluster; what it is known by comes from the kubelet."""
    return [
        case(
            bed,
            f"{kind}:{node}/{name}" if name else f"{kind}:{node}",
            Trait(node, name, spec),
            id=f"{node} {name}".strip(),
            where=f"nodes.{node}",
            also=[f"kubelet:{node}"],
        )
        for node, spec in bed.kubernetes_nodes.items()
    ]


def versions(bed: Bed) -> list[Case]:
    """The version of each node's kubelet: Trait."""
    return traits(bed, "kubelet-version")


def addresses(bed: Bed) -> list[Case]:
    """The address by which each node is known to the cluster: Trait."""
    return traits(bed, "internal-address")


def overlays(bed: Bed) -> list[Case]:
    """The address to which others send the node's pod traffic: Trait."""
    return traits(bed, "overlay")


def pod_ranges(bed: Bed) -> list[Case]:
    """The part of the pod network that each node gives out: Trait."""
    return traits(bed, "pod-range")


def schedulable(bed: Bed) -> list[Case]:
    """Whether each node takes pods: Trait."""
    return traits(bed, "schedulable")


def metrics_servers(bed: Bed) -> list[str]:
    """The workloads that measure what nodes and pods use."""
    return [name for name, workload in bed.workloads.items() if workload.program == "metrics-server"]


def metrics(bed: Bed) -> list[Case]:
    """What metrics-server says of each node: Trait."""
    servers = [f"workload:{name}" for name in metrics_servers(bed)]
    if not servers:
        return []
    return [
        case(
            bed,
            f"node-metrics:{node}",
            Trait(node, "", spec),
            where=f"nodes.{node}",
            also=[f"kubelet:{node}", *servers],
        )
        for node, spec in bed.kubernetes_nodes.items()
    ]


def api_clients(bed: Bed) -> list[Case]:
    """Each member of the cluster as a client of the API server: Trait."""
    return [
        case(bed, f"api-client:{node}", Trait(node, "", spec), where="kubernetes.api", also=[f"node:{node}", API])
        for node, spec in bed.kubernetes_nodes.items()
    ]


def api_paths(bed: Bed) -> list[Case]:
    """The same, as where its questions leave from: Trait."""
    return _of_clients(bed, "api-path")


def api_nameless(bed: Bed) -> list[Case]:
    """The same, as somebody without a name: Trait."""
    return _of_clients(bed, "api-nameless")


def _of_clients(bed: Bed, kind: str) -> list[Case]:
    return [
        case(bed, f"{kind}:{c.value.node}", c.value, where="kubernetes.api", also=[c.subject, *c.needs])
        for c in api_clients(bed)
    ]


def kubelet_ports(bed: Bed) -> list[Case]:
    """The port of each node's kubelet: Trait."""
    return traits(bed, "kubelet-port")


def undeclared_labels(bed: Bed) -> list[Case]:
    """Labels that select nodes somewhere in the bed, on nodes that must not carry them: Trait."""
    keys = dict.fromkeys(key for node in bed.kubernetes_nodes.values() for key in node.labels)
    return [
        case(bed, f"label:{node}/{key}", Trait(node, key, spec), id=f"{node} {key}", where=f"nodes.{node}.labels")
        for node, spec in bed.kubernetes_nodes.items()
        for key in keys
        if key not in spec.labels
    ]


def namespaces(bed: Bed) -> list[Case]:
    """Every namespace that the bed file mentions, by name."""
    found = declared_namespaces(bed).items() if bed.kubernetes else ()
    return [case(bed, f"namespace:{name}", name, where=where) for name, where in found]


def absent(bed: Bed) -> list[Case]:
    """Objects that must not exist: Absent."""
    declared: tuple[Absent, ...] = bed.kubernetes.absent if bed.kubernetes else ()
    return [
        case(
            bed, f"absent:{a.kind}/{a.namespace}/{a.name}", a, id=a.name, where=f"kubernetes.absent.{index}", also=[API]
        )
        for index, a in enumerate(declared)
    ]


def secret_keys(bed: Bed) -> list[Case]:
    """Each key of each secret: Thing[key], named namespace/secret."""
    return [
        case(
            bed,
            f"secret:{secret.namespace}/{name}",
            Thing(f"{secret.namespace}/{name}", key),
            id=f"{name} {key}",
            where=f"secrets.{name}.keys",
        )
        for name, secret in bed.secrets.items()
        for key in secret.keys
    ]


def same_secrets(bed: Bed) -> list[Case]:
    """Values that must be the same wherever they stand: SameSecret."""
    declared: tuple[SameSecret, ...] = bed.same_secret
    return [case(bed, same_secret(group), group, where=f"same_secret.{index}") for index, group in enumerate(declared)]


def bundles(bed: Bed) -> list[Case]:
    """Bundles of authorities that workloads trust: Thing[Authority]."""
    return [
        case(bed, f"bundle:{name}", Thing(name, authority), where=f"authorities.{name}.bundle")
        for name, authority in bed.authorities.items()
        if bed.kubernetes
    ]


def scaled(bed: Bed) -> list[Case]:
    """Workloads that are scaled by their load: Thing[Workload]."""
    return [
        case(bed, f"hpa:{name}", Thing(name, w), where=f"workloads.{name}.hpa", also=[f"controller:{name}"])
        for name, w in bed.workloads.items()
        if w.hpa
    ]


def measured(bed: Bed) -> list[Case]:
    """The same, as what is measured: needs what measures, and the pods."""
    servers = [f"workload:{name}" for name in metrics_servers(bed)]
    return [
        case(
            bed,
            f"load:{name}",
            Thing(name, w),
            where=f"workloads.{name}.hpa",
            also=[f"hpa:{name}", f"workload:{name}", *servers],
        )
        for name, w in bed.workloads.items()
        if w.hpa
    ]


def forbidden(bed: Bed) -> list[Case]:
    """What the gate, which only looks, must not be able to do: Right."""
    rights = rights_of(bed) if bed.kubernetes else ()
    return [case(bed, f"right:{right.name}", right, where="access", also=[API]) for right in rights]
