"""What Consul's servers said of the whole, typed, and its agents beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plumbline.bed import Bed
from plumbline.facts.consul_agent import GATE, Agent, Object, denied
from plumbline.facts.consul_rules import Rules, parsed
from plumbline.facts.facts import Facts
from plumbline.outcome import Unknown


@dataclass(frozen=True)
class Member:
    """A member of the gossip as a server sees it; `state` is alive, leaving, left or failed."""

    name: str
    address: str
    state: str
    server: bool
    datacenter: str
    version: str


@dataclass(frozen=True)
class Instance:
    """An instance of a service in the catalog, and the state of its worst check."""

    id: str
    node: str
    address: str
    port: int
    cluster: str
    state: str
    said: str


@dataclass(frozen=True)
class Key:
    """The key that this run wrote: by which server, whether that was acknowledged, and when each server had it (s).

    `elsewhere` is the status of an attempt to write a key of others; 0 where none was made.
    """

    by: str
    written: bool
    error: str
    seen: Mapping[str, float | None]
    deleted: bool
    elsewhere: int


class Consul:
    """All of it. An accessor raises Unknown, with its cause, where what it needs could not be read."""

    def __init__(self, facts: Facts, bed: Bed) -> None:
        assert bed.consul is not None
        self._facts, self._bed, self._declared = facts, bed, bed.consul

    def agent(self, node: str) -> Agent:
        """The agent of a node."""
        return Agent(node, self._facts.node(node).own("consul"))

    def silence(self, server: str) -> str:
        """Why a server does not answer the runner; empty where it does. Unknown where none was asked."""
        source = self._facts.raw("consul")
        if not source.facts and source.outcome == "refused":
            raise Unknown(str(source.error), cause=GATE)
        if not source.facts and source.outcome == "rubbish":
            raise Unknown(f"Consul could not be asked: {source.error}")
        if not source.facts:
            return f"{source.outcome}: {source.error}"
        found = source.facts["servers"][server]
        return "" if found["outcome"] == "ok" else f"{found['outcome']}: {found['error']}"

    def server(self, node: str) -> Object:
        """What a server said of the cluster."""
        if why := self.silence(node):
            raise Unknown(f"server {node}: {why}", cause=f"consul-api:{node}")
        return dict(self._facts.raw("consul").facts["servers"][node])

    @property
    def speaking(self) -> list[str]:
        """The servers that answered; Unknown where none did."""
        found = [node for node in self._declared.servers if not self.silence(node)]
        if not found:
            first = self._declared.servers[0]
            raise Unknown(f"no server answered: {self.silence(first)}", cause=f"consul-api:{first}")
        return found

    def leaders(self, node: str) -> tuple[str, str]:
        """The leader that a server named at first and in the end, as name of a node; empty where it knew of none."""
        found = self.server(node)
        first = str(found["leader"] or "")
        return self._node(first), self._node(str(found.get("leader_again", first) or ""))

    def peers(self, node: str) -> list[str]:
        """The servers that vote, by name of node, as a server sees it."""
        return sorted(self._node(address) for address in self.server(node)["peers"])

    def members(self, node: str) -> dict[str, Member]:
        """The members, by name, as a server sees them."""
        self._shown("node")
        found = self.server(node)
        if found["denied"]:
            raise Unknown(f"server {node} shows the gate no members: {found['denied']}", cause=GATE)
        return {m["name"]: Member(**m) for m in found["members"]}

    @property
    def tolerance(self) -> tuple[bool, int, list[str]]:
        """Whether autopilot calls the servers healthy, how many may fail, and the names of those that are not well."""
        found = self._shared("autopilot")
        bad = [s["Name"] for s in found["Servers"] or () if not s["Healthy"]]
        return bool(found["Healthy"]), int(found["FailureTolerance"]), bad

    @property
    def rights(self) -> dict[str, bool]:
        """What the gate's token may do, by name of the right."""
        found = dict(self._shared("rights"))
        if not found:
            asked = self._all()["asked"]
            why = self._all()["errors"].get("rights", "no server knows of a leader")
            raise Unknown(f"the gate's rights: {why}", cause=f"consul-api:{asked}" if asked else "consul:leader")
        return found

    @property
    def refusal(self) -> str:
        """Why the gate cannot show its token, or Consul does not know it at all; empty where it does. Unknown where nobody can tell."""
        source = self._facts.raw("consul")
        if not source.facts and source.outcome == "refused":
            return str(source.error)
        return next((str(self.server(node)["denied"]) for node in self.speaking if self.server(node)["denied"]), "")

    @property
    def anonymous(self) -> list[str]:
        """The policies and roles of who shows no token."""
        return list(self._shared("anonymous") or ())

    def policy(self, name: str) -> Rules | None:
        """A policy as the bed file writes it; None where there is none of that name. Unknown where it cannot be read."""
        rules = self._shared(f"policies/{name}")
        return None if rules is None else parsed(rules)

    def instance(self, id: str, service: str) -> Instance | None:
        """An instance of a service; None where the catalog has none of that id."""
        self._shown("node", "service")
        listed = next((s for s in self._shared(f"services/{service}") or () if s["ServiceID"] == id), None)
        if listed is None:
            return None
        checks = [check for check in self._shared("health") if check["ServiceID"] == id]
        worst = next((c for c in checks if c["Status"] != "passing"), checks[0] if checks else None)
        state, said = (worst["Status"], worst["Output"].strip()) if worst else ("unchecked", "")
        return Instance(
            id, listed["Node"], listed["ServiceAddress"] or listed["Address"], listed["ServicePort"],
            (listed.get("ServiceMeta") or {}).get("cluster", ""), state, said[:200],
        )  # fmt: skip

    def checks(self, node: str, instance: str) -> tuple[tuple[float, float], ...]:
        """Interval and timeout (s) of each check that the agent of a node makes of an instance."""
        self._shown("node", "service")
        return self.agent(node).checks(instance)

    @property
    def key(self) -> Key:
        """The key that this run wrote."""
        found = self._all().get("key")
        if found is None:
            raise Unknown("no key was written: this run only reads")
        return Key(
            found["by"], found["written"], found["error"] or "", found["seen"], found["deleted"], found["elsewhere"]
        )

    def _all(self) -> Object:
        _ = self.speaking
        return self._facts.raw("consul").facts

    def _shown(self, *kinds: str) -> None:
        """Unknown where the gate may not read such things: Consul leaves them out of its lists without a word."""
        rights = self._facts.raw("consul").facts.get("rights") or {}
        if lacking := [f"read {kind}" for kind in kinds if rights.get(f"read {kind}") is False]:
            raise Unknown(f"the gate is not shown all: it lacks {', '.join(lacking)}", cause=GATE)

    def _shared(self, part: str) -> Any:
        found = self._all()
        if part not in found:
            why = found["errors"].get(part, "no server knows of a leader")
            asked = f"consul-api:{found['asked']}" if found["asked"] else "consul:leader"
            cause = GATE if denied(why) else asked
            raise Unknown(f"{part} of Consul: {why}", cause=cause)
        return found[part]

    def _node(self, address: str) -> str:
        """The node whose address this is, with or without a port; the address where it is nobody's."""
        host = address.rpartition(":")[0] or address
        return next((name for name, node in self._bed.nodes.items() if str(node.oobi) == host), host)
