"""The certificate authority of services outside the cluster, and the certificates that it renews for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from plumbline.bed.types import Duration, Name, Port, Strict

Nodes = Annotated[tuple[Name, ...], Field(min_length=1)]


class StepCa(Strict):
    """A Smallstep certificate authority: where it is, who trusts it, what it refuses (seed 001, facts 33-35)."""

    node: Name
    port: Port = 9443
    on: Nodes = Field(description="the nodes that trust it, each of which has `step` and the root")
    domain: str = Field(description="nodes are also called NODE.nodes.DOMAIN and NODE.DOMAIN")
    root: str = Field(default="/etc/ssl/certs/goldentooth.pem", description="path of the root on every node")
    longest: Duration = Field(default=timedelta(hours=168), description="the longest lifetime that it signs")


class Renewal(Strict):
    """When a certificate is renewed (seed 001, facts 39-44): at `elapsed` of its lifetime, looked at by a timer."""

    elapsed: Annotated[int, Field(ge=1, le=99)] = Field(default=66, description="percent of the lifetime")
    every: Duration = Field(default=timedelta(minutes=5), description="how often the timer looks")
    jitter: Duration = Field(default=timedelta(minutes=1), description="the timer's largest random delay")


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
