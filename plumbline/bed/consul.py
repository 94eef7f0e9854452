"""Consul: its servers and clients, where each listens, the services that it tells of, and who may do what."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from plumbline.bed.pki import Nodes
from plumbline.bed.types import Duration, Name, Port, Strict

Place = Literal["loopback", "oobi", "every"]
Access = Literal["read", "list", "write", "deny"]


class Bind(Strict):
    """A port of an agent, and the addresses on which it listens."""

    port: Port
    on: Annotated[tuple[Place, ...], Field(min_length=1)]


class Binds(Strict):
    """Where agents of one kind listen; HTTPS or DNS that is null does not listen at all (seed 001, S16)."""

    http: Bind = Field(
        default=Bind(port=8500, on=("loopback",)), description="each agent is asked by it on its own node"
    )
    https: Bind | None = None
    dns: Bind | None = Bind(port=8600, on=("loopback",))


class ServiceCheck(Strict):
    """How an agent asks a service of its node whether it is well: by a connection, or by a page."""

    tcp: bool = Field(default=False, description="a connection to the service's own port is all")
    http: str | None = Field(default=None, description="path of a page that tells, such as /health")
    scheme: Literal["http", "https"] = "http"
    host: str = Field(
        default="oobi", description="whom it asks: loopback, oobi, or a name, in which {node} is the node"
    )
    port: Port | None = Field(default=None, description="where it asks, if not at the port of the service")
    verify: bool = Field(default=True, description="over https, whether the certificate must be good")
    interval: Duration = timedelta(seconds=30)
    timeout: Duration = timedelta(seconds=10)

    @model_validator(mode="after")
    def _one(self) -> ServiceCheck:
        if self.tcp is (self.http is not None):
            raise ValueError("one of tcp: true and http: PATH is wanted")
        return self


class ConsulService(Strict):
    """A service that Consul tells of: one instance NAME-NODE on each of some nodes (seed 001, fact 130)."""

    on: Nodes
    port: Port
    unit: Name | None = Field(default=None, description="the systemd unit that is behind it")
    tags: tuple[str, ...] = ()
    check: ServiceCheck


class Leader(Strict):
    """How often the leader may change before that is called flapping (seed 001, S12)."""

    changes: Annotated[int, Field(ge=0)] = 3
    within: Duration = timedelta(seconds=30)


class Consul(Strict):
    """A datacenter of Consul (seed 001, facts 124-132)."""

    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    datacenter: Name = "dc1"
    servers: Nodes
    clients: tuple[Name, ...] = ()
    certificate: Name = Field(description="which of service_certificates its servers show and present")
    cluster: Name = Field(default="goldentooth", description="what every instance has in its meta as its cluster")
    server: Binds = Field(default=Binds(https=Bind(port=8501, on=("oobi",))), description="where servers listen")
    client: Binds = Field(default=Binds(), description="where clients listen")
    client_certificate: bool = Field(default=True, description="whether HTTPS is refused to whoever shows none")
    data: str = Field(default="/opt/consul", description="folder of its data")
    rejoin_age: Duration = Field(
        default=timedelta(hours=168), description="a server that was away for longer may not come back"
    )
    raft_multiplier: Annotated[int, Field(ge=1, le=10)] = Field(
        default=5, description="how patient servers are with their leader, as Consul's option of that name"
    )
    leader: Leader = Leader()
    services: dict[Name, ConsulService] = Field(default={})
    policies: dict[Name, dict[str, dict[str, Access] | Access]] = Field(
        default={}, description="by name and kind of resource: what may be done to names that begin so, or at all"
    )

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every node with an agent, servers first."""
        return tuple(dict.fromkeys((*self.servers, *self.clients)))

    def binds(self, node: str) -> Binds:
        """Where the agent of a node listens."""
        return self.server if node in self.servers else self.client

    def instances(self) -> list[tuple[str, str, ConsulService]]:
        """Every instance of every service: id, node, service."""
        return [(f"{name}-{node}", node, service) for name, service in self.services.items() for node in service.on]
