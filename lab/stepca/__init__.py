"""The certificate authority of services outside the cluster, what trusts it, and the certificates that it gave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.disks import FileSpec
from lab.machine import Volume
from lab.pki import Pki
from lab.progress import Progress
from plumbline.bed import Bed
from plumbline.bed.model import ServiceCertificate, StepCa

ROOT, INTERMEDIATE = "step-root", "step-intermediate"
"""Names under which the lab's PKI keeps the two authorities."""


def programs(bed: Bed) -> tuple[str, ...]:
    """None so far."""
    return ()


def files(bed: Bed, pki: Pki, folder: Path) -> dict[str, dict[str, FileSpec]]:
    """The root on each node that trusts it, and each service's certificate and key where the service lives."""
    result: dict[str, dict[str, FileSpec]] = {}
    if bed.step_ca is None:
        return result
    for node in bed.step_ca.on:
        result.setdefault(node, {})[bed.step_ca.root] = FileSpec(pki.authority(ROOT).certificate)
    for name, declared in bed.service_certificates.items():
        for node in declared.on:
            result.setdefault(node, {}).update(_certificate(bed, pki, name, node))
    return result


def volumes(bed: Bed, binaries: Mapping[str, Path]) -> dict[str, dict[str, Volume]]:
    """None so far."""
    return {}


def units(bed: Bed, node: str) -> tuple[str, ...]:
    """None so far."""
    return ()


def settle(bed: Bed, pki: Pki, folder: Path, deadline: float, progress: Progress) -> dict[str, str]:
    """Nothing so far."""
    return {}


def names(ca: StepCa, declared: ServiceCertificate, node: str) -> list[str]:
    """The DNS names of a service's certificate on a node (seed 001, fact 38)."""
    own = [node, f"{node}.nodes.{ca.domain}", f"{node}.{ca.domain}", "localhost"]
    return list(dict.fromkeys([*own, *declared.names]))


def _certificate(bed: Bed, pki: Pki, name: str, node: str) -> dict[str, FileSpec]:
    declared, address = bed.service_certificates[name], bed.nodes[node].oobi
    assert bed.step_ca is not None
    pair = pki.short_leaf(
        INTERMEDIATE, ROOT, f"{name}-{node}", dns=names(bed.step_ca, declared, node),
        addresses=[address] if address else [], lifetime=declared.lifetime,
    )  # fmt: skip
    return {
        declared.certificate: FileSpec(pair.certificate, owner=declared.owner),
        declared.key: FileSpec(pair.key, 0o600, declared.owner),
    }
