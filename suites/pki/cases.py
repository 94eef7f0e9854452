"""What the checks of this folder are about: the authority, who trusts it, certificates of services, what renews them."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.bed import Bed
from plumbline.bed.model import ServiceCertificate, StepCa
from plumbline.check import Case, Cases
from plumbline.subjects import case


@dataclass(frozen=True)
class Served:
    """A service's certificate on one node."""

    node: str
    name: str
    spec: ServiceCertificate

    @property
    def own(self) -> str:
        """NODE/NAME."""
        return f"{self.node}/{self.name}"


@dataclass(frozen=True)
class Trusting:
    """A node that trusts the authority."""

    node: str
    ca: StepCa


def authority(kind: str) -> Cases:
    """The authority itself: Trusting, its node; subject KIND:NODE."""

    def cases(bed: Bed) -> list[Case]:
        ca = bed.step_ca
        return [case(bed, f"{kind}:{ca.node}", Trusting(ca.node, ca), where="step_ca")] if ca else []

    return cases


def trusting(kind: str) -> Cases:
    """Each node that trusts the authority: Trusting; subject KIND:NODE."""

    def cases(bed: Bed) -> list[Case]:
        ca = bed.step_ca
        nodes = [node for node in ca.on if bed.nodes[node].ssh] if ca else []
        return [case(bed, f"{kind}:{node}", Trusting(node, ca), where="step_ca.on") for node in nodes if ca]

    return cases


def certificates(kind: str) -> Cases:
    """Each certificate on each of its nodes: Served; subject KIND:NODE/NAME."""
    return _served(kind, by_unit=False)


def renewers(kind: str) -> Cases:
    """What renews each: Served; subject KIND:NODE/UNIT."""
    return _served(kind, by_unit=True)


def on_the_wire(kind: str) -> Cases:
    """Those that are served somewhere: Served; subject KIND:NODE/NAME."""
    return lambda bed: [c for c in _served(kind, by_unit=False)(bed) if c.value.spec.port]


def canaries(bed: Bed) -> list[Case]:
    """Those that must be seen to have renewed themselves: Served; subject canary:NODE/NAME."""
    return [c for c in _served("canary", by_unit=False)(bed) if c.value.spec.canary]


def _served(kind: str, *, by_unit: bool) -> Cases:
    def cases(bed: Bed) -> list[Case]:
        return [
            case(
                bed, f"{kind}:{node}/{spec.unit if by_unit else name}", Served(node, name, spec),
                id=f"{node} {name}", where=f"service_certificates.{name}",
            )
            for name, spec in bed.service_certificates.items()
            for node in spec.on
            if bed.nodes[node].ssh and bed.step_ca and node in bed.step_ca.on
        ]  # fmt: skip

    return cases
