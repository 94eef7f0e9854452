"""The parts of Consul that this suite asks about, as cases for `for_each`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from plumbline.bed import Bed
from plumbline.bed.consul import Bind, Consul, ConsulService
from plumbline.check import Case, Cases
from plumbline.subjects import Thing, case

Who = Literal["every", "servers", "clients"]


@dataclass(frozen=True)
class Listening:
    """A port of a node's agent: None where it must not listen at all; `addresses` are those it must listen on."""

    node: str
    kind: str
    bind: Bind | None
    addresses: frozenset[str]


@dataclass(frozen=True)
class Way:
    """From one agent to a port of another."""

    source: str
    target: str


@dataclass(frozen=True)
class InstanceOf:
    """An instance of a service on a node."""

    id: str
    name: str
    node: str
    spec: ConsulService


def on(kind: str, who: Who = "every", where: str = "") -> Cases:
    """Each node with an agent, as one part of it: its name; subject consul-KIND:NODE."""

    def cases(bed: Bed) -> list[Case]:
        place = where or ("servers" if who == "servers" else "clients" if who == "clients" else "")
        return [
            case(bed, f"consul-{kind}:{node}", node, id=node, where=f"consul.{place}" if place else "consul")
            for node in _nodes(bed, who)
        ]

    return cases


def over_https(cases: Cases) -> Cases:
    """Those of `cases` where servers listen for HTTPS at all."""
    return lambda bed: cases(bed) if bed.consul and bed.consul.server.https else []


def setting(name: str, who: Who = "every", where: str = "") -> Cases:
    """Each node with an agent, as one of its settings: its name; subject consul-setting:NODE/NAME."""

    def cases(bed: Bed) -> list[Case]:
        path = f"consul.{where}" if where else "consul"
        return [case(bed, f"consul-setting:{node}/{name}", node, id=node, where=path) for node in _nodes(bed, who)]

    return cases


def certified(cases: Cases) -> Cases:
    """Those of `cases` for HTTPS that asks for a client's certificate; none where the bed file wants no such thing."""
    return lambda bed: over_https(cases)(bed) if bed.consul and bed.consul.client_certificate else []


def whole(part: str, where: str = "") -> Cases:
    """Consul as one thing: what the bed declares of it; subject consul:PART."""

    def cases(bed: Bed) -> list[Case]:
        path = f"consul.{where}" if where else "consul"
        return [case(bed, f"consul:{part}", bed.consul, id=part, where=path)] if bed.consul else []

    return cases


def gate(part: str) -> Cases:
    """The gate itself, as somebody with a token: what the bed declares; subject consul-gate:PART."""

    def cases(bed: Bed) -> list[Case]:
        return [case(bed, f"consul-gate:{part}", bed.consul, id="gate", where="access")] if bed.consul else []

    return cases


def binds(bed: Bed) -> list[Case]:
    """Each port of each agent: Listening; subject consul-bind:NODE/KIND."""
    return [
        case(
            bed,
            f"consul-bind:{node}/{kind}",
            Listening(node, kind, bind, _addresses(bed, node, bind)),
            id=f"{node} {kind}",
            where=f"consul.{'server' if node in consul.servers else 'client'}.{kind}",
        )
        for consul in _declared(bed)
        for node in consul.nodes
        for kind, bind in consul.binds(node)
    ]


def ways(kind: Literal["rpc", "gossip"]) -> Cases:
    """From each agent to the servers' RPC, or to every other agent's gossip: Way; subject consul-KIND:A>B."""

    def cases(bed: Bed) -> list[Case]:
        return [
            case(bed, f"consul-{kind}:{node}>{other}", Way(node, other), id=f"{node} {other}", where="consul")
            for consul in _declared(bed)
            for node in consul.nodes
            for other in (consul.servers if kind == "rpc" else consul.nodes)
            if other != node
        ]

    return cases


def instances(kind: str) -> Cases:
    """Each instance of each service: InstanceOf; subject consul-KIND:ID."""

    def cases(bed: Bed) -> list[Case]:
        return [
            case(bed, f"consul-{kind}:{id}", InstanceOf(id, _name(id, node), node, service), id=id,
                 where=f"consul.services.{_name(id, node)}")
            for consul in _declared(bed)
            for id, node, service in consul.instances()
        ]  # fmt: skip

    return cases


def names(bed: Bed) -> list[Case]:
    """The name of each service: Thing[ConsulService]; subject consul-name:SERVICE."""
    return [
        case(bed, f"consul-name:{name}", Thing(name, service), where=f"consul.services.{name}")
        for consul in _declared(bed)
        for name, service in consul.services.items()
    ]


def policies(bed: Bed) -> list[Case]:
    """Each policy: Thing of what it allows; subject consul-policy:NAME."""
    return [
        case(bed, f"consul-policy:{name}", Thing(name, may), where=f"consul.policies.{name}")
        for consul in _declared(bed)
        for name, may in consul.policies.items()
    ]


def _declared(bed: Bed) -> Iterator[Consul]:
    if bed.consul:
        yield bed.consul


def _nodes(bed: Bed, who: Who) -> tuple[str, ...]:
    if bed.consul is None:
        return ()
    return {"every": bed.consul.nodes, "servers": bed.consul.servers, "clients": bed.consul.clients}[who]


def _name(id: str, node: str) -> str:
    return id.removesuffix(f"-{node}")


def _addresses(bed: Bed, node: str, bind: Bind | None) -> frozenset[str]:
    places = {"loopback": "127.0.0.1", "oobi": str(bed.nodes[node].oobi), "every": "0.0.0.0"}
    return frozenset(places[place] for place in bind.on) if bind else frozenset()
