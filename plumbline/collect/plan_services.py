"""Probes of shared services: API server, kubelets, DNS, workloads' ports and services, Prometheus, SNMP, NFS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from plumbline.collect.planned import Planned, World, of_pod
from plumbline.facts.cluster import Pod

_GREETINGS: dict[str, dict[str, Any]] = {
    # a request for TLS (PostgreSQL's frontend protocol); S or N answers it
    "postgres": {"send": "\x00\x00\x00\x08\x04\xd2\x16\x2f", "read": 1},
    "pgbouncer": {"send": "\x00\x00\x00\x08\x04\xd2\x16\x2f", "read": 1},
    # ONC RPC: a call of NFS version 4's null procedure, in one fragment; its reply repeats the number
    "nfs-server": {
        "send": "\x80\x00\x00\x28"
        + "plum"
        + "\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x86\xa3\x00\x00\x00\x04"
        + "\x00" * 20,
        "read": 28,
    },
}
_KUBELET = 10250


def probes(world: World) -> Iterator[Planned]:
    """All of them."""
    yield from _api(world)
    yield from _dns(world)
    yield from _workloads(world)
    yield from _prometheus(world)
    yield from _snmp(world)


def _api(world: World) -> Iterator[Planned]:
    """Every member reaches the API server and is refused without credentials; so is whoever asks a kubelet."""
    if world.bed.kubernetes is None:
        return
    api = urlsplit(world.bed.kubernetes.api)
    anonymous = {"address": api.hostname, "port": api.port or 6443, "http": {"path": "/api/v1/secrets"}}
    for name, node in world.bed.kubernetes_nodes.items():
        if not world.reachable(name):
            continue
        yield Planned("tcp", "api", name, name, "api", {"address": api.hostname, "port": api.port or 6443}, 2.0)
        yield Planned("tls", "api-anonymous", name, name, "api", anonymous, 4.0)
        if node.oobi:
            kubelet = {"address": str(node.oobi), "port": _KUBELET, "http": {"path": "/pods"}}
            yield Planned("tls", "kubelet-anonymous", name, name, name, kubelet, 4.0)


def _dns(world: World) -> Iterator[Planned]:
    """Names of personas and of the cluster, as a pod asks for them, and one that must not exist."""
    dns = world.bed.services.dns
    if dns is None:
        return
    domain = world.bed.kubernetes.domain if world.bed.kubernetes else "cluster.local"
    names = {f"kubernetes.default.svc.{domain}": "kubernetes", f"no-such-name.{dns.zone}": "nothing"}
    names |= {
        f"{service.name}.{workload.namespace}.svc.{domain}": name
        for name, workload in world.bed.workloads.items()
        if workload.port
        for pod in world.pods(name)[:1]
        if (service := service_of(world, pod, workload.port)) is not None
    }
    names |= {p.name: n for n, p in world.bed.personas.items() if p.name.endswith(f".{dns.zone}")}
    for pod in world.probing(dns.from_)[:1]:
        for name, target in names.items():
            yield of_pod(pod, "dns", "dns", target, {"address": str(dns.server), "name": name}, 3.0)
    for node, pod in anywhere(world).items():
        args = {"address": str(dns.server), "name": f"kubernetes.default.svc.{domain}"}
        yield Planned("dns", "dns-node", node, node, "kubernetes", args, 3.0, pod.full_name, pod.uid)


def anywhere(world: World) -> dict[str, Pod]:
    """One running pod of each member of the cluster, with a network of its own: services are for pods."""
    found: dict[str, Pod] = {}
    for workload in world.bed.workloads:
        for pod in world.probing(workload):
            if pod.address and not pod.raw["spec"].get("hostNetwork"):
                found.setdefault(pod.node, pod)
    return found


def _workloads(world: World) -> Iterator[Planned]:
    """The port of each workload that has a service: on its pod, and on the service from a pod of each node."""
    clients = anywhere(world)
    for name, workload in world.bed.workloads.items():
        if workload.port is None:
            continue
        greeting = _GREETINGS.get(workload.program, {})
        for pod in world.pods(name)[:1]:
            service = service_of(world, pod, workload.port)
            if service is None:
                continue
            if pod.address and world.reachable(pod.node):
                args = {"address": pod.address, "port": service.target_port, **greeting}
                yield Planned("tcp", "port", pod.node, pod.node, name, args, 2.0)
            for node, client in clients.items():
                args = {"address": service.address, "port": workload.port, **greeting}
                yield Planned("tcp", "service", node, node, name, args, 2.0, client.full_name, client.uid)


@dataclass(frozen=True)
class Service:
    """A service's name and address, and the port on which its pods listen."""

    name: str
    address: str
    target_port: int


def service_of(world: World, pod: Pod, port: int) -> Service | None:
    """The service that leads to a pod on this port."""
    labels = pod.raw["metadata"].get("labels") or {}
    for found in world.services:
        spec, selector = found["spec"], found["spec"].get("selector")
        if found["metadata"]["namespace"] != pod.namespace or not selector or not selector.items() <= labels.items():
            continue
        for entry in spec.get("ports", ()):
            tcp = entry.get("protocol", "TCP") == "TCP"
            if entry["port"] == port and tcp and spec.get("clusterIP", "None") != "None":
                return Service(
                    found["metadata"]["name"], spec["clusterIP"], _number(pod, entry.get("targetPort", port))
                )
    return None


def _number(pod: Pod, port: int | str) -> int:
    """The number of a port that may be given by the name that a container has for it."""
    if isinstance(port, int):
        return port
    ports = [p for c in pod.raw["spec"].get("containers", ()) for p in c.get("ports", ())]
    return next((int(p["containerPort"]) for p in ports if p.get("name") == port), 0)


def _prometheus(world: World) -> Iterator[Planned]:
    declared = world.bed.services.prometheus
    if declared is None:
        return
    port = world.bed.workloads[declared.workload].port or 9090
    for pod in world.probing(declared.workload)[:1]:
        args = {
            "address": pod.address,
            "port": port,
            "path": "/api/v1/targets?state=active",
            "text": True,
            "largest": 4 << 20,
        }
        yield Planned("http", "prometheus", pod.node, pod.node, declared.workload, args, 4.0)


def _snmp(world: World) -> Iterator[Planned]:
    """The NGFW answers the right community and no other, from the pod or node that sits in its management VLAN."""
    ngfw = world.bed.ngfw
    if ngfw is None or ngfw.snmp is None:
        return
    network = world.bed.networks[ngfw.snmp.network]
    address = network.addresses.get(ngfw.node)
    if address is None:
        return
    attachments = {n for n, a in world.bed.attachments.items() if a.network == ngfw.snmp.network}
    pods = [p for n, w in world.bed.workloads.items() if w.attach in attachments for p in world.probing(n)]
    nodes = [n for n in network.addresses if n != ngfw.node and world.reachable(n)]
    asked = (("snmp", world.community, 2.5), ("snmp-wrong", "plumbline-no-such-community", 1.2))
    for purpose, community, timeout in asked:
        args = {"address": str(address), "community": community}
        if not community:
            continue
        if pods:
            yield of_pod(pods[0], "snmp", purpose, ngfw.node, args, timeout)
        elif nodes:
            yield Planned("snmp", purpose, nodes[0], nodes[0], ngfw.node, args, timeout)
