"""Consul: an agent stands on its node, its files and its unit; the cluster on its servers; names on all of it."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.consul import Consul
from plumbline.needs.parts import Parts

ON_DISK = ("token-kept", "keyring", "rejoin")
"""What must be right on a node before its agent can begin."""
SETTINGS = (
    "version", "datacenter", "role", "expect", "default-policy", "rpc-tls", "https-tls", "auto-encrypt", "gossip",
    "scripts", "rejoin-age",
)  # fmt: skip


def consul(bed: Bed) -> Parts:
    declared = bed.consul
    if declared is None:
        return
    for node in declared.nodes:
        yield from _agent(bed, declared, node)
    yield from _cluster(declared)
    for name, service in declared.services.items():
        for node in service.on:
            id = f"{name}-{node}"
            yield f"consul-service:{id}", [f"consul-agent:{node}", f"consul-member:{node}", "consul:leader"]
            # an agent that knows of no ACLs shows no token, and so registers nothing
            yield f"consul-service:{id}", [f"consul-setting:{node}/default-policy"]
            yield f"consul-check:{id}", [f"consul-service:{id}"]
            yield f"consul-passing:{id}", [f"consul-check:{id}"]
            yield f"consul-begins:{id}", [f"node:{node}"]
            yield f"consul-honest:{id}", [f"consul-service:{id}"]
            yield f"consul-name:{name}", [f"consul-passing:{id}"]
        # a member that nobody declared may tell of instances too
        yield f"consul-name:{name}", ["consul:members", *(f"consul-dns:{node}" for node in declared.nodes)]


def _agent(bed: Bed, declared: Consul, node: str) -> Parts:
    servers = [server for server in declared.servers if server != node]
    yield f"consul-unit:{node}", [f"node:{node}"]
    for part in (*ON_DISK, "files"):
        yield f"consul-{part}:{node}", [f"node:{node}"]
    # a client without its token is given no certificate, and so never begins (seed 001, F15)
    begin = [f"consul-{part}:{node}" for part in ON_DISK if part != "keyring"]
    yield f"consul-agent:{node}", [f"consul-unit:{node}", *begin]
    # of the layer pki: whom it trusts, its clock, its certificate; and what that layer asks of whoever shows one
    yield f"consul-agent:{node}", [f"root:{node}", f"clock:{node}"]
    yield f"consul-rejoin:{node}", [f"clock:{node}"]  # it tells how long ago the server noted that it was there
    if node in declared.servers:
        yield f"consul-agent:{node}", [f"service-certificate:{node}/{declared.certificate}"]
        yield f"service:{node}/{bed.service_certificates[declared.certificate].unit}", [f"consul-agent:{node}"]
    yield f"setting:{node}/failed-units", [f"consul-unit:{node}"]
    for setting in SETTINGS:
        yield f"consul-setting:{node}/{setting}", [f"consul-agent:{node}"]
    for bind in ("http", "https", "dns"):
        yield f"consul-bind:{node}/{bind}", [f"consul-unit:{node}", f"consul-agent:{node}"]
    for part in ("anonymous", "stranger"):
        yield f"consul-{part}:{node}", [f"consul-agent:{node}", f"consul-setting:{node}/default-policy"]
    for other in servers:
        yield f"consul-rpc:{node}>{other}", [f"consul-unit:{other}", f"consul-agent:{other}", f"node:{node}"]
    for other in declared.nodes:
        if other != node:
            yield f"consul-gossip:{node}>{other}", [f"consul-unit:{other}", f"consul-agent:{other}", f"node:{node}"]
            yield f"consul-member:{node}", [f"consul-gossip:{other}>{node}"]
    # a server with a key of its own sees nobody
    keys = [f"consul-keyring:{other}" for other in dict.fromkeys((node, *declared.servers))]
    yield f"consul-member:{node}", [f"consul-agent:{node}", *keys, "consul:leader"]
    yield f"consul-dns:{node}", [f"consul-agent:{node}", f"consul-bind:{node}/dns", "consul:leader"]
    yield f"consul-dns:{node}", [f"consul-rpc:{node}>{other}" for other in servers]
    yield f"consul-dns:{node}", [f"consul-member:{other}" for other in dict.fromkeys((node, *declared.servers))]
    for kind in ("nothing", "tcp"):
        yield f"consul-dns-{kind}:{node}", [f"consul-dns:{node}"]


def _cluster(declared: Consul) -> Parts:
    servers = declared.servers
    for node in servers:
        yield f"consul-api:{node}", [f"consul-agent:{node}", f"consul-bind:{node}/https"]
        yield f"consul-follows:{node}", [f"consul-api:{node}", f"consul-agent:{node}", f"consul-keyring:{node}"]
        yield f"consul-follows:{node}", ["consul:leader"]
        yield f"consul-follows:{node}", [f"consul-rpc:{o}>{node}" for o in servers if o != node]
        for part in ("anonymous-api", "stranger-api", "uncertified"):
            yield f"consul-{part}:{node}", [f"consul-api:{node}", f"consul-setting:{node}/https-tls"]
    running = [f"consul-{kind}:{node}" for node in servers for kind in ("unit", "agent")]
    between = [f"consul-rpc:{one}>{other}" for one in servers for other in servers if one != other]
    yield "consul:steady", [*running, *between]
    yield "consul:leader", ["consul:steady", *running, *between]  # while one follows another, there is none for moments
    yield "consul:peers", ["consul:leader", *running]
    members = [f"consul-member:{node}" for node in servers]
    yield "consul:tolerance", ["consul:leader", "consul:peers", *members, *(f"consul-follows:{n}" for n in servers)]
    yield "consul:members", ["consul:leader"]
    yield "consul:key", ["consul:leader", *(f"consul-follows:{n}" for n in servers), "consul-gate:token"]
    yield "consul-gate:token", ["consul:leader", *(f"consul-api:{node}" for node in servers)]
    # a server that knows of no ACLs can tell of none, and asks nobody for a right while it leads
    yield "consul-gate:token", [f"consul-setting:{node}/default-policy" for node in servers]
    yield "consul-gate:rights", ["consul-gate:token"]
    yield "consul:key-elsewhere", ["consul:key", "consul-gate:rights"]
    yield "consul:anonymous", ["consul-gate:token"]
    for name in declared.policies:
        yield f"consul-policy:{name}", ["consul-gate:token"]
