"""What the checks of this folder are about: nodes, users, what renews their certificates, and logins between nodes."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.bed import Bed
from plumbline.bed.model import SshCertificates, SshUser
from plumbline.check import Case, Cases
from plumbline.subjects import case


@dataclass(frozen=True)
class Host:
    """A node with certificates of SSH."""

    node: str
    spec: SshCertificates


@dataclass(frozen=True)
class User:
    """A user of such a node."""

    node: str
    name: str
    user: SshUser
    spec: SshCertificates


@dataclass(frozen=True)
class Renewing:
    """A unit that renews a certificate, of the node's host or of a user."""

    node: str
    unit: str
    of_host: bool
    spec: SshCertificates


@dataclass(frozen=True)
class Login:
    """From a node to another."""

    source: str
    target: str


def hosts(kind: str) -> Cases:
    """Each node: Host; subject KIND:NODE."""

    def cases(bed: Bed) -> list[Case]:
        return [case(bed, f"{kind}:{n}", Host(n, ssh), where="ssh_certificates.on") for n, ssh in _nodes(bed)]

    return cases


def users(kind: str) -> Cases:
    """Each user of each node: User; subject KIND:NODE/USER."""

    def cases(bed: Bed) -> list[Case]:
        return [
            case(
                bed, f"{kind}:{node}/{name}", User(node, name, user, ssh), id=f"{node} {name}",
                where=f"ssh_certificates.users.{name}",
            )
            for node, ssh in _nodes(bed)
            for name, user in ssh.users.items()
        ]  # fmt: skip

    return cases


def renewers(kind: str) -> Cases:
    """What renews each certificate: Renewing; subject KIND:NODE/UNIT."""

    def cases(bed: Bed) -> list[Case]:
        return [
            case(
                bed, f"{kind}:{node}/{unit}", Renewing(node, unit, unit == ssh.renewer, ssh), id=f"{node} {unit}",
                where="ssh_certificates.renewal",
            )
            for node, ssh in _nodes(bed)
            for unit in (ssh.renewer, *(user.renewer for user in ssh.users.values()))
        ]  # fmt: skip

    return cases


def logins(bed: Bed) -> list[Case]:
    """Each ordered pair of nodes: Login; subject ssh-login:SOURCE>TARGET."""
    return _pairs(bed, "ssh-login", bed.ssh_certificates.pairs if bed.ssh_certificates else [])


def refusals(kind: str) -> Cases:
    """Each node to the next one: Login; subject KIND:SOURCE>TARGET."""

    def cases(bed: Bed) -> list[Case]:
        on = bed.ssh_certificates.on if bed.ssh_certificates else ()
        return _pairs(bed, kind, [pair for pair in zip(on, (*on[1:], *on[:1]), strict=True) if pair[0] != pair[1]])

    return cases


def _pairs(bed: Bed, kind: str, pairs: list[tuple[str, str]]) -> list[Case]:
    with_root = bed.ssh_certificates and "root" in bed.ssh_certificates.users
    return [
        case(bed, f"{kind}:{s}>{t}", Login(s, t), id=f"{s} to {t}", where="ssh_certificates.on")
        for s, t in pairs
        if with_root and bed.nodes[s].ssh
    ]


def _nodes(bed: Bed) -> list[tuple[str, SshCertificates]]:
    ssh = bed.ssh_certificates
    return [(node, ssh) for node in ssh.on if bed.nodes[node].ssh] if ssh and bed.step_ca else []
