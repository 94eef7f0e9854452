"""slurm.node, slurm.ready, slurm.in_charge, slurm.partition, slurm.config, and what the user slurm reaches.

Slurm is asked from the node from which a gate asks it, each time within a limit.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from chaos.actions.files import _File, _given
from chaos.actions.place import Commanded, Commands, OnNode, Place
from chaos.actions.words import filled
from chaos.call import JSON, ActionFailed, Arguments, Call, Looking, Node, action
from plumbline.bed import Bed
from plumbline.bed.model import Slurm

if TYPE_CHECKING:
    from chaos.reach import Reach

_CONFIG = "/etc/slurm/slurm.conf"
_WELL = frozenset({"idle", "mixed", "allocated"})
_COVER = "plumbline-cover"
_AGE = """began=$(timeout 5 scontrol show config | sed -n 's/^BOOT_TIME *= *//p')
[ -n "$began" ] && echo $(( $(date +%s) - $(date -d "$began" +%s) ))"""
"""Seconds since the controller that answers was started; it fails where none does."""
_IN_CHARGE = 12
"""Seconds until a controller has started what it knew of: twice what was seen."""


def declared_in(bed: Bed) -> Slurm:
    """The bed's Slurm; ActionFailed where it declares none."""
    if bed.slurm is None:
        raise ActionFailed("the bed file declares no Slurm", place=f"bed {bed.bed}")
    return bed.slurm


def ask(bed: Bed, reach: Reach, *argv: str) -> str:
    """What a command of Slurm's prints where a gate gives its commands; ActionFailed where it fails."""
    return reach.run(declared_in(bed).submit, list(argv))


def _nodes(bed: Bed, reach: Reach) -> dict[str, dict[str, Any]]:
    """The nodes as the controller knows them; none where it does not answer."""
    done = reach.ask(declared_in(bed).submit, ["timeout", "5", "sinfo", "--json"])
    if done.code != 0:
        return {}
    return {node["name"]: node for node in json.loads(done.out)["nodes"]}


def _up(node: dict[str, Any]) -> bool:
    """Whether it takes jobs, and has told the controller in charge of itself, whose version it is."""
    flags = {"NOT_RESPONDING", "INVALID_REG", "DRAIN"} & set(node["state_flags"])
    return node["state"].lower() in _WELL and not flags and bool(node.get("slurmd_version"))


def _down(node: dict[str, Any]) -> bool:
    return bool(node["state"].lower() == "down")


@action("slurm.ready")
class Ready(Looking):
    """Whether all controllers are up, or those that are named, all compute nodes take jobs, and none of a gate's is left."""

    controllers: tuple[Node, ...] = Field(default=(), description="by default all of them")
    nodes: bool = Field(default=True, description="whether compute nodes must be well too")
    idle: bool = Field(default=True, description="whether no job of a gate's may be at work on them")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        slurm = declared_in(bed)
        ping = reach.ask(slurm.submit, ["timeout", "5", "scontrol", "ping"]).out
        wanted = self.controllers or slurm.controllers
        if not all(re.search(rf" at {re.escape(name)} is UP", ping) for name in wanted):
            return False
        if not self.nodes:
            return True
        found = _nodes(bed, reach)
        well = all(node in found and _up(found[node]) for node in slurm.compute)
        return well and not (self.idle and self._at_work(slurm, reach))

    def _at_work(self, slurm: Slurm, reach: Reach) -> bool:
        """Whether a job of a gate has a processor: one on a node that was lost may keep it until the node is back."""
        if slurm.jobs is None:
            return False
        command = ["timeout", "5", "squeue", "-h", "-u", slurm.jobs.user, "-t", "running,completing,configuring"]
        done = reach.ask(slurm.submit, command)
        return done.code != 0 or bool(done.out.strip())


@action("slurm.in_charge")
class InCharge(Looking):
    """Whether the controller that answers began so long ago that it has started whatever it knew of when it began.

    Its nodes report themselves within 5 s, and the first jobs are started a second later (seen with Slurm 22.05).
    """

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return int(ask(bed, reach, "sh", "-c", _AGE)) >= _IN_CHARGE


@action("slurm.node")
class NodeState(Arguments):
    """A compute node, drained for a reason, or asked again and taking jobs; or only looked at: whether Slurm calls it up."""

    node: Node
    drained: bool | None = None
    up: bool | None = Field(default=None, description="only looked at, and waited for")
    down: bool | None = Field(
        default=None, description="only looked at: Slurm has given it up, and begins its jobs again"
    )
    reason: str = Field(default="plumbline", pattern=r"^[\w .,-]{1,60}$")

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        if self.drained is None:
            return []
        now = self._now(bed, reach)
        was: dict[str, JSON] = {"node": self.node, "drained": "DRAIN" in now["state_flags"], "reason": self.reason}
        return [Call("slurm.node", was | ({"up": True} if _up(now) else {}))]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if self.drained is None:
            return
        now = self._now(bed, reach)
        drained = "DRAIN" in now["state_flags"]
        if self.drained and not drained:
            state = ["state=drain", f"reason={self.reason}"]
        elif not self.drained and (drained or _down(now)):  # Slurm itself asks a node that it lost every 100 s or so
            state = ["state=resume"]
        else:
            return
        ask(bed, reach, "scontrol", "update", f"nodename={self.node}", *state)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        now = self._now(bed, reach)
        return (
            self.drained in (None, "DRAIN" in now["state_flags"])
            and self.up in (None, _up(now))
            and self.down in (None, _down(now))
        )

    def _now(self, bed: Bed, reach: Reach) -> dict[str, Any]:
        found = _nodes(bed, reach)
        if self.node not in found:
            raise ActionFailed("Slurm does not know it, or does not answer", place=self.node)
        return found[self.node]


@action("slurm.partition")
class PartitionState(Arguments):
    """A partition, as `scontrol update` changes it until the next start of the controller."""

    partition: str
    state: str | None = Field(default=None, pattern="^(UP|DOWN|DRAIN|INACTIVE)$")
    default: bool | None = None
    longest: str | None = Field(default=None, description="MaxTime as Slurm writes it, such as UNLIMITED or 01:00:00")

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        calls = [self._call(self._now(bed, reach, self.partition), self.partition)]
        for name in declared_in(bed).partitions if self.default else ():
            now = self._now(bed, reach, name)
            if name != self.partition and now["Default"] == "YES":  # there is one at a time
                calls.append(Call("slurm.partition", {"partition": name, "default": True}))
        return calls

    def _call(self, now: dict[str, str], name: str) -> Call:
        was: dict[str, JSON] = {"partition": name}
        was |= {"state": now["State"]} if self.state is not None else {}
        was |= {"default": now["Default"] == "YES"} if self.default is not None else {}
        was |= {"longest": now["MaxTime"]} if self.longest is not None else {}
        return Call("slurm.partition", was)

    def apply(self, bed: Bed, reach: Reach) -> None:
        if self.holds(bed, reach):
            return
        changes = [f"state={self.state}"] if self.state is not None else []
        changes += [f"default={'yes' if self.default else 'no'}"] if self.default is not None else []
        changes += [f"maxtime={self.longest}"] if self.longest is not None else []
        ask(bed, reach, "scontrol", "update", f"partitionname={self.partition}", *changes)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        now = self._now(bed, reach, self.partition)
        return (
            self.state in (None, now["State"])
            and self.default in (None, now["Default"] == "YES")
            and self.longest in (None, now["MaxTime"])
        )

    def _now(self, bed: Bed, reach: Reach, name: str) -> dict[str, str]:
        told = ask(bed, reach, "scontrol", "--oneliner", "show", "partition", name)
        return dict(word.partition("=")[::2] for word in told.split() if "=" in word)


@action("slurm.config")
class Config(_File):
    """Settings of slurm.conf on the nodes of Slurm, or on some; its daemons there are started again.

    `of` names the node, or the partition, whose line is meant; else settings of the whole cluster are. A new setting
    is added; null takes one out.
    """

    kind: ClassVar[str] = "slurm"
    made: ClassVar[bool] = True
    nodes: tuple[Node, ...] = Field(default=(), description="by default all nodes of Slurm")
    of: str | None = Field(default=None, description="NodeName=… or PartitionName=…, as the line begins")
    set: dict[str, str | None] = Field(default={})
    lines: tuple[str, ...] = Field(default=(), description="to be added as they are")

    def places(self, bed: Bed, reach: Reach) -> list[Place]:
        return [Place(reach, node, "", {"node": node}) for node in self.nodes or declared_in(bed).nodes]

    def file(self, place: Place) -> str:
        return _CONFIG

    def again(self, place: Place) -> Call:
        return Call("slurm.config", _given({"nodes": [place.node], "undo": self.copy_name}))

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        """A node that Slurm itself drains for what its line says takes jobs again: by itself it never would."""
        kind, _, name = (self.of or "").partition("=")
        drained = NodeState(node=name, drained=True).reverse(bed, reach) if kind == "NodeName" else []
        return [*super().reverse(bed, reach), *drained]

    def _content(self, bed: Bed, place: Place, do: str) -> str | None:
        if do != "change":
            return None
        return self.changed(place.reach.run(place.node, ["cat", _CONFIG]), [filled(bed, line) for line in self.lines])

    def changed(self, text: str, lines: list[str]) -> str:
        """The new text. ActionFailed where it has no such line."""
        new = text.splitlines()
        if self.of is None:
            keys = tuple(f"{key}=" for key in self.set)
            new = [line for line in new if not line.startswith(keys)] if keys else new
            new += [f"{key}={value}" for key, value in self.set.items() if value is not None]
        else:
            index = next((n for n, line in enumerate(new) if line.split()[:1] == [self.of]), None)
            if index is None:
                raise ActionFailed(f"no line begins with {self.of}", place=_CONFIG)
            kept = [word for word in new[index].split() if word.partition("=")[0] not in self.set]
            new[index] = " ".join([*kept, *(f"{k}={v}" for k, v in self.set.items() if v is not None)])
        return "\n".join([*new, *lines]) + "\n"

    def _start_again(self, place: Place) -> None:
        bed = place.reach.bed
        units = [unit for unit in declared_in(bed).units(place.node) if unit in ("slurmctld", "slurmd")]
        if units:
            place.reach.run(place.node, ["systemctl", "restart", *units], limit=60.0)


@action("slurm.mode")
class Mode(OnNode, Commanded):
    """Who may read a file, or go into a folder, of a node."""

    kind: ClassVar[str] = "slurm"
    verb: ClassVar[str] = "mode"
    path: str = Field(pattern="^/[^*]+$")
    mode: str = Field(pattern="^[0-7]{4}$")

    def commands(self, bed: Bed, place: Place) -> Commands:
        return [["chmod", self.mode, self.path]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return [self.call(place, path=self.path, mode=self._now(place))]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self._now(place) == self.mode

    def _now(self, place: Place) -> str:
        done = place.ask(["stat", "--format=%a", self.path])
        if done.code != 0:
            raise ActionFailed("there is no such file", place=f"{place.node}:{self.path}")
        return done.out.strip().zfill(4)


@action("slurm.cover")
class Cover(OnNode, Commanded):
    """A folder of a node that is not the shared one any more: an empty file system lies over it, as without its mount."""

    kind: ClassVar[str] = "slurm"
    verb: ClassVar[str] = "cover"
    path: str = Field(pattern="^/[a-z/]+$")
    mode: str = Field(default="0755", pattern="^[0-7]{4}$")
    covered: bool = True

    def commands(self, bed: Bed, place: Place) -> Commands:
        if not self.covered:
            return [["umount", "--lazy", self.path]]
        return [["mount", "-t", "tmpfs", "-o", f"size=1m,mode={self.mode}", _COVER, self.path]]

    def back(self, bed: Bed, place: Place) -> list[Call]:
        return [self.call(place, path=self.path, covered=self._there(place))]

    def is_so(self, bed: Bed, place: Place) -> bool:
        return self._there(place) is self.covered

    def _there(self, place: Place) -> bool:
        done = place.ask(["findmnt", "--noheadings", "--output", "SOURCE", "--mountpoint", self.path])
        return _COVER in done.out.split()
