"""What a bed is made of: how it is reached, its nodes, its networks, what a node's own kernel must be like."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from plumbline.bed.types import (
    Address,
    Cidr,
    Day,
    Duration,
    Integers,
    Interface,
    Labels,
    Mac,
    Mtu,
    Name,
    Port,
    Range,
    Strict,
    Vlan,
    Whole,
)


class Ssh(Strict):
    """How the runner logs in to the nodes of a real bed; the lab writes its own."""

    user: str = Field(default="root", description="where there is a config and no user here, as that says")
    config: str | None = Field(default=None, description="an ssh_config file, or ${env:NAME}; its hosts are the nodes")
    known_hosts: str | None = Field(default=None, description="known_hosts file, with the CA that signs host keys")
    sudo: bool = False


class Access(Strict):
    """How the runner reaches the bed."""

    runner: Address | None = Field(default=None, description="address of the machine that runs the suites, on OOBI")
    ssh: Ssh = Ssh()
    kubeconfig: str | None = Field(default=None, description="a file, or ${env:NAME}")
    context: str | None = None
    credentials: dict[Name, str] = Field(
        default={}, description="what the gate shows to a service, by its name: ${env:NAME} or ${file:path}"
    )


class Allow(Strict):
    """What may be done to this bed beyond looking at it."""

    chaos: bool = False
    load: bool = False


class Hosts(Strict):
    """Nodes that an inventory of another tool declares; what `nodes` says of the same node wins."""

    ansible: str = Field(description="an Ansible inventory, YAML or INI, file or folder, beside this file")
    only: tuple[str, ...] = Field(default=(), description="groups whose hosts belong to the bed; empty: all hosts")
    groups: dict[str, dict[str, Any]] = Field(
        default={}, description="fields of a node that membership of a group sets"
    )


class PowerByRedfish(Strict):
    """A management controller that speaks Redfish (DMTF DSP0266)."""

    system: str = Field(pattern="^https://[^ ]+$", description="of the node, such as https://bmc/redfish/v1/Systems/1")
    credential: Name = Field(description="of access.credentials: USER:PASSWORD")
    ca: Path | None = Field(default=None, description="whom to trust for it, PEM; by default the system's authorities")


class PowerByCommand(Strict):
    """Programs of the runner's machine with their arguments; `state` says `on` or `off`."""

    off: tuple[str, ...] = Field(min_length=1)
    on: tuple[str, ...] = Field(min_length=1)
    state: tuple[str, ...] = Field(min_length=1)


class Power(Strict):
    """How the power of a node is switched: one of these. A node of a lab needs none."""

    redfish: PowerByRedfish | None = None
    command: PowerByCommand | None = None
    ssh: Literal[True] | None = Field(default=None, description="it reboots itself at once: off is for a moment only")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(way is not None for way in (self.redfish, self.command, self.ssh)) != 1:
            raise ValueError("one of redfish, command and ssh is wanted")
        return self


class Node(Strict):
    """One machine of the bed, reached over OOBI."""

    role: Name = Field(description="what the node is for")
    oobi: Address | None = Field(default=None, description="address on the management network (OOBI)")
    kubernetes: Literal["control-plane", "worker"] | None = None
    trunk: Integers = Field(
        default=frozenset(), description="VLANs that the switch lets through to this node's data NIC"
    )
    labels: Labels = Field(default={})
    also: tuple[Interface, ...] = Field(default=(), description="further addresses, on the loopback")
    macs: dict[str, Mac] = Field(default={}, description="hardware addresses by interface, such as eth1")
    user: str | None = Field(default=None, description="login name, where it is not that of access.ssh")
    port: Port = Field(default=22, description="port of SSH")
    ssh: bool = Field(default=True, description="false for an appliance that no one can log in to")
    power: Power | None = Field(default=None, description="how its power is switched, for experiments")


class Dhcp(Strict):
    """The DHCP service of a network."""

    server: Name
    range: Range


class Network(Strict):
    """A network of the bed: OOBI, or a VLAN of the data plane."""

    cidr: Cidr
    vlan: Vlan | None = None
    mtu: Mtu = 1500
    dscp: Literal["AF41", "CS0"] | None = Field(default=None, description="the class that must survive the path")
    gateway: Name | None = Field(default=None, description="the node that routes for this network")
    addresses: dict[Name, Address] = Field(default={})
    pool: Range | None = Field(default=None, description="addresses that pods are given")
    dhcp: Dhcp | None = None


class HostProfile(Strict):
    """What a node's own kernel and services must be like."""

    on: Labels = Field(default={}, description="labels of the nodes; empty: every Kubernetes node")
    source: str
    sysctls: dict[str, Whole | str] = Field(default={})
    swap: bool | None = None
    modules: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    transparent_hugepages: Literal["always", "madvise", "never"] | None = None
    cpu_governor: str | None = None
    clock_offset: Duration | None = Field(default=None, description="largest difference between clocks")


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
    until: Day = Field(description="last day on which it holds")
