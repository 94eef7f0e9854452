"""Vault: from a server's node and unit to what it tells the gate.

service:NODE/UNIT the unit · vault-process:NODE/ASPECT · vault-file:NODE/PATH · vault-key:NODE the seal's key ·
vault:NODE it answers · vault-trust:NODE whom it lets in · vault-seal:NODE it is open · vault-server:NODE/ASPECT what it is ·
vault-active:CLUSTER one is active · vault-gate:ROLE the gate's login · vault-right:PATH what that may ·
vault-engine:NAME · vault-secret:NAME · vault-issuer:ENGINE · vault-peers:CLUSTER who is a member ·
vault-forward:NODE · vault-members:CLUSTER how the members are · vault-audit:CLUSTER
"""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.model import Vault
from plumbline.needs.parts import Parts

SERVER_ASPECTS = ("version", "seal-type", "storage", "cluster", "leader", "metrics")
PROCESS_ASPECTS = ("user", "privileges", "capabilities", "binding", "enabled")


def servers(bed: Bed) -> Parts:
    vault = bed.vault
    if vault is None:
        return
    for node in vault.on:
        unit, shown = f"service:{node}/{vault.unit}", f"{node}/{vault.certificate}"
        yield unit, [f"node:{node}"]
        yield f"vault-key:{node}", [f"node:{node}"]
        yield from ((f"vault-process:{node}/{aspect}", [unit]) for aspect in PROCESS_ASPECTS)
        yield from ((f"vault-file:{node}{path}", [f"node:{node}"]) for path in vault.files)
        yield f"vault:{node}", [unit, f"oobi:{node}", f"service-certificate:{shown}", f"tls-serial:{shown}"]
        yield f"tls-served:{shown}", [f"vault:{node}"]  # a server that hangs shows no certificate either
        yield f"vault-process:{node}/binding", [f"vault-seal:{node}"]  # one that is sealed talks to no other server
        yield f"vault-trust:{node}", [f"vault:{node}"]
        yield f"vault-seal:{node}", [f"vault:{node}", f"vault-key:{node}"]
        yield from ((f"vault-server:{node}/{aspect}", [f"vault-seal:{node}"]) for aspect in SERVER_ASPECTS)
    yield from _cluster(vault)


def _cluster(vault: Vault) -> Parts:
    active, gate, peers = (
        f"vault-active:{vault.cluster}",
        f"vault-gate:{vault.role.name}",
        f"vault-peers:{vault.cluster}",
    )
    everyone = [f"vault-seal:{node}" for node in vault.on]
    yield active, everyone
    yield gate, [active]
    yield from ((f"vault-right:{path}", [gate]) for path in (*vault.allowed, *vault.forbidden))
    yield peers, [gate, *everyone]
    yield f"vault-members:{vault.cluster}", [peers, *(f"vault-forward:{node}" for node in vault.on)]
    yield from ((f"vault-engine:{name}", [gate, "vault-right:sys/mounts"]) for name in vault.engines)
    for name, secret in vault.secrets.items():
        under = [f"vault-engine:{secret.path.partition('/')[0]}", f"vault-right:{vault.data_path(name)}"]
        yield f"vault-secret:{name}", [gate, *under]
    if vault.issuing:
        engine, role = vault.issuing.engine, vault.issuing.role
        yield f"vault-issuer:{engine}", [f"vault-engine:{engine}", f"vault-right:{engine}/issue/{role}"]
    for node in vault.on:
        yield f"vault-forward:{node}", [f"vault-seal:{node}", gate, peers]
        yield f"vault-server:{node}/leader", [f"vault-forward:{node}"]
    for name in vault.settings:
        yield f"vault-setting:{name}", [gate, "vault-right:sys/config/state/sanitized"]
    if vault.audit:
        yield f"vault-audit:{vault.cluster}", [active]
