"""What stands on what in a bed: the graph along which twenty red checks fold into one cause."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from plumbline.bed import Bed
from plumbline.bed.model import SameSecret, Workload

Edges = dict[str, tuple[str, ...]]
PROFILE_VALUES = ("swap", "transparent_hugepages", "cpu_governor", "clock_offset")
_API = "kubernetes:api"


def needs(bed: Bed, subject: str) -> tuple[str, ...]:
    """Everything that a subject stands on, directly or through others, nearest first; nothing where it is unknown."""
    edges = graph(bed)
    seen: dict[str, None] = {}
    waiting = list(edges.get(subject, ()))
    while waiting:
        under = waiting.pop(0)
        if under not in seen and under != subject:
            seen[under] = None
            waiting.extend(edges.get(under, ()))
    return tuple(seen)


def graph(bed: Bed) -> Edges:
    """For each subject of the bed, the subjects directly beneath it."""
    return _graph(_Same(bed))


class _Same:
    """A bed as a key; it is compared by identity, since comparing two beds would cost more than the graph."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.bed is self.bed

    def __hash__(self) -> int:
        return id(self.bed)


@lru_cache(maxsize=4)
def _graph(same: _Same) -> Edges:
    bed = same.bed
    edges: dict[str, list[str]] = {}
    for parts in (_nodes(bed), _networks(bed), _kubernetes(bed), _workloads(bed), _certificates(bed), _data_plane(bed)):
        for subject, under in parts:
            edges.setdefault(subject, []).extend(under)
    return {subject: tuple(dict.fromkeys(under)) for subject, under in edges.items()}


Parts = Iterator[tuple[str, list[str]]]


def ports_of(bed: Bed, network: str) -> list[str]:
    """The ports by which nodes are on a VLAN, as subjects."""
    vlan = bed.networks[network].vlan
    return [f"port:{name}/{network}" for name, node in bed.nodes.items() if vlan is not None and vlan in node.trunk]


def _nodes(bed: Bed) -> Parts:
    for name, node in bed.nodes.items():
        yield f"node:{name}", []
        if node.trunk:
            yield f"link:{name}/eth1", [f"node:{name}"]
        for key in node.labels:
            yield f"label:{name}/{key}", [_API]
        if node.kubernetes:
            yield f"kubelet:{name}", [f"node:{name}"]
    for profile in bed.host:
        for name in bed.selected(profile.on):
            for unit in profile.services:
                yield f"unit:{name}/{unit}", [f"node:{name}"]
                yield f"kubelet:{name}", [f"unit:{name}/{unit}"]
            for setting in (*profile.sysctls, *profile.modules, *PROFILE_VALUES):
                yield f"setting:{name}/{setting}", [f"node:{name}"]


def _networks(bed: Bed) -> Parts:
    for name, network in bed.vlans.items():
        yield f"vlan:{name}", []
        for port in ports_of(bed, name):
            node = port.removeprefix("port:").partition("/")[0]
            yield from _port(node, name, network.gateway)
        if network.gateway:
            yield f"gateway:{name}", [f"port:{network.gateway}/{name}", f"address:{network.gateway}/{name}"]
    for name, machine in bed.nodes.items():
        if machine.oobi:
            yield f"oobi:{name}", [f"node:{name}"]


def _port(node: str, name: str, gateway: str | None) -> Parts:
    """From the ground up: the interface, its MTU and address; who claims that; what crosses; how much, in what class."""
    own = f"{node}/{name}"
    yield f"interface:{own}", [f"link:{node}/eth1"]
    yield f"interface-mtu:{own}", [f"interface:{own}"]
    yield f"interface-address:{own}", [f"interface:{own}"]
    yield f"interface-route:{own}", [f"interface-address:{own}"]
    yield f"address:{own}", [f"interface-address:{own}", f"interface-route:{own}"]
    ends = dict.fromkeys([own, *([f"{gateway}/{name}"] if gateway else [])])
    beneath = [
        f"{kind}:{end}" for end in ends for kind in ("interface", "interface-address", "interface-route", "address")
    ]
    yield f"port:{own}", [f"link:{node}/eth1", f"vlan:{name}", *beneath]
    yield f"frame:{own}", [f"port:{own}", *(f"interface-mtu:{end}" for end in ends)]
    yield f"class:{own}", [f"port:{own}"]


def _kubernetes(bed: Bed) -> Parts:
    control = [f"node:{n}" for n, node in bed.kubernetes_nodes.items() if node.kubernetes == "control-plane"]
    if bed.kubernetes:
        yield _API, control
    for namespace in namespaces(bed):
        yield f"namespace:{namespace}", [_API]
    for name, secret in bed.secrets.items():
        yield f"secret:{secret.namespace}/{name}", [_API, f"namespace:{secret.namespace}"]
    for group in bed.same_secret:
        yield same_secret(group), [f"secret:{bed.secrets[n].namespace}/{n}" for n in secrets_of(group)]
    for name, storage in bed.storage.items():
        server = [f"workload:{storage.nfs.server}"] if storage.nfs else []
        yield f"storage:{name}", [_API, f"namespace:{storage.namespace}", *server]


def _workloads(bed: Bed) -> Parts:
    for name, workload in bed.workloads.items():
        yield f"workload:{name}", [_API, f"placement:{name}", *_beneath(bed, workload)]
        yield from _placement(bed, name, workload)
        if workload.attach:
            yield from _net1(bed, name, workload.attach)
    for name, attachment in bed.attachments.items():
        nodes = {n for w in bed.workloads.values() if w.attach == name for n in bed.selected(w.on)}
        ports = [p for p in ports_of(bed, attachment.network) if p.removeprefix("port:").partition("/")[0] in nodes]
        under = f"namespace:{attachment.namespace}"
        yield f"attachment:{name}", [f"vlan:{attachment.network}", *ports, *([under] if bed.kubernetes else [])]


def _net1(bed: Bed, name: str, attachment: str) -> Parts:
    """From the ground up: net1 of a workload's pods, what crosses it, how much, in what class."""
    network = bed.attachments[attachment].network
    gateway = bed.networks[network].gateway
    homes = bed.selected(bed.workloads[name].on)
    nodes = [*homes, *([gateway] if gateway else [])]
    yield f"net1:{name}", [f"interface:{home}/{network}" for home in homes]
    yield f"net1-route:{name}", [f"net1:{name}"]  # an interface that is down has no routes
    yield f"net1-path:{name}", [f"net1:{name}", f"attachment:{attachment}", *(f"port:{n}/{network}" for n in nodes)]
    yield f"net1-frame:{name}", [f"net1-path:{name}", *(f"frame:{n}/{network}" for n in nodes)]
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
    yield f"controller:{name}", [_API, f"namespace:{workload.namespace}"]
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


def _certificates(bed: Bed) -> Parts:
    issuers = [f"workload:{n}" for n, w in bed.workloads.items() if w.program == "cert-manager"]
    for name, authority in bed.authorities.items():
        subject = f"authority:{name}"
        parts = ["published", "validity", *(["key"] if authority.secret else [])]
        yield subject, [f"{subject}/{part}" for part in parts]
        yield from ((f"{subject}/{part}", [_API]) for part in parts)
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
    for part in ("validity", "names", "key", "lifetime", "key-type", "ca"):
        yield f"{subject}/{part}", [f"secret:{secret}"]
    yield f"{subject}/signature", [f"secret:{secret}", authority]
    yield f"secret:{secret}", [_API]
    yield f"{subject}/issued", [f"{authority}/issuer"]
    yield f"{subject}/renewal", [f"{subject}/issued", f"{subject}/validity"]


def _data_plane(bed: Bed) -> Parts:
    for name, persona in bed.personas.items():
        certificate = bed.workloads[persona.workload].certificate
        served = [f"certificate:{certificate}", f"certificate:{certificate}/wire"] if certificate else []
        net1 = [f"net1:{persona.workload}"] if bed.workloads[persona.workload].attach else []
        yield f"persona:{name}", [f"workload:{persona.workload}", *net1, *served]
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
