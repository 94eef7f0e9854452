"""The parts of a bed file. Every suite, the lab, the faults and the load read these and nothing else."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Literal

from pydantic import Field, PositiveInt

from plumbline.bed.types import Duration, Integers, Labels, Name, ObjectRef, Range, Strict


class Ssh(Strict):
    """How the runner logs in to the nodes of a real bed; the lab writes its own."""

    user: str = "root"
    config: str | None = Field(None, description="an ssh_config file; its Host entries are the node names")
    known_hosts: str | None = Field(None, description="known_hosts file, with the CA that signs host keys")
    sudo: bool = False


class Access(Strict):
    """How the runner reaches the bed."""

    runner: IPv4Address | None = Field(None, description="address of the machine that runs the suites, on OOBI")
    ssh: Ssh = Ssh()
    kubeconfig: str | None = Field(None, description="a file, or ${env:NAME}")
    context: str | None = None


class Allow(Strict):
    """What may be done to this bed beyond looking at it."""

    chaos: bool = False
    load: bool = False


class Node(Strict):
    """One machine of the bed, reached over OOBI."""

    role: Name
    oobi: IPv4Address | None = None
    kubernetes: Literal["control-plane", "worker"] | None = None
    trunk: Integers = Field(frozenset(), description="VLANs that the switch lets through to this node's data NIC")
    labels: Labels = {}
    also: tuple[IPv4Interface, ...] = Field((), description="further addresses, on the loopback")
    ssh: bool = Field(True, description="false for an appliance that no one can log in to")


class Dhcp(Strict):
    """The DHCP service of a network."""

    server: Name
    range: Range


class Network(Strict):
    """A network of the bed: OOBI, or a VLAN of the data plane."""

    cidr: IPv4Network
    vlan: int | None = Field(None, ge=1, le=4094)
    mtu: int = Field(1500, ge=576, le=9216)
    dscp: Literal["AF41", "CS0"] | None = Field(None, description="the class that must survive the path")
    gateway: Name | None = Field(None, description="the node that routes for this network")
    addresses: dict[Name, IPv4Address] = {}
    pool: Range | None = Field(None, description="addresses that pods are given")
    dhcp: Dhcp | None = None


class HostProfile(Strict):
    """What a node's own kernel and services must be like."""

    on: Labels = Field({}, description="labels of the nodes; empty: every Kubernetes node")
    source: str
    sysctls: dict[str, int | str] = {}
    swap: bool | None = None
    modules: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    transparent_hugepages: Literal["always", "madvise", "never"] | None = None
    cpu_governor: str | None = None
    clock_offset: Duration | None = Field(None, description="largest difference between clocks")


class NotApplicable(Strict):
    """A check that this bed cannot show, and why."""

    check: str
    subject: str = "*"
    why: str = Field(min_length=10)


class Waiver(Strict):
    """A failure that somebody accepts for a while."""

    check: str
    subject: str = "*"
    who: str
    why: str = Field(min_length=10)
    until: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="last day on which it holds")


class Overlay(Strict):
    """The pod network between nodes."""

    backend: Literal["vxlan"] = "vxlan"
    port: int = 8472
    interface: str = "eth0"


class Absent(Strict):
    """An object that must not exist."""

    kind: str
    namespace: str
    name: str


class Kubernetes(Strict):
    """The cluster."""

    version: str
    api: str
    pods: IPv4Network
    services: IPv4Network
    dns: IPv4Address
    domain: str = "cluster.local"
    overlay: Overlay = Overlay()
    zones: dict[str, Literal["personas"]] = {}
    absent: tuple[Absent, ...] = ()


class Attachment(Strict):
    """A NetworkAttachmentDefinition: macvlan on a VLAN interface of the node, given to pods as net1."""

    namespace: Name
    network: Name
    ipam: Literal["host-local", "dhcp", "static"]
    address: IPv4Address | None = None
    routes: tuple[IPv4Network, ...] = ()


class Workload(Strict):
    """Pods that must run, where, and with what."""

    namespace: Name
    kind: Literal["Deployment", "StatefulSet", "DaemonSet"]
    program: Name = Field(description="what runs in it; the lab has one template a program")
    on: Labels = Field({}, description="node selector; empty: any node")
    replicas: PositiveInt = 1
    scale: Integers | None = Field(None, description="replicas that are in order, such as 1-300")
    port: int | None = None
    attach: Name | None = None
    secrets: tuple[Name, ...] = ()
    certificate: Name | None = None
    storage: Name | None = None
    trusts: Name | None = Field(None, description="the authority whose bundle its clients trust")
    hpa: bool = False


class Persona(Strict):
    """An origin web server behind the NGFW."""

    workload: Name
    name: str
    address: IPv4Address
    network: Name
    alpn: tuple[str, ...] = ("h2", "http/1.1")
    quic: bool = False


class Bundle(Strict):
    """Where the certificate of an authority is published."""

    secret: ObjectRef | None = None
    configmap: ObjectRef | None = None
    key: str


class Authority(Strict):
    """A certificate authority of the bed."""

    issuer: str | None = Field(None, description="the ClusterIssuer that signs with it")
    secret: ObjectRef | None = None
    bundle: Bundle


class Certificate(Strict):
    """A certificate that must exist, be served and renew itself."""

    secret: ObjectRef
    names: tuple[str, ...]
    authority: Name
    lifetime: Duration
    renew_before: Duration
    key: Literal["ECDSA-256", "RSA-2048", "RSA-4096"] = "ECDSA-256"
    wire: str | None = Field(None, description="address:port where it is served")
    renewed: bool = Field(False, description="a canary: it must be seen to have renewed itself")


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


class Snmp(Strict):
    """Where the NGFW answers SNMP, and the secret/key that holds its community."""

    network: Name
    community: str


class Ngfw(Strict):
    """The device under test: the inspecting firewall."""

    node: Name
    authority: Name
    verifies: Name
    udp_443: Literal["refused", "dropped", "allowed"]
    snmp: Snmp | None = None
    bad_origins: tuple[Literal["expired", "not-yet-valid", "self-signed", "wrong-name"], ...] = ()


class Flow(Strict):
    """Traffic that must pass, and in which way, or must not. `to` is a workload, or all personas."""

    from_: Name = Field(alias="from")
    to: Name
    through: Name | None = None
    expect: Literal["inspected", "bypassed", "refused"]


class Dns(Strict):
    """A resolver, asked from the pods of a workload."""

    server: IPv4Address
    from_: Name = Field(alias="from")
    zone: str


class Prometheus(Strict):
    """Scrape jobs and how many targets of each must be up."""

    workload: Name
    targets: dict[str, int]


class Services(Strict):
    """Shared services of the bed."""

    dns: Dns | None = None
    prometheus: Prometheus | None = None


class Bed(Strict):
    """A whole bed file, version 1, ranges expanded."""

    version: Literal[1]
    bed: Name
    title: str = ""
    realised_by: Literal["lab", "hardware"]
    allow: Allow = Allow()
    access: Access = Access()
    nodes: dict[Name, Node] = Field(min_length=1)
    networks: dict[Name, Network]
    host: tuple[HostProfile, ...] = ()
    not_applicable: tuple[NotApplicable, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    kubernetes: Kubernetes | None = None
    attachments: dict[Name, Attachment] = {}
    workloads: dict[Name, Workload] = {}
    personas: dict[Name, Persona] = {}
    authorities: dict[Name, Authority] = {}
    certificates: dict[Name, Certificate] = {}
    secrets: dict[Name, Secret] = {}
    same_secret: tuple[SameSecret, ...] = ()
    storage: dict[Name, Storage] = {}
    ngfw: Ngfw | None = None
    flows: tuple[Flow, ...] = ()
    services: Services = Services()
    budgets: dict[str, Duration] = {}

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

    def gateway_address(self, network: str) -> IPv4Address | None:
        """The address of a network's gateway, or None where it has none."""
        declared = self.networks[network]
        return declared.addresses.get(declared.gateway) if declared.gateway else None
