"""Answers of probes, typed by kind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from plumbline import x509

Object = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """The answer to one probe. `outcome`: ok, refused, unreachable, timeout, rubbish, or too-big; `error` says more."""

    kind: ClassVar[str] = ""
    id: str
    purpose: str
    node: str
    source: str
    target: str
    pod: str
    args: Object = field(repr=False, compare=False)
    outcome: str
    error: str | None
    seconds: float
    facts: Object = field(repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether it was answered."""
        return self.outcome == "ok"

    @property
    def where(self) -> str:
        """From where it was asked, for a reader: the pod, or the node."""
        return f"pod {self.pod} on {self.node}" if self.pod else f"node {self.node}"

    def __str__(self) -> str:
        said = f"{self.outcome}: {self.error}" if self.error else self.outcome
        return f"{said} (from {self.where} to {self.args.get('address', self.target)})"


class Ping(Reply):
    """ICMP echo."""

    kind = "ping"

    @property
    def received(self) -> int:
        """Replies."""
        return int(self.facts.get("received", 0))

    @property
    def largest(self) -> int | None:
        """The largest packet (bytes, with headers) that crossed unfragmented; None where none did."""
        found = self.facts.get("largest")
        return None if found is None else int(found)

    @property
    def reply_dscp(self) -> int | None:
        """The class of service that the reply carried, 34 for AF41."""
        tos = self.facts.get("reply_tos")
        return None if tos is None else int(tos) >> 2

    @property
    def dscp(self) -> int:
        """The class of service that was sent."""
        return int(self.args.get("tos", 0)) >> 2


class Tcp(Reply):
    """A connection."""

    kind = "tcp"

    @property
    def syn(self) -> str:
        """Of a probe by way of a gateway: accepted, reset, "ICMP type/code" or silence."""
        return str(self.facts.get("syn", ""))

    @property
    def greeting(self) -> str:
        """What the server said first, as Latin-1."""
        return str(self.facts.get("greeting", ""))


class Login(Reply):
    """A login over SSH."""

    kind = "ssh"

    @property
    def host_certificate(self) -> bool:
        """Whether the other node was known by a certificate."""
        return bool(self.facts.get("host_certificate"))

    @property
    def user_certificate(self) -> bool:
        """Whether the user was known by a certificate."""
        return bool(self.facts.get("user_certificate"))


class Issue(Reply):
    """A certificate that was asked for of step-ca."""

    kind = "step"

    @property
    def certificate(self) -> x509.Certificate | None:
        """What was issued, or None."""
        pem = self.facts.get("pem")
        return x509.one(pem) if pem else None


class Tls(Reply):
    """A handshake: ok also where it was made but the certificate was not accepted; `verified` tells."""

    kind = "tls"

    @property
    def verified(self) -> bool | None:
        """Whether the chain and the name were accepted; None where no authority was given."""
        return self.facts.get("verified")

    @property
    def verify_error(self) -> str:
        """Why they were not."""
        return str(self.facts.get("verify_error") or "")

    @cached_property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What the server showed, leaf first."""
        return tuple(x509.one(pem) for pem in self.facts.get("chain", ()))

    @property
    def leaf(self) -> x509.Certificate | None:
        """The server's own certificate."""
        return self.chain[0] if self.chain else None

    @property
    def protocol(self) -> str:
        """TLSv1.3, for example."""
        return str(self.facts.get("protocol") or "")

    @property
    def alpn(self) -> str:
        """The protocol that was agreed on, or empty."""
        return str(self.facts.get("alpn") or "")

    @property
    def resumed(self) -> bool | None:
        """Whether a second connection resumed the first one's session; None where that was not tried."""
        return self.facts.get("resumed")

    @property
    def status(self) -> int | None:
        """The HTTP status, where a page was asked for and came."""
        found = self.facts.get("http", {}).get("status")
        return None if found is None else int(found)

    @property
    def http(self) -> Object:
        """Status, headers, length, sha256 of the page."""
        return dict(self.facts.get("http") or {})

    @property
    def handshake_ms(self) -> float | None:
        """How long the handshake took."""
        return self.facts.get("handshake_ms")


class Quic(Reply):
    """A packet that every QUIC server must answer."""

    kind = "quic"

    @property
    def versions(self) -> tuple[str, ...]:
        """Versions that the server speaks, hexadecimal."""
        return tuple(self.facts.get("versions", ()))


class Dns(Reply):
    """A question to a name server."""

    kind = "dns"

    @property
    def rcode(self) -> str:
        """NOERROR, NXDOMAIN, …; empty where nothing came."""
        return str(self.facts.get("rcode", ""))

    @property
    def answers(self) -> tuple[str, ...]:
        """Addresses or names."""
        return tuple(self.facts.get("answers", ()))


class Arp(Reply):
    """Who claims an address."""

    kind = "arp"

    @property
    def claimants(self) -> tuple[str, ...]:
        """Hardware addresses that answered."""
        return tuple(sorted(self.facts.get("answers", {})))


@dataclass(frozen=True)
class Frame:
    """Frames of one kind that a capture saw; `vlan` is None where they had no tag."""

    vlan: int | None
    ethertype: int
    source_mac: str
    target_mac: str
    source: str
    target: str
    protocol: int | None
    dscp: int | None
    count: int


class Capture(Reply):
    """What passed an interface while other probes ran."""

    kind = "capture"

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """Frames to or from addresses of the bed."""
        return tuple(Frame(**frame) for frame in self.facts.get("frames", ()))

    @property
    def vlans(self) -> dict[int, int]:
        """Number of frames by VLAN, whatever they were; 0 stands for those without a tag."""
        return {int(vlan): count for vlan, count in self.facts.get("vlans", {}).items()}

    @property
    def arrived(self) -> dict[int, int]:
        """Number of frames that came in from the wire, by VLAN; 0 stands for those without a tag."""
        return {int(vlan): count for vlan, count in self.facts.get("arrived", {}).items()}

    @property
    def fragments(self) -> dict[int, int]:
        """Number of pieces of packets that had been fragmented, by VLAN."""
        return {int(vlan): count for vlan, count in self.facts.get("fragments", {}).items()}

    def tags(self, address: str) -> frozenset[int | None]:
        """The VLANs in which frames from or to an address were seen."""
        return frozenset(f.vlan for f in self.frames if address in (f.source, f.target))


class Trunk(Reply):
    """Questions in VLANs that a trunk should not carry."""

    kind = "trunk"

    @property
    def answers(self) -> dict[int, tuple[str, ...]]:
        """By VLAN, the hardware addresses that answered in it; none is as it should be."""
        return {int(vlan): tuple(found) for vlan, found in self.facts.get("answers", {}).items()}


@dataclass(frozen=True)
class ScrapeTarget:
    """Something that Prometheus scrapes: its job and instance, whether it is up, and the last error.

    `asked` is false while Prometheus has known of it for less than one interval and has not asked it yet.
    """

    job: str
    instance: str
    up: bool
    error: str
    asked: bool = True


class Http(Reply):
    """A page."""

    kind = "http"

    @property
    def status(self) -> int | None:
        """The HTTP status."""
        found = self.facts.get("status")
        return None if found is None else int(found)

    @property
    def text(self) -> str:
        """The page, where it was kept."""
        return str(self.facts.get("text", ""))

    def json(self) -> Any:
        """The page as JSON. Raises ValueError where it is none."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Crossing:
    """What the firewall wrote down of one connection: its ends, the page's status, and how the origin was verified."""

    client: str
    origin: str
    name: str
    status: int
    verified: bool
    issuer: str
    serial: str
    resumed: bool | None
    error: str


class Record(Reply):
    """The firewall's own record of what it inspected in this run."""

    kind = "journal"

    def crossing(self, client: str, origin: str) -> Crossing | None:
        """The last connection from one address to another; None where none was written down."""
        found = self.facts.get("records", {}).get(f"{client}>{origin}")
        if found is None:
            return None
        leg2 = found.get("leg2") or {}
        return Crossing(
            found["client"], found["origin"], str(found.get("sni") or ""), int(found.get("status") or 0),
            leg2.get("verified") is True, str(leg2.get("issuer") or ""), str(leg2.get("serial") or "").lower(),
            leg2.get("resumed"), str(leg2.get("error") or ""),
        )  # fmt: skip


class Snmp(Reply):
    """Values of an SNMP agent."""

    kind = "snmp"

    @property
    def values(self) -> Object:
        """By name: sysDescr, sysName, sysUpTime."""
        return dict(self.facts.get("values", {}))
