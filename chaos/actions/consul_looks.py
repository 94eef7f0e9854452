"""What is only looked at of Consul: members, leaders, checks, and whether all of it is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from chaos.actions.consul_api import OfConsul, ask, ask_at, declared_in, done
from chaos.call import Call, Node, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

_ALIVE = {1: "alive", 2: "leaving", 3: "left", 4: "failed"}


class _Look(OfConsul):
    """What only looks."""

    only_looks: ClassVar[bool] = True

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return []

    def apply(self, bed: Bed, reach: Reach) -> None:
        return


@action("consul.member")
class Member(_Look):
    """Whether a node is a member in one of these states, to a server that is not the node itself."""

    node: Node
    state: tuple[Literal["alive", "leaving", "left", "failed", "unknown"], ...] = ("failed", "left", "unknown")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        members = done(ask(bed, reach, "GET", "/v1/agent/members", but=self.node))
        states = [_ALIVE.get(m["Status"], "unknown") for m in members if m["Name"] == self.node]
        return (states[0] if states else "unknown") in self.state


@action("consul.knows")
class Knows(_Look):
    """Whether a server knows of a leader."""

    node: Node
    leader: bool = True

    def holds(self, bed: Bed, reach: Reach) -> bool:
        status, said = ask_at(bed, reach, self.node, "GET", "/v1/status/leader", None)
        return (status == 200 and bool(said)) is self.leader


@action("consul.check")
class Check(_Look):
    """Whether the checks of an instance are in a state."""

    instance: str = Field(description="its id, such as ssh-jast")
    state: Literal["passing", "warning", "critical"] = "critical"

    def holds(self, bed: Bed, reach: Reach) -> bool:
        checks = done(ask(bed, reach, "GET", "/v1/health/state/any"))
        return self.state in {check["Status"] for check in checks if check["ServiceID"] == self.instance}


@action("consul.elections")
class Elections(_Look):
    """Whether more servers have become leaders lately than the bed file allows."""

    many: bool = True

    def holds(self, bed: Bed, reach: Reach) -> bool:
        leader = declared_in(bed).leader
        since = f"--since=-{leader.within.total_seconds():.0f}s"
        argv = ["journalctl", "--unit=consul", "--output=cat", "--quiet", since]
        logs = [reach.ask(node, argv).out for node in declared_in(bed).servers]
        return (sum(log.count("cluster leadership acquired") for log in logs) > leader.changes) is self.many


@action("consul.servers")
class Servers(_Look):
    """Whether every declared server is healthy to the leader.

    It looks every two seconds, calls one that failed unhealthy, and some seconds later strikes it off.
    """

    healthy: bool = True

    def holds(self, bed: Bed, reach: Reach) -> bool:
        found = _to_the_leader(bed, reach)
        healthy = set(declared_in(bed).servers) <= {name for name, server in found.items() if server["Healthy"]}
        return healthy is self.healthy


@action("consul.serves")
class Serves(_Look):
    """Whether the agent of a node does all of its work, whatever the others do: it knows who asks, and its checks pass."""

    node: Node

    def holds(self, bed: Bed, reach: Reach) -> bool:
        if not Member(node=self.node, state=("alive",)).holds(bed, reach):
            return False
        checks = done(ask(bed, reach, "GET", f"/v1/health/node/{self.node}"))
        if not all(map(_passing, checks)):
            return False
        declared = declared_in(bed)
        if not {id for id, node, _ in declared.instances() if node == self.node} <= {c["ServiceID"] for c in checks}:
            return False
        if not _answering(bed, reach, self.node):
            return False
        return self.node not in declared.servers or self.node in _voters(bed, reach)


@action("consul.well")
class Well(_Look):
    """All of it is well: every node alive, every server a voter that is healthy, every check passing, a leader that stays and is followed."""

    def holds(self, bed: Bed, reach: Reach) -> bool:
        declared = declared_in(bed)
        members = done(ask(bed, reach, "GET", "/v1/agent/members"))
        if not set(declared.nodes) <= {m["Name"] for m in members if m["Status"] == 1}:
            return False
        if not set(declared.servers) <= _voters(bed, reach):
            return False
        checks = done(ask(bed, reach, "GET", "/v1/health/state/any"))
        there = {check["ServiceID"] for check in checks if check["Status"] == "passing"}
        if not {id for id, _, _ in declared.instances()} <= there or not all(map(_passing, checks)):
            return False
        if not all(_answering(bed, reach, node) for node in declared.nodes) or not _caught_up(bed, reach):
            return False
        return Elections(many=False).holds(bed, reach)


def _to_the_leader(bed: Bed, reach: Reach) -> dict[str, dict[str, Any]]:
    """What the leader thinks of each server, by name; autopilot's status is 429 where one is not healthy."""
    found = done(ask(bed, reach, "GET", "/v1/operator/autopilot/health"))
    return {server["Name"]: server for server in found["Servers"] or ()}


def _voters(bed: Bed, reach: Reach) -> set[str]:
    """The servers that have a vote and are healthy to the leader."""
    return {name for name, server in _to_the_leader(bed, reach).items() if server["Voter"] and server["Healthy"]}


def _caught_up(bed: Bed, reach: Reach) -> bool:
    """Whether every server has applied what any of them called committed when they were first asked.

    The leader sends a server its log over another connection than its signs of life: one that lay cut comes back when
    TCP tries again, which may be half a minute after all else is well. Who is asked later knows of writes that came
    meanwhile: whoever seems behind is asked again.
    """
    first = {node: _raft(bed, reach, node) for node in declared_in(bed).servers}
    committed = max(int(raft["commit_index"]) for raft in first.values())
    behind = [node for node, raft in first.items() if int(raft["applied_index"]) < committed]
    return all(int(_raft(bed, reach, node)["applied_index"]) >= committed for node in behind)


def _raft(bed: Bed, reach: Reach, node: str) -> dict[str, str]:
    found: dict[str, str] = done(ask_at(bed, reach, node, "GET", "/v1/agent/self", None))["Stats"]["raft"]
    return found


def _answering(bed: Bed, reach: Reach, node: str) -> bool:
    """Whether an agent knows the gate and lets nobody in, knows of a leader if it is a server, and finds its services well.

    A client remembers what a token may do for half a minute.
    """
    if node in declared_in(bed).servers and not Knows(node=node).holds(bed, reach):
        return False
    gate = reach.access.credentials.get("consul", "")
    for token, wanted in ((gate, 200), ("", 403)):
        if ask_at(bed, reach, node, "GET", "/v1/agent/self", None, token=token)[0] != wanted:
            return False
    # a connection to a server that was started again is found broken by the first who uses it
    if ask_at(bed, reach, node, "GET", "/v1/catalog/nodes", None)[0] != 200:
        return False
    # an agent that has just begun makes its checks anew, and the catalog may not have been told yet
    return all(map(_passing, done(ask_at(bed, reach, node, "GET", "/v1/agent/checks", None)).values()))


def _passing(check: dict[str, Any]) -> bool:
    return bool(check["Status"] == "passing")
