"""node.link, node.address, node.route and the same in pods: what is an interface, an address or a route away."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from chaos.actions.place import Commanded, Commands, InPod, OnNode, Place
from chaos.actions.words import filled
from chaos.call import JSON, ActionFailed, Arguments, Call, Node, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

MANAGEMENT = "eth0"


class _Link(Commanded):
    """An interface: up or down, its MTU in bytes, its hardware address, its name."""

    verb: ClassVar[str] = "link"
    link: str = Field(default="net1", description="such as eth1, or $(link:browsers)")
    up: bool | None = None
    mtu: int | None = Field(default=None, ge=68, le=65535)
    mac: str | None = None
    name: str | None = Field(default=None, max_length=15, description="what it is to be called")

    def manages(self, bed: Bed) -> bool:
        return filled(bed, self.link) == MANAGEMENT

    def _now(self, bed: Bed, place: Place) -> dict[str, JSON] | None:
        for name in (filled(bed, self.link), self.name):
            found = place.told("address", "show", "dev", name) if name else []
            if found:
                return found[0]
        return None

    def commands(self, bed: Bed, place: Place) -> Commands:
        link = filled(bed, self.link)
        here = self._now(bed, place)
        called = here["ifname"] if here else link
        made: Commands = []
        if self.name and called != self.name:
            made.append(["ip", "link", "set", "dev", called, "name", self.name])
        now = self.name or called
        if self.mac:
            made.append(["ip", "link", "set", "dev", now, "address", self.mac])
        if self.mtu:
            made.append(["ip", "link", "set", "dev", now, "mtu", str(self.mtu)])
        if self.up is not None:
            made.append(["ip", "link", "set", "dev", now, "up" if self.up else "down"])
        return made

    def back(self, bed: Bed, place: Place) -> list[Call]:
        now = self._now(bed, place)
        if now is None:
            return []
        was, renamed = now["ifname"], self.name is not None and now["ifname"] != self.name
        calls = [
            self.call(
                place,
                link=self.name if renamed else was,
                name=was if renamed else None,
                up=("UP" in now["flags"]) if self.up is not None else None,
                mtu=now["mtu"] if self.mtu else None,
                mac=now["address"] if self.mac else None,
            )
        ]
        if self.up is False or renamed:
            calls += _routes_of(self, place, was)
        if self.mtu and self.kind == "node":
            calls += _children(bed, place, was)
        return calls

    def is_so(self, bed: Bed, place: Place) -> bool:
        now = self._now(bed, place)
        if now is None:
            return False
        wanted = self.name or filled(bed, self.link)
        return (
            now["ifname"] == wanted
            and self.up in (None, "UP" in now["flags"])
            and self.mtu in (None, now["mtu"])
            and (self.mac is None or self.mac.lower() == now["address"])
        )


def _routes_of(given: Commanded, place: Place, link: str) -> list[Call]:
    """Calls for the routes over a link that the kernel will not bring back by itself."""
    routes = place.told("route", "show", "dev", link)
    return [
        given.call(place, "route", to=r["dst"], via=r.get("gateway"), link=link, source=r.get("prefsrc"))
        for r in routes
        if r.get("protocol") != "kernel"
    ]


def _children(bed: Bed, place: Place, link: str) -> list[Call]:
    """A smaller interface makes the macvlans on it smaller, and they stay so: calls for those of pods."""
    networks = {name for name, network in bed.vlans.items() if link == f"eth1.{network.vlan}"}
    attached = {name for name, attachment in bed.attachments.items() if attachment.network in networks}
    found = []
    for name, workload in bed.workloads.items():
        if workload.attach in attached:
            for pod in place.reach.pods(name, place.node):
                inside = Place(place.reach, place.node, pod.uid, {"workload": name, "on": place.node, "uid": pod.uid})
                for net1 in inside.told("link", "show", "dev", "net1"):
                    found.append(Call("pod.link", {**inside.arguments, "link": "net1", "mtu": net1["mtu"]}))
    return found


class _Address(Commanded):
    """An IP address with its prefix on an interface, there or not."""

    verb: ClassVar[str] = "address"
    address: str = Field(description="172.16.0.9/16, or $(interface:ngfw@browsers)")
    link: str = "net1"
    present: bool = True

    def manages(self, bed: Bed) -> bool:
        return filled(bed, self.link) == MANAGEMENT

    def commands(self, bed: Bed, place: Place) -> Commands:
        address, link = filled(bed, self.address), filled(bed, self.link)
        if self.present:
            return [["ip", "address", "replace", address, "dev", link]]
        return [["ip", "address", "delete", address, "dev", link]] if self._there(bed, place) else []

    def back(self, bed: Bed, place: Place) -> list[Call]:
        there = self._there(bed, place)
        if there is self.present:
            return []
        link = filled(bed, self.link)
        calls = [self.call(place, address=filled(bed, self.address), link=link, present=there)]
        return calls if self.present else [*calls, *_routes_of(self, place, link)]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self._there(bed, place) is self.present

    def _there(self, bed: Bed, place: Place) -> bool:
        found = place.told("address", "show", "dev", filled(bed, self.link))
        has = {f"{a['local']}/{a['prefixlen']}" for link in found for a in link.get("addr_info", ())}
        return filled(bed, self.address) in has


class _Route(Commanded):
    """A route of the main table, there or not."""

    verb: ClassVar[str] = "route"
    to: str = Field(description="10.1.0.0/16, default, or $(cidr:browsers)")
    via: str | None = None
    link: str | None = None
    source: str | None = Field(default=None, description="the address that packets leave with")
    kind_of: str | None = Field(default=None, pattern="^(unicast|blackhole|unreachable|prohibit)$")
    metric: int | None = None
    present: bool = True

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if self.present and not (self.via or self.link or self.kind_of):
            raise ValueError("a route leads via an address, over a link, or is a blackhole")
        return self

    def manages(self, bed: Bed) -> bool:
        return True  # whatever it leads to may be the runner

    def _args(self, bed: Bed) -> list[str]:
        parts = [self.kind_of] if self.kind_of else []
        parts.append(filled(bed, self.to))
        for word, value in (("via", self.via), ("dev", self.link), ("src", self.source)):
            if value:
                parts += [word, filled(bed, value)]
        return parts + (["metric", str(self.metric)] if self.metric else [])

    def commands(self, bed: Bed, place: Place) -> Commands:
        if self.present:
            return [["ip", "route", "replace", *self._args(bed)]]
        return [["ip", "route", "delete", *self._args(bed)]] if self._found(bed, place) else []

    def back(self, bed: Bed, place: Place) -> list[Call]:
        old = self._found(bed, place)
        # A route that only differs in where it leads is replaced, and comes back by being replaced again.
        same = place.told("route", "show", "exact", filled(bed, self.to)) if self.present else old
        same = [r for r in same if (r.get("metric") or None) == self.metric]
        if self.present and not same:
            return [self.call(place, **self._own(bed), present=False)]
        if self.present and old:
            return []
        return [_again(self, place, route) for route in same]

    def _own(self, bed: Bed) -> dict[str, JSON]:
        named = {"to": self.to, "via": self.via, "link": self.link, "source": self.source, "kind_of": self.kind_of}
        return {k: filled(bed, v) if v else None for k, v in named.items()} | {"metric": self.metric}

    def is_so(self, bed: Bed, place: Place) -> bool:
        return bool(self._found(bed, place)) is self.present

    def _found(self, bed: Bed, place: Place) -> list[dict[str, JSON]]:
        own = self._own(bed)
        return [
            route
            for route in place.told("route", "show", "exact", filled(bed, self.to))
            if own["via"] in (None, route.get("gateway"))
            and own["link"] in (None, route.get("dev"))
            and (self.kind_of or "unicast") == route.get("type", "unicast")
            and own["source"] in (None, route.get("prefsrc"))
        ]


def _again(given: Commanded, place: Place, route: dict[str, JSON]) -> Call:
    kind = route.get("type", "unicast")
    return given.call(
        place, to=route["dst"], via=route.get("gateway"), link=route.get("dev") if kind == "unicast" else None,
        source=route.get("prefsrc"), metric=route.get("metric"), kind_of=kind if kind != "unicast" else None,
    )  # fmt: skip


@action("node.link")
class NodeLink(OnNode, _Link):
    """An interface of a node."""

    link: str = Field(description="such as eth1, or $(link:browsers)")


@action("node.carrier")
class Carrier(Arguments):
    """Whether a node sees that something is at the other end of its cable."""

    only_looks: ClassVar[bool] = True
    node: Node
    link: str = Field(default="eth1", description="such as eth1, or $(link:browsers)")
    up: bool = True

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return []

    def apply(self, bed: Bed, reach: Reach) -> None:
        """Nothing: this only looks."""

    def holds(self, bed: Bed, reach: Reach) -> bool:
        found = Place(reach, self.node, "", {"node": self.node}).told("link", "show", "dev", filled(bed, self.link))
        if not found:
            raise ActionFailed("there is no such interface", place=f"{self.node}/{self.link}")
        return ("LOWER_UP" in found[0]["flags"]) is self.up


@action("pod.link")
class PodLink(InPod, _Link):
    """An interface in pods of a workload."""


@action("node.address")
class NodeAddress(OnNode, _Address):
    """An address on an interface of a node."""

    link: str


@action("pod.address")
class PodAddress(InPod, _Address):
    """An address on an interface in pods of a workload."""


@action("node.route")
class NodeRoute(OnNode, _Route):
    """A route of a node."""


@action("pod.route")
class PodRoute(InPod, _Route):
    """A route in pods of a workload."""
