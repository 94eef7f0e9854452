"""The cluster of a bed: what runs in it, where, with which networks, secrets and storage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from plumbline.bed.types import Address, Cidr, Count, Integers, Labels, Mtu, Name, Port, Strict, Whole

NETWORKS = "k8s.v1.cni.cncf.io/networks"
"""The annotation by which a pod names the networks it is attached to (Network Plumbing Working Group)."""


class Overlay(Strict):
    """The pod network between nodes."""

    backend: Literal["vxlan"] = "vxlan"
    port: Port = 8472
    interface: str = "eth0"


class Absent(Strict):
    """An object that must not exist."""

    kind: str
    namespace: str
    name: str


class Kubernetes(Strict):
    """The cluster."""

    version: str = Field(description="of the API server and of kubelets, or how it begins, such as v1.32")
    api: str
    pods: Cidr
    services: Cidr
    dns: Address
    domain: str = "cluster.local"
    overlay: Overlay = Overlay()
    zones: dict[str, Literal["personas"]] = Field(default={})
    absent: tuple[Absent, ...] = ()


class Attachment(Strict):
    """A NetworkAttachmentDefinition: macvlan on a VLAN interface of the node, given to pods as net1."""

    namespace: Name
    network: Name
    ipam: Literal["host-local", "dhcp", "static"]
    address: Address | None = None
    mtu: Mtu | None = Field(default=None, description="of net1, where it is not that of the network")
    routes: tuple[Cidr, ...] = ()


class Autoscaler(Strict):
    """What a HorizontalPodAutoscaler scales by."""

    cpu: Annotated[str, Field(pattern=r"^\d{1,4}(%|m)$")] = Field(
        description="of each pod on average, above which there should be more of them: 50% of its request, or 500m"
    )


class Workload(Strict):
    """Pods that must run, where, and with what."""

    namespace: Name
    kind: Literal["Deployment", "StatefulSet", "DaemonSet"]
    program: Name = Field(description="what runs in it; the lab has one template a program")
    pods: Labels = Field(
        default={}, description="labels of its pods; empty: app.kubernetes.io/name and the workload's name"
    )
    on: Labels = Field(default={}, description="node selector; empty: any node")
    object: Name | None = Field(
        default=None,
        description="name of its Deployment, StatefulSet or DaemonSet; by default the workload's: Helm's differ",
    )
    replicas: Count = 1
    scale: Integers | None = Field(default=None, description="replicas that are in order, such as 1-300")
    port: Port | None = None
    node_port: Port | None = Field(default=None, description="where every node passes on to it what comes from outside")
    attach: Name | None = None
    secrets: tuple[Name, ...] = ()
    certificate: Name | None = None
    storage: Name | None = None
    trusts: Name | None = Field(default=None, description="the authority whose bundle its clients trust")
    hpa: bool | Autoscaler = Field(default=False, description="its replicas follow its load, within its scale")
    uses: tuple[Name, ...] = Field(default=(), description="workloads without which its pods cannot work")

    def called(self, name: str) -> str:
        """What the object of the workload of this name is called."""
        return self.object or name

    def labels(self, name: str) -> dict[str, str]:
        """Labels that the pods of the workload of this name are found by."""
        return self.pods or {"app.kubernetes.io/name": name}


class Secret(Strict):
    """A secret and the keys that it must have; values never stand in a bed file."""

    namespace: Name
    keys: tuple[str, ...]


class SameSecret(Strict):
    """Values that must be equal wherever they stand, written secret/key or secret/key#password (of a URL)."""

    source: str
    values: tuple[str, ...] = Field(min_length=2)


class Nfs(Strict):
    """An NFS export: the workload that serves it, and the path."""

    server: Name
    path: str


class Storage(Strict):
    """A PersistentVolume and the claim that is bound to it, of the same name."""

    namespace: Name
    size: str
    mode: Literal["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"]
    node: Labels | None = None
    path: str | None = None
    nfs: Nfs | None = None


class Dns(Strict):
    """A resolver, asked from the pods of a workload."""

    server: Address
    from_: Name = Field(alias="from")
    zone: str


class Prometheus(Strict):
    """Scrape jobs and how many targets of each must be up."""

    workload: Name
    targets: dict[str, Whole]


class Cloned(Strict):
    """What a cloner has captured and the slots serve: the workload that writes it, and a page that each slot has."""

    workload: Name
    page: str = Field(pattern="^/")


class Services(Strict):
    """Shared services of the bed."""

    dns: Dns | None = None
    prometheus: Prometheus | None = None
    cloned: Cloned | None = None
