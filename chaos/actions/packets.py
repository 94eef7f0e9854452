"""node.nft, node.shape, pod.nft and the sysctls: what a node or a pod does with packets."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal

from pydantic import Field

from chaos.actions.links import MANAGEMENT
from chaos.actions.place import Commanded, Commands, InPod, OnNode, Place
from chaos.actions.words import filled
from chaos.call import ActionFailed, Call, action
from plumbline.bed import Bed


class _Nft(Commanded):
    """Rules of nftables, in a table of their own, before all others of the same hook."""

    verb: ClassVar[str] = "nft"
    hook: Literal["prerouting", "input", "forward", "output", "postrouting"]
    rules: tuple[str, ...] = Field(min_length=1, description='such as ["iifname eth1 udp dport 53 drop"]')
    priority: int = Field(default=-300, ge=-400, le=300)
    chain: Literal["filter", "nat", "route"] = "filter"
    present: bool = True

    def manages(self, bed: Bed) -> bool:
        return True

    @property
    def table(self) -> str:
        """Named by what it does, so that two faults at a time have two tables and an undo finds its own."""
        text = "\n".join((self.hook, self.chain, str(self.priority), *self.rules))
        return f"plumbline_{hashlib.blake2b(text.encode(), digest_size=5).hexdigest()}"

    def commands(self, bed: Bed, place: Place) -> Commands:
        table = f"inet {self.table}"
        text = [f"table {table}", f"delete table {table}"]  # declared first, so that it is there to be deleted
        if self.present:
            rules = "\n".join(f"    {filled(bed, rule)}" for rule in self.rules)
            opening = f"type {self.chain} hook {self.hook} priority {self.priority}; policy accept;"
            text.append(f"table {table} {{\n  chain {self.hook} {{\n    {opening}\n{rules}\n  }}\n}}")
        return [["nft", "\n".join(text)]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        if self.is_so(bed, place):
            return []
        own = self.model_dump(mode="json", include={"hook", "rules", "priority", "chain"})
        return [self.call(place, **own, present=not self.present)]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return (place.ask(["nft", "list", "table", "inet", self.table]).code == 0) is self.present


@action("node.nft")
class NodeNft(OnNode, _Nft):
    """Rules of nftables on a node."""


@action("pod.nft")
class PodNft(InPod, _Nft):
    """Rules of nftables in the network of pods."""


@action("node.shape")
class NodeShape(OnNode, Commanded):
    """No more than so much leaves a node over an interface: a token bucket (tc-tbf) in the place of its queue."""

    verb: ClassVar[str] = "shape"
    link: str = Field(description="such as eth1.20, or $(link:browsers)")
    rate: int = Field(ge=1, le=100_000, description="Mbit/s")
    shaped: bool = True

    def manages(self, bed: Bed) -> bool:
        return filled(bed, self.link) == MANAGEMENT

    def commands(self, bed: Bed, place: Place) -> Commands:
        link = filled(bed, self.link)
        if not self.shaped:
            return [["tc", "qdisc", "delete", "dev", link, "root"]]
        bucket = ["tbf", "rate", f"{self.rate}mbit", "burst", "64kb", "latency", "100ms"]
        return [["tc", "qdisc", "replace", "dev", link, "root", *bucket]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        if self._there(bed, place):
            raise ActionFailed("it is shaped already, by somebody else", place=f"{self.node}/{filled(bed, self.link)}")
        return [self.call(place, link=self.link, rate=self.rate, shaped=False)]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self._there(bed, place) is self.shaped

    def _there(self, bed: Bed, place: Place) -> bool:
        return "qdisc tbf" in place.ask(["tc", "qdisc", "show", "dev", filled(bed, self.link), "root"]).out


class _Sysctl(Commanded):
    """A setting of the kernel: a sysctl, of the network of the place where it is of the network, or a file of /sys."""

    verb: ClassVar[str] = "sysctl"
    key: str = Field(
        pattern=r"^(/sys/)?[a-z][\w./-]*$", description="net.ipv4.ip_forward; net/ipv4/conf/eth1.20/forwarding; /sys/…"
    )
    value: str

    @property
    def _path(self) -> str:
        if self.key.startswith("/sys/"):
            return self.key
        return f"/proc/sys/{self.key if '/' in self.key else self.key.replace('.', '/')}"

    def commands(self, bed: Bed, place: Place) -> Commands:
        return [["sh", "-c", 'printf "%s\\n" "$2" > "$1"', "sysctl", self._path, filled(bed, self.value)]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        now = self._now(place)
        return [] if now in (None, self._wanted(bed)) else [self.call(place, key=self.key, value=now)]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self._now(place) == self._wanted(bed)

    def _wanted(self, bed: Bed) -> str:
        return " ".join(filled(bed, self.value).split())

    def _now(self, place: Place) -> str | None:
        done = place.ask(["cat", self._path])
        text = " ".join(done.out.split())
        return (text.partition("[")[2].partition("]")[0] or text) if done.code == 0 else None


@action("node.sysctl")
class NodeSysctl(OnNode, _Sysctl):
    """A sysctl of a node."""


@action("pod.sysctl")
class PodSysctl(InPod, _Sysctl):
    """A sysctl of the network of pods."""
