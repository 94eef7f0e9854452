"""servers.kill and servers.led: servers of which one leads, whichever of them that is just now."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from chaos import vault_admin
from chaos.actions.consul_api import ask_at
from chaos.actions.slurm import NodeState, declared_in
from chaos.call import ActionFailed, Arguments, Call, Looking, Node, Slip, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

Service = Literal["consul", "vault", "slurm"]
_IS_UP = re.compile(r" at ([\w.-]+) is UP")


class _OfServers(Arguments):
    """An action on the servers of one service, refused where the bed has none."""

    of: Service

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        return [] if getattr(bed, self.of) else [Slip(name, "of", f"the bed declares no {self.of}")]


@action("servers.kill")
class Kill(_OfServers):
    """Servers die at once, and stay away until the undo starts them: the one that leads first, or the others first."""

    count: int = Field(default=1, ge=1, le=9)
    first: Literal["leader", "others"] = "leader"

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        """All are named, since another may lead by the time that this one is killed.

        A controller of Slurm that comes back knows what it last saved, up to 5 s before its end: it starts a job again
        that is still at work, and drains that job's node for it ("Duplicate jobid"). By itself it never ends that.
        """
        unit = _unit(bed, self.of)
        calls = [Call("node.unit", {"node": node, "unit": unit, "active": True}) for node in _all(bed, self.of)]
        if self.of == "slurm":
            calls.append(Call("slurm.in_charge"))
            for node in declared_in(bed).compute:
                calls += NodeState(node=node, drained=True).reverse(bed, reach)
        return calls

    def apply(self, bed: Bed, reach: Reach) -> None:
        up, leader = self._up(bed, reach), leads(bed, reach, self.of)
        if not leader:
            raise ActionFailed("nobody leads, so that it cannot be told whom to kill", place=self.of)
        in_order = sorted(up, key=lambda node: (node == leader) is (self.first == "others"))
        missing = self.count - (len(_all(bed, self.of)) - len(up))
        script = 'systemctl kill --signal=KILL --kill-who=all "$1"; systemctl stop "$1"'
        for node in in_order[: max(0, missing)]:
            reach.run(node, ["sh", "-c", script, "kill", _unit(bed, self.of)])

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return len(_all(bed, self.of)) - len(self._up(bed, reach)) >= self.count

    def _up(self, bed: Bed, reach: Reach) -> list[str]:
        command = ["systemctl", "is-active", "--quiet", _unit(bed, self.of)]
        return [node for node in _all(bed, self.of) if reach.ask(node, command).code == 0]


@action("servers.led")
class Led(Looking, _OfServers):
    """Whether one of the servers leads, as those say that answer; with `by` whether that one does."""

    led: bool = True
    by: Node | None = None

    def holds(self, bed: Bed, reach: Reach) -> bool:
        leader = leads(bed, reach, self.of)
        return (leader == self.by if self.by else bool(leader)) is self.led


def leads(bed: Bed, reach: Reach, service: Service) -> str:
    """The server that leads, as the servers themselves say; empty where none does."""
    if service == "vault":
        return next((node for node, state in vault_admin.states(bed, reach).items() if state == "active"), "")
    if service == "slurm":
        return _controller(bed, reach)
    by_address = {str(bed.nodes[node].oobi): node for node in _all(bed, service)}
    for node in by_address.values():
        try:
            status, said = ask_at(bed, reach, node, "GET", "/v1/status/leader", None, token="")
        except ActionFailed:
            continue
        if status == 200 and said:
            return by_address.get(str(said).rpartition(":")[0], "")
    return ""


def _controller(bed: Bed, reach: Reach) -> str:
    """The first controller in order that answers is in charge."""
    assert bed.slurm is not None
    up = set(_IS_UP.findall(reach.ask(bed.slurm.submit, ["timeout", "5", "scontrol", "ping"]).out))
    return next((node for node in bed.slurm.controllers if node in up), "")


def _all(bed: Bed, service: Service) -> tuple[str, ...]:
    found = {
        "consul": bed.consul.servers if bed.consul else (),
        "vault": bed.vault.on if bed.vault else (),
        "slurm": bed.slurm.controllers if bed.slurm else (),
    }
    return tuple(found[service])


def _unit(bed: Bed, service: Service) -> str:
    return {"consul": "consul", "vault": bed.vault.unit if bed.vault else "vault", "slurm": "slurmctld"}[service]
