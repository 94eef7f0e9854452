"""Workloads and storage, seen as what must be where."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.bed import Bed
from plumbline.bed.model import Node, Workload
from plumbline.check import Case
from plumbline.subjects import Thing, case


@dataclass(frozen=True)
class Daemon:
    """A pod that a DaemonSet must have on one node."""

    workload: str
    node: str


@dataclass(frozen=True)
class Environment:
    """A secret that the pods of a workload are given as variables."""

    workload: str
    secret: str
    namespace: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Writer:
    """A workload that writes to an export, and the workload that serves it."""

    workload: str
    server: str


def _of_workloads(bed: Bed, kind: str, also: str = "") -> list[Case]:
    return [
        case(
            bed,
            f"{kind}:{name}",
            Thing(name, workload),
            where=f"workloads.{name}",
            also=[f"{also}:{name}"] if also else [],
        )
        for name, workload in bed.workloads.items()
    ]


def controllers(bed: Bed) -> list[Case]:
    """The Deployment, StatefulSet or DaemonSet of each workload: Thing[Workload]."""
    return _of_workloads(bed, "controller")


def selectors(bed: Bed) -> list[Case]:
    """Which nodes each workload asks for: Thing[Workload]."""
    return _of_workloads(bed, "selector")


def replicas(bed: Bed) -> list[Case]:
    """How many pods each workload wants: Thing[Workload]."""
    return _of_workloads(bed, "replicas")


def placements(bed: Bed) -> list[Case]:
    """Where the pods of each workload are: Thing[Workload]."""
    return _of_workloads(bed, "placement")


def containers(bed: Bed) -> list[Case]:
    """How calmly the containers of each workload run: Thing[Workload]."""
    return _of_workloads(bed, "containers", also="workload")


def daemons(bed: Bed) -> list[Case]:
    """Each node on which a DaemonSet must have a pod: Daemon."""
    return [
        case(bed, f"daemon:{name}/{node}", Daemon(name, node), id=f"{name} {node}", where=f"workloads.{name}")
        for name, workload in bed.workloads.items()
        if workload.kind == "DaemonSet"
        for node in bed.selected(workload.on)
    ]


def data_plane_nodes(bed: Bed) -> list[Case]:
    """Members of the cluster whose data NIC carries test traffic: Thing[Node]."""
    found: dict[str, Node] = {name: node for name, node in bed.kubernetes_nodes.items() if node.trunk}
    return [
        case(bed, f"strangers:{name}", Thing(name, node), where=f"nodes.{name}", also=[f"kubelet:{name}"])
        for name, node in found.items()
    ]


def environments(bed: Bed) -> list[Case]:
    """Each secret of each workload: Environment."""
    return [
        case(
            bed,
            f"environment:{name}/{secret}",
            Environment(name, secret, workload.namespace, bed.secrets[secret].keys),
            id=f"{name} {secret}",
            where=f"workloads.{name}.secrets",
            also=[f"workload:{name}"],
        )
        for name, workload in bed.workloads.items()
        for secret in workload.secrets
    ]


def volumes(bed: Bed) -> list[Case]:
    """PersistentVolumes: Thing[Storage], subject storage:NAME."""
    return _of_storage(bed, "storage")


def claims(bed: Bed) -> list[Case]:
    """What each PersistentVolume is bound to: Thing[Storage]."""
    return _of_storage(bed, "claim")


def sizes(bed: Bed) -> list[Case]:
    """How large each PersistentVolume is, and how it may be used: Thing[Storage]."""
    return _of_storage(bed, "volume-mode")


def places(bed: Bed) -> list[Case]:
    """Where the data of each PersistentVolume is: Thing[Storage]."""
    return _of_storage(bed, "volume-place")


def _of_storage(bed: Bed, kind: str) -> list[Case]:
    also = ["storage"] if kind != "storage" else []
    return [
        case(bed, f"{kind}:{name}", Thing(name, storage), where=f"storage.{name}", also=[f"{a}:{name}" for a in also])
        for name, storage in bed.storage.items()
    ]


def mounted(bed: Bed) -> list[Case]:
    """Workloads whose storage is a disk of their own node: Thing[Workload]."""
    return [
        case(bed, f"mount:{name}", Thing(name, w), where=f"workloads.{name}.storage", also=[f"workload:{name}"])
        for name, w in bed.workloads.items()
        if w.storage and bed.storage[w.storage].node is not None
    ]


def exporters(bed: Bed) -> list[Case]:
    """Workloads that serve NFS: Thing[Workload]."""
    servers: dict[str, Workload] = {s.nfs.server: bed.workloads[s.nfs.server] for s in bed.storage.values() if s.nfs}
    return [
        case(bed, f"nfs:{name}", Thing(name, w), where=f"workloads.{name}", also=[f"placement:{name}"])
        for name, w in servers.items()
    ]


def writers(bed: Bed) -> list[Case]:
    """Workloads that write to an export: Writer."""
    return [
        case(
            bed,
            f"beside:{name}",
            Writer(name, store.nfs.server),
            where=f"storage.{workload.storage}",
            also=[f"placement:{name}", f"placement:{store.nfs.server}"],
        )
        for name, workload in bed.workloads.items()
        if workload.storage and (store := bed.storage[workload.storage]).nfs and store.mode == "ReadWriteMany"
    ]


def readers(bed: Bed) -> list[Case]:
    """Workloads that use an export: Thing[Workload]."""
    return _nfs_users(bed, "nfs-path")


def attached_readers(bed: Bed) -> list[Case]:
    """Those of them that are on the data plane too, behind a gateway that can be asked from: Thing[Workload]."""
    networks = {name: bed.attachments[w.attach].network for name, w in bed.workloads.items() if w.attach}
    return [
        one
        for one in _nfs_users(bed, "nfs-port")
        if one.value.name in networks and bed.asking_gateway(networks[one.value.name])
    ]


def _nfs_users(bed: Bed, kind: str) -> list[Case]:
    return [
        case(bed, f"{kind}:{name}", Thing(name, w), where=f"storage.{w.storage}.nfs", also=[f"workload:{name}"])
        for name, w in bed.workloads.items()
        if w.storage and bed.storage[w.storage].nfs
    ]


def nfs_hosts(bed: Bed) -> list[Case]:
    """Members of the cluster, none of which may serve NFS itself: Thing[Node]."""
    if not any(s.nfs for s in bed.storage.values()):
        return []
    return [
        case(bed, f"nfs-host:{name}", Thing(name, node), where=f"nodes.{name}", also=[f"node:{name}"])
        for name, node in bed.kubernetes_nodes.items()
        if node.ssh
    ]
