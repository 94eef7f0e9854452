"""What the API server said, as typed objects. Unknown is raised where a list could not be read; None is "not there"."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from plumbline import x509
from plumbline.bed import Bed
from plumbline.bed.cluster import NETWORKS
from plumbline.facts import conditions
from plumbline.outcome import Unknown

API = "kubernetes:api"
Object = dict[str, Any]
_KINDS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
_NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"


@dataclass(frozen=True)
class Attached:
    """An interface that a pod was given beside eth0, as its annotation says it."""

    network: str
    interface: str
    addresses: tuple[str, ...]
    mac: str


@dataclass(frozen=True)
class Pod:
    """A pod; `workload` is the bed's name for what it belongs to, or empty."""

    namespace: str
    name: str
    uid: str
    node: str
    workload: str
    address: str
    phase: str
    ready: bool
    ending: bool
    restarts: int
    reason: str
    wants: str
    attached: tuple[Attached, ...]
    raw: Object = field(repr=False, compare=False)

    @property
    def full_name(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"

    @property
    def net1(self) -> str:
        """The address of net1, or empty."""
        return next((a.addresses[0] for a in self.attached if a.interface == "net1" and a.addresses), "")

    def environment(self, name: str) -> str | None:
        """The literal value of a variable in the first container that has it."""
        for container in self.raw["spec"].get("containers", ()):
            for variable in container.get("env", ()):
                if variable["name"] == name:
                    return str(variable["value"]) if "value" in variable else None
        return None


@dataclass(frozen=True)
class Member:
    """A node as the cluster sees it."""

    name: str
    labels: dict[str, str]
    ready: bool
    reason: str
    unschedulable: bool
    taints: tuple[str, ...]
    version: str
    address: str
    raw: Object = field(repr=False, compare=False)


@dataclass(frozen=True)
class Controller:
    """A Deployment, StatefulSet or DaemonSet: how many pods it wants, has, and has ready."""

    kind: str
    namespace: str
    name: str
    desired: int
    current: int
    ready: int
    updated: int
    selector: dict[str, str]
    raw: Object = field(repr=False, compare=False)


@dataclass(frozen=True)
class Secret:
    """A secret without its values: keys, which are empty, digests that compare within a run, certificates by key."""

    namespace: str
    name: str
    keys: tuple[str, ...]
    empty: tuple[str, ...]
    digests: dict[str, str] = field(repr=False)
    key_matches: bool | None
    pem: dict[str, str] = field(repr=False)
    placeholders: tuple[str, ...] = ()

    def chain(self, key: str = "tls.crt") -> tuple[x509.Certificate, ...]:
        """The certificates under a key, none where there is none. ValueError where they cannot be read."""
        return x509.parse(self.pem[key]) if key in self.pem else ()


@dataclass(frozen=True)
class Issued:
    """A Certificate of cert-manager: how often it was issued, and whether it is in order."""

    namespace: str
    name: str
    ready: bool
    reason: str
    revision: int
    secret: str
    issuer: str
    renewal: str | None
    raw: Object = field(repr=False, compare=False)


class Cluster:
    """Reads the facts of `kubernetes.json`. A source that is not ok is never given to it."""

    def __init__(self, facts: Object, bed: Bed) -> None:
        self._facts = facts
        self._bed = bed

    @property
    def version(self) -> str:
        """The version of the API server."""
        return str(self._facts.get("version") or "")

    @property
    def ready_checks(self) -> tuple[str, ...]:
        """The lines of /readyz?verbose that do not say ok. Unknown where it could not be asked."""
        return tuple(line for line in self._of("readyz") if line.startswith("[-]"))

    @property
    def readyz(self) -> dict[str, bool]:
        """The API server's checks of itself, and whether each is ok. Unknown where it could not be asked."""
        marks = {"[+]": True, "[-]": False}
        return {line[3:].split()[0]: marks[line[:3]] for line in self._of("readyz") if line[:3] in marks}

    def allowed(self, right: str) -> bool:
        """Whether the gate's own role may do something, by the name of the right. Unknown where that was not said."""
        rights: Object = self._facts.get("rights") or {}
        if right not in rights:
            error = self._facts.get("errors", {}).get("rights", "it was not asked for")
            raise Unknown(f"the API server did not say whether the gate may {right}: {error}", cause=API)
        return bool(rights[right])

    def objects(self, kind: str) -> tuple[Object, ...]:
        """All objects of a kind as they are, by its plural: services, networkpolicies, …"""
        return tuple(self._of(kind))

    def object(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object as it is; `namespace` is empty for kinds that have none."""
        for item in self._of(kind):
            metadata = item["metadata"]
            if metadata["name"] == name and metadata.get("namespace", "") == namespace:
                return dict(item)
        return None

    @cached_property
    def nodes(self) -> dict[str, Member]:
        """The members of the cluster by name."""
        return {item["metadata"]["name"]: _member(item) for item in self._of("nodes")}

    def node(self, name: str) -> Member | None:
        """A member of the cluster."""
        return self.nodes.get(name)

    @cached_property
    def all_pods(self) -> tuple[Pod, ...]:
        """All pods."""
        return tuple(_pod(item, self._workload_of(item["metadata"])) for item in self._of("pods"))

    def pods(self, workload: str) -> tuple[Pod, ...]:
        """The pods of a workload of the bed, by name, those that are ending left out."""
        return tuple(
            sorted((p for p in self.all_pods if p.workload == workload and not p.ending), key=lambda p: p.name)
        )

    def pod(self, namespace: str, name: str) -> Pod | None:
        """One pod."""
        return next((p for p in self.all_pods if (p.namespace, p.name) == (namespace, name)), None)

    def controller(self, workload: str) -> Controller | None:
        """The Deployment, StatefulSet or DaemonSet of a workload of the bed."""
        declared = self._bed.workloads[workload]
        item = self.object(_KINDS[declared.kind], declared.namespace, declared.called(workload))
        return _controller(declared.kind, item) if item else None

    def secret(self, namespace: str, name: str) -> Secret | None:
        """A secret that the bed file names."""
        found = self._named("secrets", f"{namespace}/{name}")
        if found is None:
            return None
        return Secret(
            namespace, name, tuple(found["keys"]), tuple(found["empty"]), found["digests"], found["key_matches"],
            found["certificates"], tuple(found.get("placeholders", ())),
        )  # fmt: skip

    def configmap(self, namespace: str, name: str) -> dict[str, str] | None:
        """The data of a configmap that the bed file names."""
        found = self._named("configmaps", f"{namespace}/{name}")
        return None if found is None else dict(found["data"])

    def bundle(self, authority: str) -> str | None:
        """The published certificate (PEM) of an authority of the bed; None where it is not published."""
        bundle = self._bed.authorities[authority].bundle
        if bundle.configmap:
            return (self.configmap(bundle.configmap.namespace, bundle.configmap.name) or {}).get(bundle.key)
        if bundle.secret:
            secret = self.secret(bundle.secret.namespace, bundle.secret.name)
            return secret.pem.get(bundle.key) if secret else None
        return None

    def issued(self, namespace: str, name: str) -> Issued | None:
        """The Certificate of cert-manager of this name, or the one that keeps the secret of this name."""
        for item in self._of("certificates"):
            if item["metadata"]["namespace"] == namespace and name in (
                item["metadata"]["name"],
                item["spec"].get("secretName"),
            ):
                return _issued(item)
        return None

    def issuer_ready(self, name: str) -> tuple[bool, str] | None:
        """Whether a ClusterIssuer is ready, and what it says."""
        item = self.object("clusterissuers", "", name)
        return None if item is None else _condition(item, "Ready")

    def _workload_of(self, metadata: Object) -> str:
        labels = metadata.get("labels") or {}
        for name, workload in self._bed.workloads.items():
            if workload.namespace == metadata["namespace"] and workload.labels(name).items() <= labels.items():
                return name
        return ""

    def _of(self, kind: str) -> list[Any]:
        if kind in self._facts:
            return list(self._facts[kind])
        error = self._facts.get("errors", {}).get(kind, "it was not asked for")
        raise Unknown(f"the API server did not list {kind}: {error}", cause=API)

    def _named(self, kind: str, name: str) -> Object | None:
        if name in self._facts.get(kind, {}):
            return dict(self._facts[kind][name])
        error = self._facts.get("errors", {}).get(f"{kind} {name}", "the bed file does not name it")
        if error.startswith("404"):
            return None
        raise Unknown(f"the API server did not give {kind} {name}: {error}", cause=API)


def _condition(item: Object, kind: str) -> tuple[bool, str]:
    found = conditions.condition(item, kind)
    if found is None:
        return False, f"it has no condition {kind}"
    return found["status"] == "True", ": ".join(filter(None, (found.get("reason"), found.get("message"))))


def _member(item: Object) -> Member:
    ready, reason = _condition(item, "Ready")
    addresses = {a["type"]: a["address"] for a in item["status"].get("addresses", ())}
    return Member(
        item["metadata"]["name"], item["metadata"].get("labels") or {}, ready, reason,
        bool(item["spec"].get("unschedulable")),
        tuple(f"{t['key']}:{t['effect']}" for t in item["spec"].get("taints", ())),
        item["status"].get("nodeInfo", {}).get("kubeletVersion", ""), addresses.get("InternalIP", ""), item,
    )  # fmt: skip


def _pod(item: Object, workload: str) -> Pod:
    metadata, status = item["metadata"], item["status"]
    states = status.get("containerStatuses", ())
    waiting = [s["state"]["waiting"] for s in states if "waiting" in s.get("state", {})]
    said = next((f"{w.get('reason')}: {w.get('message', '')}".strip(": ") for w in waiting), "")
    ready, why = _condition(item, "Ready")
    _, scheduled = _condition(item, "PodScheduled")
    annotations = metadata.get("annotations") or {}
    return Pod(
        metadata["namespace"], metadata["name"], metadata["uid"], item["spec"].get("nodeName", ""), workload,
        status.get("podIP", ""), status.get("phase", ""), ready, "deletionTimestamp" in metadata,
        sum(s.get("restartCount", 0) for s in states),
        said or ("" if ready else (scheduled if "nodeName" not in item["spec"] else why)),
        annotations.get(NETWORKS, ""), _attached(annotations.get(_NETWORK_STATUS, "")), item,
    )  # fmt: skip


def _attached(text: str) -> tuple[Attached, ...]:
    try:
        entries = json.loads(text) if text else []
        return tuple(
            Attached(e.get("name", ""), e.get("interface", ""), tuple(e.get("ips") or ()), e.get("mac", ""))
            for e in entries
            if not e.get("default")
        )
    except (ValueError, AttributeError, TypeError):
        return ()


def _controller(kind: str, item: Object) -> Controller:
    status, spec = item.get("status", {}), item["spec"]
    daemon = kind == "DaemonSet"
    return Controller(
        kind, item["metadata"]["namespace"], item["metadata"]["name"],
        status.get("desiredNumberScheduled", 0) if daemon else spec.get("replicas", 1),
        status.get("currentNumberScheduled", 0) if daemon else status.get("replicas", 0),
        status.get("numberReady", 0) if daemon else status.get("readyReplicas", 0),
        status.get("updatedNumberScheduled", 0) if daemon else status.get("updatedReplicas", 0),
        spec["template"]["spec"].get("nodeSelector") or {}, item,
    )  # fmt: skip


def _issued(item: Object) -> Issued:
    ready, reason = _condition(item, "Ready")
    spec, status = item["spec"], item.get("status", {})
    return Issued(
        item["metadata"]["namespace"], item["metadata"]["name"], ready, reason, int(status.get("revision") or 0),
        spec.get("secretName", ""), spec.get("issuerRef", {}).get("name", ""), status.get("renewalTime"), item,
    )  # fmt: skip
