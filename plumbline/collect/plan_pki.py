"""What is read of certificates on nodes, and the probes of the authority, of served certificates and of logins by SSH."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from plumbline.bed import Bed
from plumbline.bed.model import StepCa
from plumbline.collect.planned import Planned, World
from plumbline.needs.pki import asker

PROGRAM = "/usr/bin/step"
STRANGER = "daemon"
"""A user of every node whom no certificate of the bed names."""
_SHORT, _OVER = timedelta(minutes=5), timedelta(hours=1)
_ISSUED_FOR = "plumbline-check.invalid"
_TLS_S, _STEP_S, _SSH_S = 4.0, 6.0, 6.0


def requests(bed: Bed, node: str) -> dict[str, Any]:
    """What is read on a node, by part."""
    ca, ssh, found = bed.step_ca, bed.ssh_certificates, dict[str, Any]()
    if ca and node in ca.on:
        pairs = {
            name: {"certificate": c.certificate, "key": c.key} for name, c in bed.service_certificates.items()
        }  # fmt: skip
        here = {name for name, c in bed.service_certificates.items() if node in c.on}
        # A file that a service of this node declares too is no stray of another one's.
        own = {pairs[name]["certificate"] for name in here}
        found["pki"] = {
            "root": ca.root,
            "bundle": ca.bundle,
            "program": PROGRAM,
            "certificates": {name: pairs[name] for name in pairs if name in here},
            "elsewhere": {n: p for n, p in pairs.items() if n not in here and p["certificate"] not in own},
            "renewers": sorted({bed.service_certificates[name].unit for name in here}),
        }
    if ca and ssh and node in ssh.on:
        kinds = ("host", "user") if node == ca.node else ()
        found["ssh"] = {
            "host_key": ssh.host_key,
            "user_ca": ssh.user_ca,
            "known_hosts": ssh.known_hosts,
            "authorities": {kind: f"{ca.folder}/certs/ssh_{kind}_ca_key.pub" for kind in kinds},
            "renewers": [ssh.renewer, *(user.renewer for user in ssh.users.values())],
            "peer": next((ca.names(peer)[1] for peer in ssh.on if peer != node), node),
            "users": {name: {"key": user.key, "config": user.config} for name, user in ssh.users.items()},
        }
    return found


def probes(world: World) -> Iterator[Planned]:
    """All of them."""
    ca = world.bed.step_ca
    if ca is not None:
        yield from _authority(world, ca)
        yield from _served(world, ca)
        yield from _logins(world, ca)


def _authority(world: World, ca: StepCa) -> Iterator[Planned]:
    """Every node that trusts the authority asks for its health; nobody gets anything without a certificate."""
    address = world.bed.nodes[ca.node].oobi
    server = {"address": str(address), "port": ca.port, "name": ca.names(ca.node)[0], "ca_file": ca.root}
    nodes = [node for node in ca.on if world.reachable(node)]
    for node in nodes if address else ():
        health = {**server, "http": {"path": "/health", "text": True}}
        yield Planned("tls", "authority", node, node, ca.node, health, _TLS_S)
    for node in nodes[:1] if address else ():
        nameless = {**server, "http": {"path": "/1.0/renew", "method": "POST"}}
        yield Planned("tls", "authority-anonymous", node, node, ca.node, nameless, _TLS_S)
    if world.reachable(ca.node):
        asked = {
            "program": PROGRAM, "folder": ca.folder, "provisioner": ca.provisioner, "password": ca.key_opener,
            "name": _ISSUED_FOR,
        }  # fmt: skip
        for purpose, lifetime in (("issue", _SHORT), ("issue-long", ca.longest + _OVER)):
            args = {**asked, "seconds": lifetime.total_seconds()}
            yield Planned("step", purpose, ca.node, ca.node, ca.node, args, _STEP_S)


def _served(world: World, ca: StepCa) -> Iterator[Planned]:
    """Each served certificate, asked for by another node that has one of the service, or by whoever trusts the authority."""
    for name, declared in world.bed.service_certificates.items():
        for node in declared.on if declared.port else ():
            address = world.bed.nodes[node].oobi
            client = asker(world.bed, name, node)
            if address is None or not client:
                continue
            args: dict[str, Any] = {"address": str(address), "port": declared.port, "name": node, "ca_file": ca.root}
            if client in declared.on:
                args |= {"certificate_file": declared.certificate, "key_file": declared.key}
            yield Planned("tls", "served", client, client, f"{node}/{name}", args, _TLS_S)


def _logins(world: World, ca: StepCa) -> Iterator[Planned]:
    """Every node to every other, by each of its names in turn; and what must be refused, to the next one.

    Each begins with the one behind it: sshd drops connections of whom many ask at once (MaxStartups 10:30:100).
    """
    ssh = world.bed.ssh_certificates
    if ssh is None or "root" not in ssh.users:
        return
    turn = {node: number for number, node in enumerate(ssh.on)}
    for source, target in sorted(
        ssh.pairs, key=lambda pair: (turn[pair[0]], (turn[pair[1]] - turn[pair[0]]) % len(turn))
    ):
        if not world.reachable(source):
            continue
        names = [*ca.names(target), str(world.bed.nodes[target].oobi)]
        place = turn[source] - turn[target]
        args: dict[str, Any] = {"host": names[place % len(names)], "user": "root"}
        yield Planned("ssh", "login", source, source, target, args, _SSH_S)
        if place % len(ssh.on) == len(ssh.on) - 1:
            yield Planned("ssh", "login-plain", source, source, target, {**args, "plain": True}, _SSH_S)
            yield Planned("ssh", "login-other", source, source, target, {**args, "user": STRANGER}, _SSH_S)
