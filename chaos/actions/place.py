"""Where an action acts: on a node, or in the network namespace of pods of a workload."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from chaos.call import JSON, ActionFailed, Arguments, Call, Node, Workload
from chaos.reach import LIMIT, NO_SUCH_POD, Done
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

Commands = list[list[str]]
GUARD = 180
"""Seconds after which a node takes back by itself what may have cut off the runner's own way to it."""


@dataclass(frozen=True)
class Place:
    """A node's own network namespace, or that of a pod on it; `arguments` name it in a call."""

    reach: Reach
    node: str
    uid: str
    arguments: dict[str, JSON]

    @property
    def name(self) -> str:
        return str(self.arguments.get("workload", self.node))

    def ask(self, argv: Sequence[str], *, input: str = "", limit: float = LIMIT) -> Done:
        """Runs a program of the node here; a pod that is gone has the exit code NO_SUCH_POD."""
        if self.uid:
            return self.reach.ask_pod(self.node, self.uid, argv, input=input, limit=limit)
        return self.reach.ask(self.node, argv, input=input, limit=limit)

    def gone(self) -> bool:
        """Whether the pod is no more, and with it whatever was done to it."""
        return bool(self.uid) and self.ask(["true"]).code == NO_SUCH_POD

    def told(self, *argv: str) -> list[dict[str, JSON]]:
        """What `ip -json` says; empty where it knows no such thing."""
        done = self.ask(["ip", "-j", "-d", *argv])
        if done.code != 0 or not done.out.strip():
            return []
        return [entry for entry in json.loads(done.out) if entry]


class OnNode(Arguments):
    """Arguments of an action on a node."""

    kind: ClassVar[str] = "node"
    node: Node
    guard: int | None = Field(default=None, ge=10, le=3600, description="seconds after which the node undoes it itself")
    guarded: str | None = Field(default=None, description="the timer on the node that this undo makes needless")

    def places(self, bed: Bed, reach: Reach) -> list[Place]:
        """The node itself."""
        return [Place(reach, self.node, "", {"node": self.node})]


class InPod(Arguments):
    """Arguments of an action in pods of a workload: the first by name, or every one. Undo calls name it by its UID."""

    kind: ClassVar[str] = "pod"
    workload: Workload
    every: bool = Field(default=False, description="every running pod of the workload, not only the first")
    on: Node | None = Field(default=None, description="only pods on this node")
    uid: str | None = None

    def places(self, bed: Bed, reach: Reach) -> list[Place]:
        """The network namespaces of the pods. ActionFailed where none runs."""
        if self.uid and self.on:
            return [_in_pod(reach, self.workload, self.on, self.uid)]
        pods = reach.pods(self.workload, self.on or "")
        if not pods:
            raise ActionFailed("no pod of it is running", place=self.workload)
        return [_in_pod(reach, self.workload, pod.node, pod.uid) for pod in (pods if self.every else pods[:1])]


def _in_pod(reach: Reach, workload: str, node: str, uid: str) -> Place:
    return Place(reach, node, uid, {"workload": workload, "on": node, "uid": uid})


class Commanded(Arguments):
    """An action that is done by commands in a place; classes below say which, and what the place is like now."""

    kind: ClassVar[str]
    verb: ClassVar[str]
    always: ClassVar[bool] = False
    """Whether it is done again where it is already so: else nothing is touched, which may not even be allowed."""

    def places(self, bed: Bed, reach: Reach) -> list[Place]:
        raise NotImplementedError

    def commands(self, bed: Bed, place: Place) -> Commands:
        """What makes it so; safe to repeat."""
        raise NotImplementedError

    def back(self, bed: Bed, place: Place) -> list[Call]:
        """The calls that bring the place back to what it is now."""
        raise NotImplementedError

    def is_so(self, bed: Bed, place: Place) -> bool:
        """Whether the place is as this action would make it."""
        raise NotImplementedError

    def manages(self, bed: Bed) -> bool:
        """Whether this may cut the runner's own way to the node."""
        return False

    def cuts(self, bed: Bed) -> frozenset[str]:
        node = getattr(self, "node", None)
        return frozenset({node} if node and self.kind == "node" and self.manages(bed) else ())

    def call(self, place: Place, verb: str = "", **arguments: JSON) -> Call:
        """A call of this kind for the same place."""
        given = {name: value for name, value in arguments.items() if value is not None}
        return Call(f"{self.kind}.{verb or self.verb}", {**place.arguments, **given})

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [call for place in self.places(bed, reach) for call in self._reverse_at(bed, place)]

    def _reverse_at(self, bed: Bed, place: Place) -> list[Call]:
        calls = self.back(bed, place)
        if calls and self._guarding(bed):
            last = calls[-1]
            calls[-1] = Call(last.action, {**last.arguments, "guarded": self._timer()})
        return calls

    def apply(self, bed: Bed, reach: Reach) -> None:
        for place in self.places(bed, reach):
            if self._guarding(bed) and not self.is_so(bed, place):
                self._set_guard(bed, place)
            for argv in self.commands(bed, place) if self.always or not self.is_so(bed, place) else ():
                done = place.ask(argv)
                if done.code == NO_SUCH_POD and place.uid:
                    break
                if done.code != 0:
                    said = " ".join((done.err or done.out).split())[-300:]
                    raise ActionFailed(f"`{shlex.join(argv)[:200]}`: {said}", place=place.name)
            if timer := getattr(self, "guarded", None):
                place.ask(["systemctl", "stop", f"{timer}.timer"])

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return all(place.gone() or self.is_so(bed, place) for place in self.places(bed, reach))

    def _guarding(self, bed: Bed) -> bool:
        if getattr(self, "guarded", None):
            return False
        return getattr(self, "guard", None) is not None or (self.kind == "node" and self.manages(bed))

    def _timer(self) -> str:
        return f"plumbline-guard-{hashlib.blake2b(self.model_dump_json().encode(), digest_size=5).hexdigest()}"

    def _set_guard(self, bed: Bed, place: Place) -> None:
        """The undo waits on the node before anything is done there: it needs no way in."""
        commands = [argv for call in self.back(bed, place) for argv in _commands_of(bed, place, call)]
        script = "; ".join(shlex.join(argv) for argv in commands)
        seconds = getattr(self, "guard", None) or GUARD
        start = ["systemd-run", "--quiet", "--collect", f"--unit={self._timer()}", f"--on-active={seconds}"]
        place.ask(["systemctl", "stop", f"{self._timer()}.timer"])
        done = place.ask([*start, "sh", "-c", script])
        if done.code != 0:
            raise ActionFailed(f"the node takes no guard: {done.err.strip()[-200:]}", place=place.name)


def _commands_of(bed: Bed, place: Place, call: Call) -> Commands:
    ready = call.understood(bed)
    return ready.commands(bed, place) if isinstance(ready, Commanded) else []
