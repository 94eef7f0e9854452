"""Everything that is applied to the lab's Kubernetes so that the workloads of a bed file run.

`manifests` is a pure function of the bed, the PKI and the secrets' values; `apply` and `wait_ready` make it so.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import yaml

from lab import generators, kwok, netns, programs
from lab.pki import Pki
from lab.progress import Progress
from lab.workloads import objects
from lab.workloads.applying import apply
from lab.workloads.client import Client
from lab.workloads.materials import material
from lab.workloads.node_files import files
from lab.workloads.ready import wait_ready
from lab.workloads.rendering import Manifest, Material, program_images, render
from lab.workloads.roles import GATE, access
from lab.workloads.scaling import scalers
from lab.workloads.secrets import values
from lab.workloads.settling import replace_outdated, wait_settled
from plumbline.bed import Bed
from plumbline.load import rights

__all__ = [
    "GATE",
    "Manifest",
    "Material",
    "apply",
    "definitions",
    "files",
    "images",
    "manifests",
    "material",
    "realise",
    "values",
    "wait_ready",
]

PAUSE = "pause"
STEP = "workloads"
_RUNNER = "runner"


def manifests(bed: Bed, pki: Pki, secrets: Material) -> list[Manifest]:
    """All objects of the bed's cluster, but the kinds of cert-manager, which `definitions` gives.

    LabError where a workload's program has no template, or where the bed leaves out what an object needs.
    """
    common = [
        *objects.namespaces(bed),
        objects.attachment_definition(),
        *access(bed),
        *kwok.manifests(bed),
        *generators.manifests(bed),
        *objects.storage(bed),
        *objects.attachments(bed),
        *objects.secrets(bed, secrets.secrets),
        *objects.authorities(bed, pki),
        *objects.certificates(bed),
    ]
    own = [manifest for name in bed.workloads for manifest in render(bed, name, secrets)]
    return [objects.encoded(manifest) for manifest in (*common, *own, *scalers(bed))]


def definitions(bed: Bed, progress: Progress | None = None) -> list[Manifest]:
    """The kinds that cert-manager defines, where the bed has certificates; from the same release as its controller."""
    if not bed.certificates:
        return []
    text = programs.ensure(["cert-manager-crds"], progress)["cert-manager-crds.yaml"].read_text()
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def images(bed: Bed) -> set[str]:
    """Short names of the images that the bed's pods are made of."""
    of_workloads = {image for workload in bed.workloads.values() for image in program_images(workload.program)}
    return {PAUSE} | of_workloads | ({generators.IMAGE} if rights.workers_needed(bed) else set())


def realise(bed: Bed, wanted: list[Manifest], kubeconfig: Path, deadline: float, progress: Progress) -> None:
    """Apply everything and wait until it works; `deadline` is `time.monotonic()` time. Again, it changes nothing."""
    namespace = netns.path(bed.bed, _RUNNER)
    with Client(kubeconfig, namespace if namespace.exists() else None) as client:
        tell = partial(progress.detail, STEP)
        apply(wanted, client, deadline, tell)
        wait_ready(wanted, client, deadline, tell)
        replace_outdated(bed, client)
        wait_settled(bed, client, deadline, tell)
