"""Agents that nobody boots: kwok, which plays them on the first node of the control plane, and who may make them.

Nothing is played until a load target makes agents: nodes of their own label, which exist for its run alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab import kubernetes, templates
from lab.disks import FileSpec
from lab.machine import Volume
from lab.pki import Pki
from lab.progress import Progress
from plumbline.bed import Bed
from plumbline.load import rights

PROGRAM, CONFIG, KUBECONFIG = "/usr/local/bin/kwok", "/etc/kwok/kwok.yaml", "/etc/kubernetes/kwok.kubeconfig"


def programs(bed: Bed) -> tuple[str, ...]:
    """The controller, where a load target makes attachments."""
    return ("kwok",) if rights.needed(bed) else ()


def files(bed: Bed, pki: Pki, folder: Path) -> dict[str, dict[str, FileSpec]]:
    """The unit, what it plays and how, and as whom."""
    return {
        node: {
            CONFIG: FileSpec(_rendered("kwok.yaml")),
            KUBECONFIG: FileSpec(kubernetes.kubeconfig(bed, pki, rights.PLAYER), mode=0o600),
            "/etc/systemd/system/kwok.service": FileSpec(_rendered("kwok.service")),
        }
        for node in _on(bed)
    }


def volumes(bed: Bed, binaries: Mapping[str, Path]) -> dict[str, dict[str, Volume]]:
    """The program."""
    return {node: {PROGRAM: Volume(binaries["kwok"])} for node in _on(bed)}


def units(bed: Bed, node: str) -> tuple[str, ...]:
    """The controller."""
    return ("kwok",) if node in _on(bed) else ()


def settle(bed: Bed, pki: Pki, folder: Path, deadline: float, progress: Progress) -> dict[str, str]:
    """The kubeconfig of the user who makes agents and attachments, and may do nothing else."""
    if not rights.needed(bed):
        return {}
    return {rights.CREDENTIAL: kubernetes.credential(bed, pki, rights.MAKER, folder / "load_kubeconfig")}


def manifests(bed: Bed) -> list[dict[str, Any]]:
    """The rights of both users, as any bed has them that allows this load."""
    return list(yaml.safe_load_all(rights.FILE.read_text(encoding="utf-8"))) if rights.needed(bed) else []


def _on(bed: Bed) -> list[str]:
    return kubernetes.control_plane(bed)[:1] if rights.needed(bed) else []


def _rendered(template: str) -> str:
    values = {"program": PROGRAM, "config": CONFIG, "kubeconfig": KUBECONFIG, "mark": rights.MARK}
    return templates.render(Path(__file__).parent, template, values)
