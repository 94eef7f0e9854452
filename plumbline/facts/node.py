"""What a node said of itself, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from plumbline import x509
from plumbline.outcome import Unknown

Object = dict[str, Any]


@dataclass(frozen=True)
class Link:
    """A network interface. `vlan` is only known of the kernel's own VLAN interfaces; on the wire, ask a capture.

    `parent_index` is the index of what it stands on, also where that is in another namespace.
    """

    name: str
    kind: str
    parent: str
    mtu: int
    up: bool
    carrier: bool
    mac: str
    mode: str
    vlan: int | None
    port: int | None
    addresses: tuple[IPv4Interface, ...]
    dynamic: tuple[str, ...]
    index: int
    parent_index: int | None


@dataclass(frozen=True)
class Route:
    """A route of any table; `gateway` is empty where the destination is on the link."""

    destination: IPv4Network
    gateway: str
    device: str
    table: str
    kind: str


@dataclass(frozen=True)
class Network:
    """Links, routes and neighbours of one network namespace."""

    links: Mapping[str, Link]
    routes: tuple[Route, ...]
    neighbours: Mapping[tuple[str, str], str]

    def route(self, destination: IPv4Network | str) -> Route | None:
        """The route for exactly this destination."""
        wanted = IPv4Network(destination)
        return next((r for r in self.routes if r.destination == wanted and r.kind == "unicast"), None)

    def has(self, address: str) -> str:
        """The link that has an address, or empty."""
        return next((n for n, link in self.links.items() if any(str(a.ip) == address for a in link.addresses)), "")


@dataclass(frozen=True)
class Unit:
    """A systemd unit. `loaded` is false where there is none of that name; `active_s`: seconds since its last start,
    `settled_s`: seconds from the machine's boot to that start.
    """

    name: str
    loaded: bool
    active: bool
    state: str
    enabled: str
    restarts: int
    active_s: float
    settled_s: float


@dataclass(frozen=True)
class ClockOffset:
    """The node's clock against the runner's, in seconds: between these two, since the answer took a while."""

    least: float
    most: float

    @property
    def certain(self) -> float:
        """How far apart the clocks are at least; the true offset may be more."""
        return 0.0 if self.least <= 0 <= self.most else min(abs(self.least), abs(self.most))

    def __str__(self) -> str:
        return f"{self.least:+.3f} s to {self.most:+.3f} s"


@dataclass(frozen=True)
class PodFacts:
    """What was found inside a pod: its network, its resolver, and the certificates mounted into it, by path.

    `age_at_start` is how many seconds each of these files had been there when its container started; negative where
    the file was written later, so that a program which reads it once still has the one before.
    `environment` has the digests of variables whose names are keys of the bed's secrets.
    """

    uid: str
    host_network: bool
    network: Network
    resolv_conf: str
    pem: Mapping[str, str]
    age_at_start: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def net1(self) -> Link | None:
        """The second interface, which a network attachment gave."""
        return self.network.links.get("net1")

    def chain(self, path: str) -> tuple[x509.Certificate, ...]:
        """The certificates of a file in the pod, none where it is not there. ValueError where they cannot be read."""
        return x509.parse(self.pem[path]) if path in self.pem else ()

    def chain_named(self, file: str) -> tuple[x509.Certificate, ...]:
        """The certificates of the first mounted file of this name, such as tls.crt, wherever it is mounted."""
        path = next((p for p in sorted(self.pem) if p.rpartition("/")[2] == file), "")
        return self.chain(path)


class NodeFacts:
    """The facts of one node; each accessor raises Unknown where that part could not be read."""

    def __init__(self, name: str, facts: Object) -> None:
        self.name = name
        self._facts = facts
        self._host: Object = facts.get("host") or {}

    def _part(self, name: str) -> Any:
        if name in self._host:
            return self._host[name]
        error = self._host.get("errors", {}).get(name, "it was not read")
        raise Unknown(f"{self.name}: {name} could not be read: {error}", cause=f"node:{self.name}")

    def part(self, name: str) -> Any:
        """A part of what was read, such as pki or ssh, as the node's program told it."""
        return self._part(name)

    @cached_property
    def network(self) -> Network:
        """Links, routes and neighbours."""
        return network(self._part("network"))

    @property
    def links(self) -> Mapping[str, Link]:
        """Links by name."""
        return self.network.links

    @property
    def addresses(self) -> tuple[IPv4Interface, ...]:
        """All addresses."""
        return tuple(a for link in self.links.values() for a in link.addresses)

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes."""
        return self.network.routes

    @property
    def hostname(self) -> str:
        """Its own name for itself."""
        return str(self._part("system")["hostname"])

    @property
    def kernel(self) -> str:
        """The kernel's release."""
        return str(self._part("system")["kernel"])

    @property
    def processors(self) -> int:
        """Number of logical processors."""
        return int(self._part("system")["processors"])

    @property
    def memory_bytes(self) -> int:
        """All memory."""
        return int(self._part("system")["memory_kib"]["MemTotal"]) * 1024

    @property
    def uptime_s(self) -> float:
        """Seconds since it was started."""
        return float(self._part("system")["uptime_s"])

    @property
    def up_for_s(self) -> float:
        """Seconds since its own first process was started; a lab's node is younger than the machine that it is on."""
        return self.uptime_s - float(self._part("system")["init_s"])

    @property
    def read_at(self) -> float:
        """When all of this had been read, in seconds of the epoch by its own clock."""
        return float(self._facts["end"])

    @property
    def clock_offset(self) -> ClockOffset:
        """Its clock against the runner's."""
        clock = self._facts["clock"]
        least = self._facts["end"] - clock["received"]
        most = self._facts["start"] - clock["sent"]
        return ClockOffset(least, most)

    def sysctl(self, name: str) -> str | None:
        """The value of a sysctl of the bed file; None where the node's kernel has none of that name."""
        values = self._part("sysctls")
        if name not in values:
            raise Unknown(f"{self.name}: {name} was not asked for; name it under host: in the bed file")
        return None if values[name] is None else str(values[name])

    def of_service(self, name: str) -> Object:
        """What was read there of a service outside the cluster, such as vault."""
        return dict(self._part(name))

    def unit(self, name: str) -> Unit:
        """A systemd unit of the bed file."""
        units = self._part("units")
        if name not in units:
            raise Unknown(f"{self.name}: the unit {name} was not asked for; name it under host: in the bed file")
        found = units[name]
        entered_s = int(found.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
        return Unit(
            name, found.get("LoadState") == "loaded", found.get("ActiveState") == "active",
            f"{found.get('ActiveState')} ({found.get('SubState')})", found.get("UnitFileState", ""),
            int(found.get("NRestarts") or 0), self.uptime_s - entered_s, entered_s - self._part("system")["init_s"],
        )  # fmt: skip

    @property
    def failed_units(self) -> tuple[str, ...]:
        """Units that systemd calls failed."""
        return tuple(self._part("failed_units"))

    def module(self, name: str) -> bool:
        """Whether the kernel has a module, loaded or built in."""
        return bool(self._part("modules").get(name))

    @property
    def swaps(self) -> tuple[str, ...]:
        """Devices and files in use as swap."""
        return tuple(self._part("swaps"))

    @property
    def fstab_swaps(self) -> tuple[str, ...]:
        """Lines of /etc/fstab that would bring swap back at the next boot."""
        return tuple(self._part("fstab_swaps"))

    @property
    def machine_id(self) -> str:
        """What systemd tells this machine from all others by."""
        return str(self._part("machine_id"))

    def forwards(self, interface: str) -> bool:
        """Whether the kernel forwards packets that arrive on an interface."""
        return bool(self._part("forwarding").get(interface, False))

    @property
    def transparent_hugepages(self) -> str | None:
        """always, madvise or never; None where the kernel has none."""
        found = self._part("transparent_hugepages")
        return None if found is None else str(found)

    @property
    def cpu_governors(self) -> tuple[str, ...]:
        """Governors in use; none where the processors' clocks cannot be governed."""
        return tuple(self._part("cpu_governors"))

    def listening(self, protocol: str, port: int) -> tuple[str, ...]:
        """Addresses on which something listens on a port of tcp or udp; none where nothing does."""
        return tuple(self._part("listening").get(protocol, {}).get(str(port), ()))

    @property
    def resolv_conf(self) -> str:
        """The text of its /etc/resolv.conf."""
        return str(self._part("resolv_conf"))

    @property
    def kernel_errors(self) -> tuple[int, tuple[str, ...]]:
        """How many messages of level error or worse the kernel's log holds, and the last few."""
        found = self._part("kernel_errors")
        return int(found["count"]), tuple(found["last"])

    @property
    def var_free_bytes(self) -> int:
        """Room on /var."""
        return int(self._part("disk_var")["free"])

    @property
    def var_free_share(self) -> float:
        """The part of /var that is free, of room or of inodes, whichever is less; from 0 to 1."""
        disk = self._part("disk_var")
        inodes = disk["inodes_free"] / disk["inodes"] if disk["inodes"] else 1.0
        return float(min(disk["free"] / disk["size"], inodes))

    @property
    def var_bytes(self) -> int:
        """Size of /var."""
        return int(self._part("disk_var")["size"])

    def own(self, part: str) -> Object:
        """What the node's program found of a service of the node, such as its Consul agent."""
        found = self._facts.get(part)
        if found is None:
            raise Unknown(f"{self.name}: nothing was read of its {part}", cause=f"node:{self.name}")
        return dict(found)

    def pod(self, uid: str) -> PodFacts | None:
        """What was found inside the pod of this UID; None where none of its processes ran on this node."""
        found = (self._facts.get("pods") or {}).get(uid)
        if found is None:
            return None
        if found.get("error"):
            raise Unknown(
                f"{self.name}: the pod {uid} could not be looked into: {found['error']}", cause=f"node:{self.name}"
            )
        shared = bool(found["host_network"])
        inside = self.network if shared else network(found["network"])
        return PodFacts(
            uid,
            shared,
            inside,
            found["resolv_conf"],
            found["certificates"],
            found.get("ages", {}),
            found.get("environment", {}),
        )


def network(facts: Object) -> Network:
    """Types what `ip` said."""
    links = {link["ifname"]: _link(link) for link in facts["links"]}
    routes = tuple(_route(r) for r in facts["routes"])
    neighbours = {(n["dst"], n["dev"]): n["lladdr"] for n in facts["neighbours"] if "lladdr" in n}
    return Network(links, routes, neighbours)


def _route(route: Object) -> Route:
    destination = IPv4Network("0.0.0.0/0" if route["dst"] == "default" else route["dst"], strict=False)
    table, kind = str(route.get("table", "main")), route.get("type", "unicast")
    return Route(destination, route.get("gateway", ""), route.get("dev", ""), table, kind)


def _link(link: Object) -> Link:
    flags = link.get("flags", ())
    return Link(
        link["ifname"], link.get("kind") or "", link.get("link") or "", int(link["mtu"]), "UP" in flags,
        "LOWER_UP" in flags and "NO-CARRIER" not in flags, link.get("address", ""), link.get("mode") or "",
        link.get("vlan"), link.get("port"), tuple(IPv4Interface(a) for a in link["addresses"]), tuple(link["dynamic"]),
        int(link.get("ifindex", 0)), link.get("link_index"),
    )  # fmt: skip
