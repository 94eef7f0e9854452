"""The traffic of a bed: personas, their authorities and certificates, the firewall, the flows through it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plumbline.bed.types import Address, Duration, Name, ObjectRef, Strict


class Persona(Strict):
    """An origin web server behind the NGFW."""

    workload: Name
    name: str
    address: Address
    network: Name
    alpn: tuple[str, ...] = ("h2", "http/1.1")
    quic: bool = False
    header: str | None = Field(
        default=None,
        description="the header in which its pages name its workload; without one nobody can tell whose page an agent got",
    )


class Bundle(Strict):
    """Where the certificate of an authority is published."""

    secret: ObjectRef | None = None
    configmap: ObjectRef | None = None
    key: str


class Authority(Strict):
    """A certificate authority of the bed."""

    issuer: str | None = Field(default=None, description="the ClusterIssuer that signs with it")
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
    wire: str | None = Field(default=None, description="address:port where it is served")
    renewed: bool = Field(default=False, description="a canary: it must be seen to have renewed itself")


class Snmp(Strict):
    """Where the NGFW answers SNMP, and the secret/key that holds its community."""

    network: Name
    community: str


class BadOrigin(Strict):
    """A server whose certificate no client may take for good, however the firewall re-signs it."""

    name: str = Field(description="the DNS name that it is asked for")
    address: Address


class Ngfw(Strict):
    """The device under test: the inspecting firewall."""

    node: Name
    authority: Name
    verifies: Name
    udp_443: Literal["refused", "dropped", "allowed"]
    snmp: Snmp | None = None
    record: Name | None = Field(
        default=None, description="the systemd unit whose journal has a JSON object for each inspected connection"
    )
    bad_origins: dict[Literal["expired", "not-yet-valid", "self-signed", "wrong-name"], BadOrigin] = Field(
        default={}, description="probes of laundering, by what is wrong with their certificate"
    )


class Flow(Strict):
    """Traffic that must pass, and in which way, or must not. `to` is a workload, or all personas."""

    from_: Name = Field(alias="from")
    to: Name
    through: Name | None = None
    expect: Literal["inspected", "bypassed", "refused"]
