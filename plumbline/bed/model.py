"""The parts of a bed file. Every suite, the lab, the faults and the load read these and nothing else."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PrivateAttr

from plumbline.bed.cluster import (
    Absent,
    Attachment,
    Dns,
    Kubernetes,
    Nfs,
    Overlay,
    Prometheus,
    SameSecret,
    Secret,
    Services,
    Storage,
    Workload,
)
from plumbline.bed.consul import Consul
from plumbline.bed.machines import (
    Access,
    Allow,
    Dhcp,
    HostProfile,
    Hosts,
    Network,
    Node,
    NotApplicable,
    Ssh,
    Waiver,
)
from plumbline.bed.pki import Renewal, ServiceCertificate, SshCertificates, SshRenewal, SshUser, StepCa
from plumbline.bed.slurm import Accounting, ComputeNode, Jobs, JobSize, Partition, Slurm
from plumbline.bed.throughput import Factors, Load, LoadLimits, Promise, Ratio, Target
from plumbline.bed.traffic import (
    Authority,
    BadOrigin,
    Bundle,
    Certificate,
    Flow,
    Ngfw,
    Persona,
    Snmp,
)
from plumbline.bed.tree import Tree
from plumbline.bed.types import Duration, Labels, Name, Strict
from plumbline.bed.vault import Vault

VERSION = 1

__all__ = [
    "VERSION",
    "Absent",
    "Access",
    "Accounting",
    "Allow",
    "Attachment",
    "Authority",
    "BadOrigin",
    "Bed",
    "Bundle",
    "Certificate",
    "ComputeNode",
    "Consul",
    "Dhcp",
    "Dns",
    "Factors",
    "Flow",
    "HostProfile",
    "Hosts",
    "JobSize",
    "Jobs",
    "Kubernetes",
    "Load",
    "LoadLimits",
    "Network",
    "Nfs",
    "Ngfw",
    "Node",
    "NotApplicable",
    "Overlay",
    "Partition",
    "Persona",
    "Prometheus",
    "Promise",
    "Ratio",
    "Renewal",
    "SameSecret",
    "Secret",
    "ServiceCertificate",
    "Services",
    "Slurm",
    "Snmp",
    "Ssh",
    "SshCertificates",
    "SshRenewal",
    "SshUser",
    "StepCa",
    "Storage",
    "Target",
    "Vault",
    "Waiver",
    "Workload",
]


class Bed(Strict):
    """A whole bed file, version 1, ranges expanded."""

    version: Literal[1] = Field(description="of the form of this file")
    extends: str | None = Field(
        default=None, exclude=True, description="a bed file under this one; keys here win, null deletes"
    )
    bed: Name = Field(description="the name of this bed")
    title: str = ""
    realised_by: Literal["lab", "hardware"] = Field(description="lab: this project brings it up; hardware: it stands")
    allow: Allow = Allow()
    access: Access = Access()
    hosts: Hosts | None = Field(
        default=None, exclude=True, description="nodes that an inventory of another tool declares"
    )
    nodes: dict[Name, Node] = Field(min_length=1)
    networks: dict[Name, Network]
    host: tuple[HostProfile, ...] = ()
    not_applicable: tuple[NotApplicable, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    kubernetes: Kubernetes | None = None
    attachments: dict[Name, Attachment] = Field(default={})
    workloads: dict[Name, Workload] = Field(default={})
    personas: dict[Name, Persona] = Field(default={})
    authorities: dict[Name, Authority] = Field(default={})
    certificates: dict[Name, Certificate] = Field(default={})
    secrets: dict[Name, Secret] = Field(default={})
    same_secret: tuple[SameSecret, ...] = ()
    storage: dict[Name, Storage] = Field(default={})
    ngfw: Ngfw | None = None
    flows: tuple[Flow, ...] = ()
    services: Services = Services()
    step_ca: StepCa | None = None
    service_certificates: dict[Name, ServiceCertificate] = Field(default={})
    consul: Consul | None = None
    vault: Vault | None = None
    slurm: Slurm | None = None
    ssh_certificates: SshCertificates | None = None
    load: Load | None = None
    budgets: dict[str, Duration] = Field(
        default={}, description="how long a thing may take; experiments name budgets of their own"
    )

    _path: Path = PrivateAttr(Path("bed"))
    _tree: Tree | None = PrivateAttr(None)

    def read_from(self, path: Path, tree: Tree) -> Self:
        """This bed, knowing the file that it was read from and the place of each value in it."""
        self._path, self._tree = path, tree
        return self

    @property
    def path(self) -> Path:
        """The file that this bed was read from."""
        return self._path

    def where(self, path: str) -> str:
        """File and line of the key at a dotted path, or of what holds it where it is left to its default.

        >>> bed.where("networks.browsers.mtu")
        'inventories/lab.yaml:26'
        """
        if self._tree is None:
            return str(self._path)
        spot = self._tree.find(path).key
        return f"{spot.file}:{spot.line}"

    @property
    def kubernetes_nodes(self) -> dict[str, Node]:
        """The nodes that are members of the cluster, by name."""
        return {name: node for name, node in self.nodes.items() if node.kubernetes}

    @property
    def vlans(self) -> dict[str, Network]:
        """The networks of the data plane, by name."""
        return {name: network for name, network in self.networks.items() if network.vlan is not None}

    def selected(self, labels: Labels) -> list[str]:
        """Names of the Kubernetes nodes that carry all these labels."""
        return [n for n, node in self.kubernetes_nodes.items() if labels.items() <= node.labels.items()]

    def host_of(self, workload: str) -> str:
        """The DNS name of a workload's Service within the cluster."""
        domain = self.kubernetes.domain if self.kubernetes else "cluster.local"
        return f"{workload}.{self.workloads[workload].namespace}.svc.{domain}"

    def asking_gateway(self, network: str) -> str:
        """The gateway of a network, where somebody can log in to it and ask from there; empty where nobody can."""
        gateway = self.networks[network].gateway
        return gateway if gateway and self.nodes[gateway].ssh else ""

    def gateway_address(self, network: str) -> IPv4Address | None:
        """The address of a network's gateway, or None where it has none."""
        declared = self.networks[network]
        return declared.addresses.get(declared.gateway) if declared.gateway else None
