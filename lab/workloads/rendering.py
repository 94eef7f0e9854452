"""From a workload's declaration to Kubernetes objects: one template a program, and the controller around its pods.

A template gives YAML documents. The one of kind `Pods` is what its pods are (`spec`), how they are replaced
(`strategy`), what they are restarted for (`reload`) and which metrics they show (`metrics`); everything that the bed
file declares, such as node selector, labels, networks and replicas, is added here, the same for all programs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from lab.errors import LabError
from lab.images import RECIPES
from plumbline.bed import Bed
from plumbline.bed.cluster import NETWORKS
from plumbline.bed.model import Workload

Manifest = dict[str, Any]

METRICS = "plumbline.lab/metrics"
CONFIGURATION = "plumbline.lab/configuration"
PROVIDES = "plumbline.lab/provides"
"""What other pods need a workload for before they can start."""
_HERE = Path(__file__).parent
_TEMPLATES = _HERE / "templates"
_CLUSTER_KINDS = {"ClusterRole", "ClusterRoleBinding", "APIService", "Namespace", "PersistentVolume", "ClusterIssuer"}
_IMAGE = re.compile(r"image\('([a-z0-9-]+)'\)")


def _script(name: str) -> str:
    """Text of a program of the lab's own that a pod is given in a ConfigMap."""
    return (_HERE / "programs" / name).read_text()


_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_environment.globals |= {"image": lambda name: RECIPES[name].reference, "script": _script}


@dataclass(frozen=True)
class Material:
    """What a template needs beside the bed: secret values by secret/KEY, PEM files by workload, authorities, sites."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)
    kubernetes_ca: bytes = b""
    public_ca: bytes = b""
    sites: tuple[str, ...] = ()

    @property
    def kubernetes_ca_base64(self) -> str:
        """The authority of the API server as Kubernetes wants it in its own objects."""
        return base64.b64encode(self.kubernetes_ca).decode()


def programs() -> list[str]:
    """The programs that there is a template for."""
    return sorted(path.name.removesuffix(".yaml.j2") for path in _TEMPLATES.glob("[a-z]*.yaml.j2"))


def program_images(program: str) -> set[str]:
    """Short names of the images that a program's template uses."""
    return set(_IMAGE.findall(_source(program).read_text()))


def render(bed: Bed, name: str, material: Material) -> list[Manifest]:
    """The objects of one workload. LabError where there is no template for its program."""
    workload = bed.workloads[name]
    template = _environment.get_template(_source(workload.program).name)
    try:
        text = template.render(
            bed=bed,
            name=name,
            workload=workload,
            labels=workload.labels(name),
            material=material,
            kubernetes=bed.kubernetes,
            personas={n: p for n, p in bed.personas.items() if p.workload == name},
            host_of=bed.host_of,
            running=lambda program: [n for n, w in bed.workloads.items() if w.program == program],
        )
    except TemplateError as error:
        raise LabError(
            f"workload {name}: the bed file lacks something that the program {workload.program} needs: {error}",
            remedy=f"see what lab/workloads/templates/{workload.program}.yaml.j2 takes from the bed",
        ) from error
    try:
        documents = [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]
    except yaml.YAMLError as error:
        raise LabError(f"the template of {workload.program} gives no YAML for {name}: {error}") from error
    configuration = [d for d in documents if d["kind"] in ("ConfigMap", "Secret")]
    finished = [
        _controller(bed, name, workload, document, configuration) if document["kind"] == "Pods" else document
        for document in documents
    ]
    for document in finished:
        _place(document, name, workload)
    return finished


def _source(program: str) -> Path:
    source = _TEMPLATES / f"{program}.yaml.j2"
    if not re.fullmatch(r"[a-z0-9-]+", program) or not source.exists():
        raise LabError(
            f"the lab has no template for the program {program!r}",
            remedy=f"use one of {', '.join(programs())}, or add lab/workloads/templates/{program}.yaml.j2",
        )
    return source


def _place(document: Manifest, name: str, workload: Workload) -> None:
    metadata = document.setdefault("metadata", {})
    metadata.setdefault("name", name)
    metadata.setdefault("labels", {}).setdefault("app.kubernetes.io/name", name)
    if document["kind"] not in _CLUSTER_KINDS:
        metadata.setdefault("namespace", workload.namespace)


def _controller(bed: Bed, name: str, workload: Workload, pods: Manifest, configuration: list[Manifest]) -> Manifest:
    selector = workload.labels(name)
    spec: dict[str, Any] = {
        "enableServiceLinks": False,
        "automountServiceAccountToken": "serviceAccountName" in pods["spec"],
        "terminationGracePeriodSeconds": 5,
        **pods["spec"],
    }
    if workload.on:
        spec["nodeSelector"] = dict(workload.on)
    for container in spec["containers"] + spec.get("initContainers", []):
        container.setdefault("imagePullPolicy", "Never")
        container.setdefault("resources", {}).setdefault("requests", {"cpu": "5m", "memory": "16Mi"})
    template = {
        "metadata": {
            "labels": {"app.kubernetes.io/name": name, **selector, **pods.get("labels", {})},
            "annotations": _pod_annotations(bed, workload, pods, configuration),
        },
        "spec": spec,
    }
    body: dict[str, Any] = {"selector": {"matchLabels": selector}, "template": template}
    if workload.kind != "DaemonSet":
        body["replicas"] = workload.replicas
    if workload.kind == "Deployment":
        body["revisionHistoryLimit"] = 2
        body["strategy"] = {"type": pods.get("strategy", "RollingUpdate")}
    if workload.kind == "StatefulSet":
        body["serviceName"] = name
        body["podManagementPolicy"] = "Parallel"
    reload: dict[str, list[str]] = pods.get("reload", {})
    annotations = {f"{kind}.reloader.stakater.com/reload": ",".join(names) for kind, names in reload.items() if names}
    if "provides" in pods:
        annotations[PROVIDES] = pods["provides"]
    return {
        "apiVersion": "apps/v1",
        "kind": workload.kind,
        "metadata": {"name": name, "annotations": annotations},
        "spec": body,
    }


def _pod_annotations(bed: Bed, workload: Workload, pods: Manifest, configuration: list[Manifest]) -> dict[str, str]:
    result = {str(key): str(value) for key, value in pods.get("annotations", {}).items()}
    if workload.attach:
        attachment = bed.attachments[workload.attach]
        local = attachment.namespace == workload.namespace
        result[NETWORKS] = workload.attach if local else f"{attachment.namespace}/{workload.attach}"
    if "metrics" in pods:
        result[METRICS] = pods["metrics"]
    if configuration:
        # A pod that reads its configuration once must be replaced when the configuration is.
        data = json.dumps([[d.get("data"), d.get("stringData")] for d in configuration], sort_keys=True)
        result[CONFIGURATION] = hashlib.sha256(data.encode()).hexdigest()[:16]
    return result
