"""The things of a bed's Vault that the checks of this folder are about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from plumbline import subjects
from plumbline.bed import Bed
from plumbline.bed.vault import VaultEngine, VaultFile, VaultSecret
from plumbline.check import Case, Cases


@dataclass(frozen=True)
class OnServer:
    """Something of the server of one node."""

    node: str
    name: str


@dataclass(frozen=True)
class PrivateFile:
    """A file of a node, and who may read it."""

    node: str
    path: str
    allowed: VaultFile


@dataclass(frozen=True)
class Right:
    """A path of the API, and what the gate may do there; nothing where it is empty."""

    path: str
    capabilities: frozenset[str]


def _each(kind: str, *, where: str = "vault.on", suffix: str = "") -> Cases:
    """Each server: the name of its node; subject KIND:NODE, with what comes after it; UNIT stands for its unit."""

    def cases(bed: Bed) -> Iterator[Case]:
        for node in bed.vault.on if bed.vault else ():
            own = suffix.replace("UNIT", bed.vault.unit) if bed.vault else ""
            yield subjects.case(bed, f"{kind}:{node}{own}", node, id=node, where=where)

    return cases


units = _each("service", suffix="/UNIT")
servers = _each("vault")
trusts = _each("vault-trust")
seals = _each("vault-seal")
keys = _each("vault-key", where="vault.seal")
forwards = _each("vault-forward")


def process(aspect: str, where: str = "vault.unit") -> Cases:
    """The process of each server: the name of its node; subject vault-process:NODE/ASPECT."""
    return _each("vault-process", where=where, suffix=f"/{aspect}")


def told(aspect: str, where: str) -> Cases:
    """What each server says of itself: the name of its node; subject vault-server:NODE/ASPECT."""
    return _each("vault-server", where=where, suffix=f"/{aspect}")


def version(bed: Bed) -> Iterator[Case]:
    """Each server, where the bed file says of which version it is."""
    if bed.vault and bed.vault.version:
        yield from told("version", "vault.version")(bed)


def metrics(bed: Bed) -> Iterator[Case]:
    """Each server, where the bed file says that it tells its metrics."""
    if bed.vault and bed.vault.metrics:
        yield from told("metrics", "vault.metrics")(bed)


def files(bed: Bed) -> Iterator[Case]:
    """Each file of each server that others must not read: PrivateFile; subject vault-file:NODE/PATH."""
    for node in bed.vault.on if bed.vault else ():
        for path, allowed in bed.vault.files.items() if bed.vault else ():
            value, subject = PrivateFile(node, path, allowed), f"vault-file:{node}{path}"
            yield subjects.case(bed, subject, value, id=f"{node} {path}", where=f"vault.files.{path}")


def cluster(bed: Bed) -> Iterator[Case]:
    """The cluster: its name; subject vault-active:CLUSTER."""
    if bed.vault:
        yield _one(bed, f"vault-active:{bed.vault.cluster}", bed.vault.cluster, "vault.cluster")


def members(bed: Bed) -> Iterator[Case]:
    """The store that the servers share: its name; subject vault-peers:CLUSTER."""
    if bed.vault and bed.vault.storage.type == "raft":
        yield _one(bed, f"vault-peers:{bed.vault.cluster}", bed.vault.cluster, "vault.storage")


def membership(bed: Bed) -> Iterator[Case]:
    """The same, as to how its members are: its name; subject vault-members:CLUSTER."""
    if bed.vault and bed.vault.storage.type == "raft":
        yield _one(bed, f"vault-members:{bed.vault.cluster}", bed.vault.cluster, "vault.storage")


def record(bed: Bed) -> Iterator[Case]:
    """The file of requests: its path; subject vault-audit:CLUSTER."""
    if bed.vault and bed.vault.audit:
        yield _one(bed, f"vault-audit:{bed.vault.cluster}", bed.vault.audit, "vault.audit")


def gate(bed: Bed) -> Iterator[Case]:
    """The gate's role: its name; subject vault-gate:ROLE."""
    if bed.vault:
        yield _one(bed, f"vault-gate:{bed.vault.role.name}", bed.vault.role.name, "vault.role")


def allowed(bed: Bed) -> Iterator[Case]:
    """Each path where the gate must be allowed something: Right."""
    for path, rights in bed.vault.allowed.items() if bed.vault else ():
        yield _one(bed, f"vault-right:{path}", Right(path, frozenset(rights)), "vault.role", path)


def forbidden(bed: Bed) -> Iterator[Case]:
    """Each path where the gate must be allowed nothing: Right."""
    for path in bed.vault.forbidden if bed.vault else ():
        yield _one(bed, f"vault-right:{path}", Right(path, frozenset()), "vault.role", path)


def settings(bed: Bed) -> Iterator[Case]:
    """Each setting of the active server: (path, value); subject vault-setting:PATH."""
    for path, value in bed.vault.settings.items() if bed.vault else ():
        yield _one(bed, f"vault-setting:{path}", (path, value), f"vault.settings.{path}", path)


def engines(bed: Bed) -> Iterator[Case]:
    """Each secrets engine: Thing[VaultEngine]; subject vault-engine:NAME."""
    declared: dict[str, VaultEngine] = bed.vault.engines if bed.vault else {}
    for name, engine in declared.items():
        yield _one(bed, f"vault-engine:{name}", subjects.Thing(name, engine), f"vault.engines.{name}", name)


def secrets(readable: bool) -> Cases:
    """Each secret that the gate may read, or may not, asked of each server: OnServer; subject vault-secret:NAME."""

    def cases(bed: Bed) -> Iterator[Case]:
        declared: dict[str, VaultSecret] = bed.vault.secrets if bed.vault else {}
        for name, secret in declared.items():
            for node in bed.vault.on if bed.vault and secret.readable is readable else ():
                yield subjects.case(
                    bed, f"vault-secret:{name}", OnServer(node, name), id=f"{name} on {node}",
                    where=f"vault.secrets.{name}", also=[f"vault-forward:{node}"],
                )  # fmt: skip

    return cases


def issuers(bed: Bed) -> Iterator[Case]:
    """The engine that issues certificates: its name; subject vault-issuer:ENGINE."""
    if bed.vault and bed.vault.issuing:
        yield _one(bed, f"vault-issuer:{bed.vault.issuing.engine}", bed.vault.issuing.engine, "vault.issuing")


def _one(bed: Bed, subject: str, value: object, where: str, id: str = "") -> Case:
    return subjects.case(bed, subject, value, id=id, where=where)


_CAPABILITIES = {"CAP_IPC_LOCK": 14, "CAP_NET_BIND_SERVICE": 10, "CAP_SYS_ADMIN": 21, "CAP_SYSLOG": 34}
"""Their numbers, as linux/capability.h has them."""


def bits(names: Iterable[str]) -> int:
    """Capabilities as /proc/PID/status has them."""
    return sum(1 << _CAPABILITIES[name] for name in names)


def seconds(value: object) -> float | None:
    """A duration as Vault tells it: 24h, 24h0m0s, nanoseconds as a number; None where it is no duration."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1_000_000:
        return value / 1e9
    parts = re.findall(r"(\d+)([hms])", str(value))
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != str(value):
        return None
    return float(sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts))
