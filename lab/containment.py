"""Nothing for an address of the bed leaves this machine: with the lab up, half up or down.

Before anything else is made, each prefix of the bed becomes unreachable outside the lab, one by one, never a whole
private block, in which the host's own resolver may live; and none in which its resolvers, registries or proxies are. The
namespaces have no way out, and a runner of checks enters
one of them, so that what it sends can only arrive in the bed.
"""

import errno
import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from lab import netns, registries
from lab.command import call
from lab.errors import LabError
from lab.places import run_dir

PROTOCOL = 173
"""Origin that marks a route of the host as made by a lab; no program has a name for it."""

_RECORD = "contained.json"
_RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""The host's resolvers; where the first names systemd's own stub, the second has those that the stub asks."""


def contain(bed: str, prefixes: Iterable[IPv4Network]) -> None:
    """Make every prefix of the bed unreachable from the host, and prove it; nothing is sent for that.

    Raises `LabError`, before anything is changed, when the host lives, routes or fetches its programs inside a prefix,
    or when another bed has it.
    """
    wanted = sorted(set(prefixes))
    there, host = _unreachable(), _host()
    for prefix in wanted:
        _refuse_conflict(bed, prefix, host)
    record = run_dir(bed) / _RECORD
    gone = set(_recorded(record)) - set(wanted)
    part = record.with_suffix(".part")
    part.write_text(json.dumps([str(prefix) for prefix in sorted({*wanted, *gone})]))
    part.replace(record)
    netns.batch(None, [f"route delete unreachable {prefix} proto {PROTOCOL}" for prefix in sorted(gone & there)])
    netns.batch(None, [f"route add unreachable {prefix} proto {PROTOCOL}" for prefix in wanted if prefix not in there])
    if open_ones := [prefix for prefix in wanted if _has_a_way_out(prefix[0]) or _has_a_way_out(prefix[-1])]:
        raise LabError(
            f"the host still routes {', '.join(map(str, open_ones))}: packets of the bed could leave this machine",
            remedy="look for policy routing (ip rule) on this machine, or give the bed other prefixes",
        )


def release(bed: str) -> None:
    """Take back what `contain` did; nothing there is no error."""
    record = run_dir(bed) / _RECORD
    held = set(_recorded(record)) & _unreachable()
    netns.batch(None, [f"route delete unreachable {prefix} proto {PROTOCOL}" for prefix in sorted(held)])
    record.unlink(missing_ok=True)


def contained(bed: str) -> list[IPv4Network]:
    """Prefixes of the bed that are unreachable from the host now."""
    return sorted(set(_recorded(run_dir(bed) / _RECORD)) & _unreachable())


@dataclass(frozen=True)
class _Host:
    """What this machine lives on, each with the words for it: addresses, networks it is in, networks it routes to."""

    addresses: dict[IPv4Address, str]
    networks: dict[IPv4Network, str]
    routed: dict[IPv4Network, str]


def _host() -> _Host:
    networks: dict[IPv4Network, str] = {}
    routes = [route for route in _ip("-4", "route", "show", "table", "main") if not _is_ours(route)]
    fetched = registries.addresses().items()
    addresses = {where: f"{host}, from which the host fetches programs, has {where}" for where, host in fetched}
    addresses |= {where: f"the resolver {where} of the host" for where in _resolvers()}
    gateways = [IPv4Address(r["gateway"]) for r in routes if r["dst"] == "default" and "gateway" in r]
    addresses |= {where: f"the default gateway {where}" for where in gateways}
    for link in _ip("address", "show"):
        for entry in link.get("addr_info", []):
            if entry["family"] == "inet":
                own = IPv4Interface(f"{entry['local']}/{entry['prefixlen']}")
                addresses[own.ip] = f"{link['ifname']} has {own.ip}"
                networks[own.network] = f"{link['ifname']} is in {own.network}"
    others = [IPv4Network(route["dst"]) for route in routes if route["dst"] != "default"]
    return _Host(addresses, networks, {network: f"the host has a route to {network}" for network in others})


def _refuse_conflict(bed: str, prefix: IPv4Network, host: _Host) -> None:
    reasons = [words for address, words in host.addresses.items() if address in prefix]
    reasons += [words for network, words in host.networks.items() if prefix.overlaps(network)]
    # A route that is wider than the prefix goes on beside it.
    reasons += [words for network, words in host.routed.items() if network.subnet_of(prefix)]
    if reasons:
        raise LabError(
            f"port or subnet of the host in conflict with the bed: {reasons[0]}, and the bed has {prefix}",
            remedy="give the bed other prefixes in its bed file",
        )
    for record in run_dir(bed).parent.glob(f"*/{_RECORD}"):
        if record.parent.name != bed and any(prefix.overlaps(other) for other in _recorded(record)):
            other = record.parent.name
            raise LabError(
                f"{prefix} belongs to bed {other}, whose lab is up", remedy=f"python -m lab down of bed {other}"
            )


def _has_a_way_out(address: IPv4Address) -> bool:
    """Whether the host would send to an address: connecting a UDP socket asks for the route and sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))
        except OSError as error:
            return error.errno not in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES)
    return True


def _unreachable() -> set[IPv4Network]:
    routes = _ip("-4", "route", "show", "table", "main")
    return {IPv4Network(route["dst"]) for route in routes if _is_ours(route)}


def _is_ours(route: dict[str, Any]) -> bool:
    return route.get("type") == "unreachable" and route.get("protocol") == str(PROTOCOL)


def _resolvers(files: Iterable[Path] = _RESOLVERS) -> list[IPv4Address]:
    found: list[IPv4Address] = []
    for file in files:
        with suppress(OSError):
            for line in file.read_text().splitlines():
                with suppress(ValueError, IndexError):
                    name, address = line.split()[:2]
                    found += [IPv4Address(address)] if name == "nameserver" else []
    return found


def _recorded(record: Path) -> list[IPv4Network]:
    try:
        return [IPv4Network(text) for text in json.loads(record.read_text())]
    except (OSError, ValueError):
        return []


def _ip(*argv: str) -> list[dict[str, Any]]:
    said = call(["ip", "-json", *argv]).stdout.strip()
    return [entry for entry in json.loads(said or "[]") if entry]
