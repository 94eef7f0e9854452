"""The cluster: its namespaces and secrets, and what stands beneath a workload."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed import Bed
from plumbline.bed.model import SameSecret, Workload
from plumbline.needs.network import ports_of
from plumbline.needs.parts import API, Parts


def kubernetes(bed: Bed) -> Parts:
    control = [f"node:{n}" for n, node in bed.kubernetes_nodes.items() if node.kubernetes == "control-plane"]
    if bed.kubernetes:
        yield API, control
    for namespace in namespaces(bed):
        yield f"namespace:{namespace}", [API]
    for name, secret in bed.secrets.items():
        yield f"secret:{secret.namespace}/{name}", [API, f"namespace:{secret.namespace}"]
    for group in bed.same_secret:
        yield same_secret(group), [f"secret:{bed.secrets[n].namespace}/{n}" for n in secrets_of(group)]
    for name, storage in bed.storage.items():
        server = [f"workload:{storage.nfs.server}"] if storage.nfs else []
        yield f"storage:{name}", [API, f"namespace:{storage.namespace}", *server]


def workloads(bed: Bed) -> Parts:
    for name, workload in bed.workloads.items():
        yield f"workload:{name}", [API, f"placement:{name}", *_beneath(bed, workload)]
        yield from _placement(bed, name, workload)
        if workload.attach:
            yield from _net1(bed, name, workload.attach)
    for name, attachment in bed.attachments.items():
        nodes = {n for w in bed.workloads.values() if w.attach == name for n in bed.selected(w.on)}
        ports = [p for p in ports_of(bed, attachment.network) if p.removeprefix("port:").partition("/")[0] in nodes]
        under = f"namespace:{attachment.namespace}"
        yield f"attachment:{name}", [f"vlan:{attachment.network}", *ports, *([under] if bed.kubernetes else [])]


def _net1(bed: Bed, name: str, attachment: str) -> Parts:
    """From the ground up: net1 of a workload's pods, what is told of it, what crosses it, how much, in what class."""
    network = bed.attachments[attachment].network
    gateway = bed.networks[network].gateway
    homes = bed.selected(bed.workloads[name].on)
    nodes = [*homes, *([gateway] if gateway else [])]
    yield f"net1:{name}", [f"interface:{home}/{network}" for home in homes]
    yield f"net1-route:{name}", [f"net1:{name}"]  # an interface that is down has no routes
    yield from ((f"net1-{part}:{name}", [f"net1:{name}"]) for part in ("parent", "mtu"))
    yield from ((f"net1-{told}:{name}", [f"net1-status:{name}"]) for told in ("address", "mac"))
    ports = [f"port:{n}/{network}" for n in nodes]
    yield f"net1-path:{name}", [f"net1:{name}", f"net1-parent:{name}", f"attachment:{attachment}", *ports]
    yield f"net1-frame:{name}", [f"net1-path:{name}", f"net1-mtu:{name}", *(f"frame:{n}/{network}" for n in nodes)]
    yield f"net1-class:{name}", [f"net1-path:{name}", *(f"class:{n}/{network}" for n in nodes)]


def _beneath(bed: Bed, workload: Workload) -> Iterator[str]:
    if workload.on:
        nodes = bed.selected(workload.on)
        yield from (f"label:{node}/{key}" for node in nodes for key in workload.on)
        yield from (f"kubelet:{node}" for node in nodes)
    if workload.attach:
        yield f"attachment:{workload.attach}"
    yield from (f"secret:{workload.namespace}/{secret}" for secret in workload.secrets)
    yield from (same_secret(g) for g in bed.same_secret if not secrets_of(g).isdisjoint(workload.secrets))
    yield from (f"workload:{used}" for used in workload.uses)
    if workload.uses:  # they are found by name
        yield from (f"workload:{n}" for n, w in bed.workloads.items() if w.program == "coredns")
    if workload.certificate:
        yield f"certificate:{workload.certificate}"
    if workload.storage:
        yield f"storage:{workload.storage}"


def _placement(bed: Bed, name: str, workload: Workload) -> Parts:
    """What must be right before a pod can be: its controller, whom that selects, how many it wants, where they are."""
    labels = [f"label:{node}/{key}" for node in bed.selected(workload.on) for key in workload.on]
    kubelets = [f"kubelet:{node}" for node in bed.selected(workload.on)]
    counted = [*labels, *kubelets] if workload.kind == "DaemonSet" else []  # its nodes are its number
    yield f"controller:{name}", [API, f"namespace:{workload.namespace}"]
    yield f"selector:{name}", [f"controller:{name}"]
    yield f"replicas:{name}", [f"selector:{name}", *counted]
    if workload.kind == "DaemonSet":
        for node in bed.selected(workload.on):
            yield f"daemon:{name}/{node}", [f"placement:{name}", f"kubelet:{node}"]
            yield f"workload:{name}", [f"daemon:{name}/{node}"]
    yield f"placement:{name}", [f"replicas:{name}", *labels, *kubelets]


def namespaces(bed: Bed) -> dict[str, str]:
    """Every namespace that the bed file mentions, with the place of its first mention."""
    found: dict[str, str] = {}
    for section in ("workloads", "attachments", "secrets", "storage"):
        for name, thing in getattr(bed, section).items():
            found.setdefault(thing.namespace, f"{section}.{name}.namespace")
    return found


def same_secret(group: SameSecret) -> str:
    """The subject of values that must be the same, named after the first of them."""
    return f"same-secret:{group.values[0]}"


def secrets_of(group: SameSecret) -> frozenset[str]:
    """The secrets in which these values stand."""
    return frozenset(value.partition("/")[0] for value in group.values)
