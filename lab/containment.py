"""Nothing for an address of the bed leaves this machine: with the lab up, half up or down.

Before anything else is made, each prefix of the bed becomes unreachable outside the lab, one by one, never a whole
private block, in which the host's own resolver may live. The namespaces have no way out, and a runner of checks enters
one of them, so that what it sends can only arrive in the bed.
"""

import ctypes
import errno
import json
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from lab import netns
from lab.command import call
from lab.errors import LabError
from lab.places import run_dir

PROTOCOL = 173
"""Origin that marks a route of the host as made by a lab; no program has a name for it."""

_CLONE_NEWNET = 0x40000000
_RECORD = "contained.json"


def contain(bed: str, prefixes: Iterable[IPv4Network]) -> None:
    """Make every prefix of the bed unreachable from the host, and prove it; nothing is sent for that.

    Raises `LabError`, before anything is changed, when the host itself lives or routes inside a prefix, or when another
    bed has it.
    """
    wanted = sorted(set(prefixes))
    there = _unreachable()
    for prefix in wanted:
        _refuse_conflict(bed, prefix)
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


def ways_out(bed: str) -> list[str]:
    """Interfaces that lead from the bed's namespaces to the host or its hardware; there must be none."""
    spaces = {netns.name(bed, node) for node in netns.listing(bed)}
    names = {entry["nsid"]: entry.get("name") for entry in _ip("netns", "list-id")}
    found = [
        f"{link['ifname']} (host) -> {names[link['link_netnsid']]}"
        for link in _ip("link", "show")
        if names.get(link.get("link_netnsid")) in spaces
    ]
    for space in sorted(spaces):
        for name, link in netns.links(space).items():
            kind = link.get("linkinfo", {}).get("info_kind")
            # A veth's other end is found from the host's side, above; any other link out of a namespace is an uplink.
            if name != "lo" and (kind is None or ("link_netnsid" in link and kind != "veth")):
                found.append(f"{name} ({space})")
    return found


def enter(namespace: str) -> None:
    """Move the calling thread, and the threads and processes that it starts from now on, into a network namespace.

    There is no way back for it: call it first thing in a process of its own, or use `inside`.
    """
    _enter(netns.NAMED / namespace)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """The calling thread is in a network namespace meanwhile; sockets that it opens there stay there."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(netns.NAMED / namespace)
        try:
            yield
        finally:
            _set(before)
    finally:
        os.close(before)


def _enter(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise LabError(f"there is no network namespace {path.name}", remedy="python -m lab up") from None
    try:
        _set(descriptor)
    finally:
        os.close(descriptor)


def _set(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise LabError(f"the network namespace cannot be entered: {reason}", remedy="run it as root")


def _refuse_conflict(bed: str, prefix: IPv4Network) -> None:
    conflict = "port or subnet of the host in conflict with the bed"
    remedy = "give the bed other prefixes in its bed file"
    for link in _ip("address", "show"):
        for address in link.get("addr_info", []):
            if address["family"] == "inet" and IPv4Address(address["local"]) in prefix:
                raise LabError(f"{conflict}: {link['ifname']} has {address['local']}, inside {prefix}", remedy=remedy)
    for route in _ip("-4", "route", "show", "table", "main"):
        if _is_ours(route) or route["dst"] == "default":
            continue
        if IPv4Network(route["dst"]).subnet_of(prefix):
            raise LabError(f"{conflict}: the host has a route to {route['dst']}, inside {prefix}", remedy=remedy)
    for gateway in (route["gateway"] for route in _ip("-4", "route", "show", "default") if "gateway" in route):
        if _is_inside(gateway, prefix):
            raise LabError(f"{conflict}: the default gateway {gateway} is inside {prefix}", remedy=remedy)
    for resolver in _resolvers():
        if _is_inside(resolver, prefix):
            raise LabError(f"{conflict}: the resolver {resolver} of the host is inside {prefix}", remedy=remedy)
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


def _resolvers() -> list[str]:
    try:
        lines = Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        return []
    return [fields[1] for line in lines if len(fields := line.split()) > 1 and fields[0] == "nameserver"]


def _is_inside(text: str, prefix: IPv4Network) -> bool:
    try:
        return IPv4Address(text) in prefix
    except ValueError:
        return False


def _recorded(record: Path) -> list[IPv4Network]:
    try:
        return [IPv4Network(text) for text in json.loads(record.read_text())]
    except (OSError, ValueError):
        return []


def _ip(*argv: str) -> list[dict[str, Any]]:
    said = call(["ip", "-json", *argv]).stdout.strip()
    return [entry for entry in json.loads(said or "[]") if entry]
