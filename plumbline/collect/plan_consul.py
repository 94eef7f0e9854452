"""Probes of Consul: names asked of each node's own agent, ports between agents, and what its checks ask, directly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plumbline.bed.consul import Consul, ConsulService
from plumbline.collect.planned import Planned, World

RPC, GOSSIP = 8300, 8301
NOTHING = "no-such-name"


def probes(world: World) -> Iterator[Planned]:
    """All of them; none where the bed declares no Consul."""
    consul = world.bed.consul
    if consul is None:
        return
    for node in filter(world.reachable, consul.nodes):
        yield from _names(world, consul, node)
        yield from _ports(world, consul, node)
    for id, node, service in consul.instances():
        if world.reachable(node):
            yield _direct(world, id, node, service)


def _names(world: World, consul: Consul, node: str) -> Iterator[Planned]:
    dns = consul.binds(node).dns
    if dns is None:
        return
    wanted = {"consul": "consul", "nothing": NOTHING, **{name: name for name in consul.services}}
    asked: dict[str, dict[str, Any]] = {target: {"name": f"{name}.service.consul"} for target, name in wanted.items()}
    asked["consul-tcp"] = {"name": "consul.service.consul", "tcp": True}
    inside = "oobi" not in dns.on
    where: dict[str, Any] = {"address": "127.0.0.1" if inside else str(world.bed.nodes[node].oobi), "port": dns.port}
    for target, args in asked.items():
        yield Planned("dns", "consul-dns", node, node, target, {**where, **args}, 2.0)


def _ports(world: World, consul: Consul, node: str) -> Iterator[Planned]:
    for other in consul.nodes:
        address = str(world.bed.nodes[other].oobi)
        if other == node:
            continue
        yield Planned("tcp", "consul-gossip", node, node, other, {"address": address, "port": GOSSIP}, 2.0)
        if other in consul.servers:
            yield Planned("tcp", "consul-rpc", node, node, other, {"address": address, "port": RPC}, 2.0)


def _direct(world: World, id: str, node: str, service: ConsulService) -> Planned:
    """What the check of an instance asks, by the gate's own hand."""
    check, own = service.check, str(world.bed.nodes[node].oobi)
    args: dict[str, Any] = {
        "address": "127.0.0.1" if check.host == "loopback" else own,
        "port": check.port or service.port,
    }
    if check.http is None:
        return Planned("tcp", "consul-direct", node, node, id, args, 2.0)
    if check.scheme == "http":
        return Planned("http", "consul-direct", node, node, id, {**args, "path": check.http}, 3.0)
    name = check.host.replace("{node}", node) if check.host not in ("loopback", "oobi") else own
    return Planned("tls", "consul-direct", node, node, id, {**args, "name": name, "http": {"path": check.http}}, 4.0)
