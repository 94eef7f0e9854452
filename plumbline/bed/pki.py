"""The certificate authority of services outside the cluster, and the certificates that it renews for them and for SSH."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from plumbline.bed.types import Duration, Name, Port, Strict

Nodes = Annotated[tuple[Name, ...], Field(min_length=1)]
Percent = Annotated[int, Field(ge=1, le=99)]


class StepCa(Strict):
    """A Smallstep certificate authority: where it is, who trusts it, what it refuses (seed 001, facts 33-35)."""

    node: Name
    port: Port = 9443
    unit: Name = "step-ca"
    on: Nodes = Field(description="the nodes that trust it, each of which has `step` and the root")
    domain: str = Field(description="nodes are also called NODE.nodes.DOMAIN and NODE.DOMAIN")
    root: str = Field(default="/etc/ssl/certs/goldentooth.pem", description="path of the root on every node")
    bundle: str = Field(
        default="/etc/ssl/certs/ca-certificates.crt",
        description="what a node's programs trust by default: a trust store",
    )
    folder: str = Field(default="/etc/step-ca", description="STEPPATH, on the authority's node and on all others")
    longest: Duration = Field(default=timedelta(hours=168), description="the longest lifetime that it signs")
    provisioner: Name = Field(default="default", description="a provisioner of the kind JWK")
    key_opener: str = Field(
        default="/etc/step-ca/secrets/provisioner_password",
        description="path of the provisioner's password on the authority's node, for root alone",
    )

    def names(self, node: str) -> tuple[str, ...]:
        """How a node is called."""
        return (node, f"{node}.nodes.{self.domain}", f"{node}.{self.domain}")


class Renewal(Strict):
    """When a certificate is renewed (seed 001, facts 39-44): at `elapsed` of its lifetime, looked at by a timer."""

    elapsed: Percent = Field(default=66, description="percent of the lifetime")
    every: Duration = Field(default=timedelta(minutes=5), description="how often the timer looks")
    jitter: Duration = Field(default=timedelta(minutes=1), description="the timer's largest random delay")

    def slack(self, lifetime: timedelta) -> timedelta:
        """From the moment that a certificate is due until its end."""
        return lifetime * (100 - self.elapsed) / 100

    @property
    def gap(self) -> timedelta:
        """The longest time between two looks of the timer."""
        return self.every + self.jitter


class ServiceCertificate(Strict):
    """A certificate that lies in a file on each of some nodes, where a service loads it (seed 001, facts 36-38).

    Each has the node's own names and addresses, and `names`.
    """

    on: Nodes
    unit: Name = Field(description="the systemd unit that loads it; cert-renewer@UNIT renews it")
    certificate: str = Field(description="path of the certificate, with its intermediate")
    key: str = Field(description="path of its key")
    owner: str = Field(default="root", description="the user whose the files are")
    names: tuple[str, ...] = Field(default=(), description="further DNS names")
    port: Port | None = Field(default=None, description="where it is served, on the node's OOBI address")
    lifetime: Duration = timedelta(hours=24)
    renewal: Renewal = Renewal()
    canary: bool = Field(default=False, description="it lives for minutes, and must be seen to have renewed itself")


class SshRenewal(Renewal):
    """When certificates of SSH are renewed (seed 001, fact 32)."""

    every: Duration = Field(default=timedelta(minutes=15), description="how often the timer looks")
    jitter: Duration = Field(default=timedelta(minutes=5), description="the timer's largest random delay")
    after_boot: Duration = Field(default=timedelta(minutes=5), description="when it looks first")


class SshUser(Strict):
    """A user of every node who logs in to the others by certificate (seed 001, facts 28 and 30).

    The principals are the user, and NODE-USER.
    """

    key: str = Field(description="path of the key; the certificate is KEY-cert.pub")
    config: str = Field(description="path of the user's configuration of ssh, which names both")
    renewer: Name = Field(description="the unit, .service and .timer, that gets the user a new one")


class SshCertificates(Strict):
    """Host and user certificates of SSH, by which nodes log in to each other (seed 001, facts 24-32)."""

    on: Nodes
    host_key: str = Field(default="/etc/step/certs/ssh_host.key", description="the certificate is KEY-cert.pub")
    user_ca: str = Field(default="/etc/ssh/ssh_user_ca.pub", description="what sshd trusts to sign users")
    known_hosts: str = Field(default="/etc/ssh/ssh_known_hosts", description="what clients trust to sign hosts")
    lifetime: Duration = timedelta(hours=24)
    renewal: SshRenewal = SshRenewal()
    renewer: Name = Field(default="ssh-host-renewer", description="the unit that renews the host certificate")
    users: dict[Name, SshUser] = Field(default={})

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every node to every other."""
        return [(source, target) for source in self.on for target in self.on if source != target]
