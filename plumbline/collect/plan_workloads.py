"""Probes of what single workloads do: dashboard, databases, NFS, cloned sites. Each asks what its client would ask."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from plumbline.collect.plan_network import interface
from plumbline.collect.plan_services import Service, anywhere, service_of
from plumbline.collect.planned import Planned, World, of_pod
from plumbline.facts.cluster import Pod

_HEALTH = {"dashboard": "/healthz", "prometheus": "/-/ready", "snmp-exporter": "/metrics"}
_WRONG = "plumbline-no-such-value"
_LOGINS = ("postgres", "pgbouncer")
_UPGRADE = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""PostgreSQL's SSLRequest: a server that wants TLS says no to whoever does not ask for it, whatever the password."""
_AGENTS = "/api/agents"


def probes(world: World) -> Iterator[Planned]:
    """All of them."""
    clients = list(anywhere(world).values())
    for name, workload in world.bed.workloads.items():
        for pod in world.pods(name)[:1]:
            service = service_of(world, pod, workload.port) if workload.port else None
            if service is not None and clients:
                yield from _service(world, name, workload.program, service, clients[0])
    yield from _nfs(world)
    yield from _cloned(world)
    yield from _resolver(world)


def _service(world: World, name: str, program: str, service: Service, client: Pod) -> Iterator[Planned]:
    port = world.bed.workloads[name].port
    args: dict[str, Any] = {"address": service.address, "port": port}

    def planned(kind: str, purpose: str, **more: Any) -> Planned:
        asked = {**args, **more}
        return Planned(kind, purpose, client.node, client.node, name, asked, 4.0, client.full_name, client.uid)

    if program in _HEALTH:
        yield planned("http", "health", path=_HEALTH[program], text=True, largest=4096)
    if program in _LOGINS and world.database_user:
        yield planned("tcp", "login", upgrade=_UPGRADE, send=_startup(world.database_user), read=9)
    if program == "dashboard":
        yield planned("http", "agents-anonymous", path=_AGENTS)
        yield planned("http", "agents-wrong", path=_AGENTS, headers=_basic(f"admin:{_WRONG}"))
        refused = {"Authorization": f"Bearer {_WRONG}", "Content-Length": "0"}
        yield planned("http", "register-wrong", path=_AGENTS, method="POST", headers=refused)
        if world.administrator:
            yield planned(
                "http", "agents", path=_AGENTS, headers=_basic(world.administrator), text=True, largest=1 << 20
            )


def _startup(user: str) -> str:
    """The first packet of PostgreSQL's protocol, version 3.0, of the database's owner, who shows no password.

    Of nobody else: whom the database does not know it refuses, whether it asks for passwords or not.
    """
    text = f"user\0{user}\0database\0{user}\0\0"
    return (len(text) + 8).to_bytes(4, "big").decode("latin-1") + "\x00\x03\x00\x00" + text


def _basic(credentials: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


def _nfs(world: World) -> Iterator[Planned]:
    """The port of NFS on net1 of all that use an export, asked from the gateway of their VLAN.

    With frames made by hand: a gateway that is a firewall would keep the answer from its own programs.
    """
    for name, workload in world.bed.workloads.items():
        nfs = world.bed.storage[workload.storage].nfs if workload.storage else None
        network = world.bed.attachments[workload.attach].network if workload.attach else ""
        gateway = world.bed.asking_gateway(network) if network else ""
        if nfs is None or not gateway:
            continue
        vlan, own = world.bed.networks[network].vlan, world.bed.gateway_address(network)
        if vlan is None or own is None:
            continue
        asked = {"interface": interface(vlan), "source": str(own), "port": world.bed.workloads[nfs.server].port or 2049}
        for pod in world.pods(name):
            if pod.net1:
                address = pod.net1.partition("/")[0]
                args = {**asked, "address": address, "gateway": address}
                yield Planned("tcp", "nfs-data-plane", gateway, gateway, name, args, 1.5)


def _cloned(world: World) -> Iterator[Planned]:
    """A cloned page of each slot, as an agent gets it through the NGFW."""
    cloned = world.bed.services.cloned
    flows = [f for f in world.bed.flows if f.expect == "inspected"]
    if cloned is None or not flows:
        return
    for pod in world.probing(flows[0].from_)[:1]:
        ca = world.bundle(world.bed.workloads[pod.workload].trusts)
        for name, persona in world.bed.personas.items():
            if world.bed.workloads[persona.workload].storage:
                args = {"address": str(persona.address), "name": persona.name, "alpn": ["http/1.1"], "ca": ca}
                yield of_pod(pod, "tls", "cloned", name, {**args, "http": {"path": cloned.page}}, 6.0)


def _resolver(world: World) -> Iterator[Planned]:
    """The cloner finds the NFS server by name, although its second network has a resolver of its own."""
    cloned, dns = world.bed.services.cloned, world.bed.services.dns
    if cloned is None or dns is None:
        return
    domain = world.bed.kubernetes.domain if world.bed.kubernetes else "cluster.local"
    for pod in world.probing(cloned.workload)[:1]:
        args = {"address": str(dns.server), "name": f"kubernetes.default.svc.{domain}"}
        yield of_pod(pod, "dns", "cloner", "kubernetes", args, 3.0)
