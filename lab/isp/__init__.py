"""What stands behind the cloner's VLAN in place of the Internet: DHCP, a resolver with one small zone, one web site.

It forwards nothing: a packet for any other address ends here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Protocol

from lab import templates
from lab.disks import FileSpec
from lab.ngfw.certificates import Pair
from lab.ngfw.policy import interface
from plumbline.bed import Bed
from plumbline.bed.types import AddressRange

SITE = "example.com"
AUTHORITY = "public-ca"
"""The authority that signs the site's certificate; it stands for the public ones and is none of the bed's."""

_PAGES = {"": "index.html", "index.html": "index.html", "about.html": "about.html", "style.css": "style.css"}
_TYPES = {".html": "text/html", ".css": "text/css"}


class Pki(Protocol):
    """What the site needs of the lab's PKI."""

    def leaf(self, authority: str, name: str, common_name: str, *, dns: list[str]) -> Pair: ...


@dataclass(frozen=True)
class Service:
    """The DHCP service of one network, and the routes that its clients are told."""

    interface: str
    cidr: IPv4Network
    address: IPv4Address
    range: AddressRange
    routes: tuple[IPv4Network, ...]
    mtu: int


def nodes(bed: Bed) -> list[str]:
    """Nodes that stand in for a provider: those that serve DHCP and are no members of the cluster."""
    servers = dict.fromkeys(network.dhcp.server for network in bed.networks.values() if network.dhcp)
    return [node for node in servers if not bed.nodes[node].kubernetes]


def files(bed: Bed, pki: Pki, node: str) -> dict[str, FileSpec]:
    """Files of one of `nodes(bed)`. Raises ValueError where it serves no network."""
    services = _services(bed, node)
    if not services:
        raise ValueError(f"node {node} serves no DHCP")
    pair = pki.leaf(AUTHORITY, SITE, SITE, dns=[SITE, f"www.{SITE}"])
    values: dict[str, Any] = {
        "services": services,
        "also": [address.ip for address in bed.nodes[node].also],
        "site": SITE,
        "pages": {f"/{path}": (file, _TYPES[Path(file).suffix]) for path, file in _PAGES.items()},
        "bed": bed.bed,
    }
    pages = {f"/srv/site/{file}": FileSpec(_render(f"site/{file}", values)) for file in set(_PAGES.values())}
    return pages | {
        "/etc/isp/dnsmasq.conf": FileSpec(_render("dnsmasq.conf", values)),
        "/etc/isp/haproxy.cfg": FileSpec(_render("haproxy.cfg", values)),
        "/etc/isp/site.pem": FileSpec(pair.certificate + pair.key, 0o600),
        "/etc/isp/rules.nft": FileSpec(_render("rules.nft", values)),
        "/etc/systemd/system/isp-rules.service": FileSpec(_render("isp-rules.service", values)),
        "/etc/systemd/system/isp-names.service": FileSpec(_render("isp-names.service", values)),
        "/etc/systemd/system/isp-site.service": FileSpec(_render("isp-site.service", values)),
    }


def units() -> tuple[str, ...]:
    """Units of such a node to enable."""
    return ("isp-rules.service", "isp-names.service", "isp-site.service")


def _services(bed: Bed, node: str) -> list[Service]:
    found = []
    for name, network in bed.networks.items():
        if network.dhcp is None or network.dhcp.server != node or network.vlan is None:
            continue
        attached = [attachment for attachment in bed.attachments.values() if attachment.network == name]
        routes = tuple(dict.fromkeys(route for attachment in attached for route in attachment.routes))
        port, address = interface(network.vlan), network.addresses[node]
        found.append(Service(port, network.cidr, address, network.dhcp.range, routes, network.mtu))
    return found


def _render(template: str, values: Mapping[str, Any]) -> str:
    return templates.render(Path(__file__).parent, template, values)
