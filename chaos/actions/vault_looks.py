"""vault.is, vault.store, vault.steady and vault.well: what is only looked at."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, ClassVar, Literal

from chaos import vault_admin as admin
from chaos.call import ActionFailed, Arguments, Call, Node, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

_STEADY_S = 5.0


class _Looks(Arguments):
    only_looks: ClassVar[bool] = True

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return []

    def apply(self, bed: Bed, reach: Reach) -> None:
        raise ActionFailed("this is only looked at", place="Vault")


@action("vault.is")
class Is(_Looks):
    """One of the servers (or the one that is named) is active, standby, sealed or silent; `none`: no server is."""

    state: Literal["active", "standby", "sealed", "uninitialised", "silent"]
    node: Node | None = None
    none: bool = False

    def holds(self, bed: Bed, reach: Reach) -> bool:
        states = admin.states(bed, reach)
        seen = [states[self.node]] if self.node else list(states.values())
        return (self.state in seen) is not self.none


@action("vault.store")
class Store(_Looks):
    """The store says of its members that all are healthy, or that not all are; it takes ten seconds to miss one."""

    healthy: bool

    def holds(self, bed: Bed, reach: Reach) -> bool:
        said = admin.ask(bed, reach, "GET", "sys/storage/raft/autopilot/state")
        return said is not None and bool(said.data.get("healthy")) is self.healthy


@action("vault.steady")
class Steady(_Looks):
    """One server is active and has been for as long as the bed file wants; the others may be anything else."""

    def holds(self, bed: Bed, reach: Reach) -> bool:
        if list(admin.states(bed, reach).values()).count("active") != 1:
            return False
        said = admin.ask(bed, reach, "GET", "sys/leader")
        return said is not None and _age(str(said.body["active_time"])) > _least(bed) + 1


@action("vault.well")
class Well(_Looks):
    """Every server is open and a member that votes, the store healthy, and one server active for a while."""

    def holds(self, bed: Bed, reach: Reach) -> bool:
        states = admin.states(bed, reach)
        if sorted(states.values()) != sorted(["active", *["standby"] * (len(states) - 1)]):
            return False
        if not Steady().holds(bed, reach):
            return False
        if admin.declared(bed).storage.type != "raft":
            return True
        said = admin.ask(bed, reach, "GET", "sys/storage/raft/autopilot/state")
        return said is not None and bool(said.data.get("healthy")) and set(said.data.get("voters") or ()) == set(states)


def _least(bed: Bed) -> float:
    return bed.budgets["vault_steady"].total_seconds() if "vault_steady" in bed.budgets else _STEADY_S


def _age(since: str) -> float:
    """Seconds since a moment as Vault tells it; no server has been active since the year 1."""
    began = dt.datetime.fromisoformat(f"{since[:19]}+00:00")
    return (dt.datetime.now(dt.UTC) - began).total_seconds() if began.year > 1 else 0.0
