"""Generators of load in pods: their image, and who may make them. Nothing of them runs until a load target is driven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lab import kubernetes
from lab.pki import Pki
from plumbline.bed import Bed
from plumbline.load import rights

IMAGE = "load"


def credentials(bed: Bed, pki: Pki, folder: Path) -> dict[str, str]:
    """The kubeconfig of the user who makes the pods, and may do nothing else."""
    if not rights.workers_needed(bed):
        return {}
    return {rights.WORKERS_CREDENTIAL: kubernetes.credential(bed, pki, rights.WORKERS, folder / "workers_kubeconfig")}


def manifests(bed: Bed) -> list[dict[str, Any]]:
    """Their namespace, and the rights of that user, as any bed has them that has workers."""
    if not rights.workers_needed(bed):
        return []
    return list(yaml.safe_load_all(rights.WORKERS_FILE.read_text(encoding="utf-8")))
