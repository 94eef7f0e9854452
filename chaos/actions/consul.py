"""consul.policy, consul.anonymous, consul.token, consul.peer, consul.flapping, consul.stray, and what is only looked at.

They speak to a server of the bed as Consul's administrator; the token for that never leaves this machine but by the
standard input of a command on that server.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from chaos.call import JSON, ActionFailed, Arguments, Call, Node, Slip, action
from plumbline import curl, places
from plumbline.bed import Bed
from plumbline.bed.consul import Consul
from plumbline.bed.secrets import resolve

if TYPE_CHECKING:
    from chaos.reach import Reach

ANONYMOUS = "00000000-0000-0000-0000-000000000002"
STRAY = "plumbline-stray"
_FLAPPING = "plumbline-flapping"
_HEADER = "/run/plumbline-flapping.header"
_LIMIT = 8.0
_RPC = 8300
_ALIVE = {1: "alive", 2: "leaving", 3: "left", 4: "failed"}
Answer = tuple[int, Any]


class _OfConsul(Arguments):
    """An action on the bed's Consul, refused where the bed has none."""

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        return [] if bed.consul else [Slip(name, "", "the bed declares no Consul")]


@action("consul.policy")
class Policy(_OfConsul):
    """A policy with other rules (HCL)."""

    policy: str
    rules: str

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("consul.policy", {"policy": self.policy, "rules": self._now(bed, reach)["Rules"]})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        now = self._now(bed, reach)
        _done(_ask(bed, reach, "PUT", f"/v1/acl/policy/{now['ID']}", {"Name": self.policy, "Rules": self.rules}))

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return bool(self._now(bed, reach)["Rules"] == self.rules)

    def _now(self, bed: Bed, reach: Reach) -> dict[str, JSON]:
        return dict(_done(_ask(bed, reach, "GET", f"/v1/acl/policy/name/{self.policy}")))


@action("consul.anonymous")
class Anonymous(_OfConsul):
    """The policies of whoever shows no token."""

    policies: tuple[str, ...]

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("consul.anonymous", {"policies": self._now(bed, reach)})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        given = [{"Name": name} for name in self.policies]
        body = {"Description": "Anonymous Token", "Policies": given}
        _done(_ask(bed, reach, "PUT", f"/v1/acl/token/{ANONYMOUS}", body))

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return sorted(self._now(bed, reach)) == sorted(self.policies)

    def _now(self, bed: Bed, reach: Reach) -> list[str]:
        found = _done(_ask(bed, reach, "GET", f"/v1/acl/token/{ANONYMOUS}"))
        return [policy["Name"] for policy in found.get("Policies") or ()]


@action("consul.token")
class Token(_OfConsul):
    """The token of a service of the lab, such as the gate's: revoked, or there again with the secret that it had."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="as the lab calls it: gate, agent-NODE")
    present: bool = False
    accessor: str | None = None
    policies: tuple[str, ...] = ()

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        now = self._find(bed, reach)
        if now is None:
            raise ActionFailed("Consul has no such token", place=self.name)
        given = [policy["Name"] for policy in now.get("Policies") or ()]
        named = {"name": self.name, "accessor": now["AccessorID"], "policies": given}
        return [Call("consul.token", {**named, "present": True})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        now = self._find(bed, reach)
        if self.present and now is None:
            secret = {"AccessorID": self.accessor, "SecretID": _kept(bed, self.name)}
            body = {**secret, "Description": self._said, "Policies": [{"Name": name} for name in self.policies]}
            _done(_ask(bed, reach, "PUT", "/v1/acl/token", body))
        elif not self.present and now is not None:
            _done(_ask(bed, reach, "DELETE", f"/v1/acl/token/{now['AccessorID']}"))

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return (self._find(bed, reach) is not None) is self.present

    @property
    def _said(self) -> str:
        return f"plumbline: {self.name}"

    def _find(self, bed: Bed, reach: Reach) -> dict[str, JSON] | None:
        tokens = _done(_ask(bed, reach, "GET", "/v1/acl/tokens"))
        return next((dict(token) for token in tokens if token["Description"] == self._said), None)


@action("consul.peer")
class Peer(_OfConsul):
    """A server that is stopped and taken out of the voters; when it is started, its leader lets it in again."""

    node: Node
    present: bool = False

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("consul.peer", {"node": self.node, "present": True})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if self.present:
            reach.run(self.node, ["systemctl", "start", "consul"])
            return
        reach.run(self.node, ["systemctl", "stop", "consul"])
        if self._address(bed) in self._voters(bed, reach):
            _done(_ask(bed, reach, "DELETE", f"/v1/operator/raft/peer?address={self._address(bed)}", but=self.node))

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return (self._address(bed) in self._voters(bed, reach)) is self.present

    def _address(self, bed: Bed) -> str:
        return f"{bed.nodes[self.node].oobi}:{_RPC}"

    def _voters(self, bed: Bed, reach: Reach) -> list[str]:
        found = _done(_ask(bed, reach, "GET", "/v1/operator/raft/configuration", but=self.node))
        return [server["Address"] for server in found["Servers"] if server["Voter"]]


@action("consul.flapping")
class Flapping(_OfConsul):
    """A leader that hands over its office again and again, asked for by a unit on one of the servers."""

    node: Node
    every: float = Field(default=2.0, ge=0.5, le=60, description="seconds")
    on: bool = True

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("consul.flapping", {"node": self.node, "on": False})] if self.on else []

    def apply(self, bed: Bed, reach: Reach) -> None:
        if not self.on:
            reach.run(self.node, ["sh", "-c", f"systemctl stop {_FLAPPING} 2>/dev/null; rm -f {_HEADER}"])
            return
        if self.holds(bed, reach):
            return
        # the token lies in a file, in memory and for root alone, since arguments of programs can be seen by all
        header = f"X-Consul-Token: {_administrator(bed)}\n"
        reach.run(self.node, ["sh", "-c", f"umask 077; cat > {_HEADER}"], input=header)
        url = f"{_http(bed, self.node)}/v1/operator/raft/transfer-leader"
        script = f"while :; do curl -s -m 5 -o /dev/null -X POST -H @{_HEADER} {url}; sleep {self.every}; done"
        start = ["systemd-run", "--quiet", "--collect", f"--unit={_FLAPPING}", "--property=RuntimeMaxSec=600"]
        reach.run(self.node, [*start, "sh", "-c", script])

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return (reach.ask(self.node, ["systemctl", "--quiet", "is-active", _FLAPPING]).code == 0) is self.on


@action("consul.stray")
class Stray(_OfConsul):
    """An instance of a service on a node that is none, at an address where nobody is."""

    service: str
    address: str = "192.0.2.1"
    port: int = 9
    present: bool = True

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("consul.stray", {"service": self.service, "present": False})] if self.present else []

    def apply(self, bed: Bed, reach: Reach) -> None:
        where = {"Datacenter": _declared(bed).datacenter, "Node": f"{STRAY}-{self.service}"}
        if not self.present:
            _done(_ask(bed, reach, "PUT", "/v1/catalog/deregister", where))
            return
        service = {"Service": self.service, "Address": self.address, "Port": self.port}
        _done(_ask(bed, reach, "PUT", "/v1/catalog/register", {**where, "Address": self.address, "Service": service}))

    def holds(self, bed: Bed, reach: Reach) -> bool:
        nodes = _done(_ask(bed, reach, "GET", f"/v1/catalog/service/{self.service}"))
        return any(entry["Node"] == f"{STRAY}-{self.service}" for entry in nodes) is self.present


class _Look(_OfConsul):
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
        members = _done(_ask(bed, reach, "GET", "/v1/agent/members", but=self.node))
        states = [_ALIVE.get(m["Status"], "unknown") for m in members if m["Name"] == self.node]
        return (states[0] if states else "unknown") in self.state


@action("consul.knows")
class Knows(_Look):
    """Whether a server knows of a leader."""

    node: Node
    leader: bool = True

    def holds(self, bed: Bed, reach: Reach) -> bool:
        status, said = _at(bed, reach, self.node, "GET", "/v1/status/leader", None)
        return (status == 200 and bool(said)) is self.leader


@action("consul.check")
class Check(_Look):
    """Whether the checks of an instance are in a state."""

    instance: str = Field(description="its id, such as ssh-jast")
    state: Literal["passing", "warning", "critical"] = "critical"

    def holds(self, bed: Bed, reach: Reach) -> bool:
        checks = _done(_ask(bed, reach, "GET", "/v1/health/state/any"))
        return self.state in {check["Status"] for check in checks if check["ServiceID"] == self.instance}


@action("consul.elections")
class Elections(_Look):
    """Whether more servers have become leaders lately than the bed file allows."""

    many: bool = True

    def holds(self, bed: Bed, reach: Reach) -> bool:
        leader = _declared(bed).leader
        since = f"--since=-{leader.within.total_seconds():.0f}s"
        argv = ["journalctl", "--unit=consul", "--output=cat", "--quiet", since]
        logs = [reach.ask(node, argv).out for node in _declared(bed).servers]
        return (sum(log.count("cluster leadership acquired") for log in logs) > leader.changes) is self.many


@action("consul.well")
class Well(_Look):
    """All of it is well: every node alive, every server a voter that is healthy, every check passing, a leader that stays."""

    def holds(self, bed: Bed, reach: Reach) -> bool:
        declared = _declared(bed)
        members = _done(_ask(bed, reach, "GET", "/v1/agent/members"))
        if not set(declared.nodes) <= {m["Name"] for m in members if m["Status"] == 1}:
            return False
        status, autopilot = _ask(bed, reach, "GET", "/v1/operator/autopilot/health")
        voters = {server["Name"] for server in autopilot["Servers"] if server["Voter"]} if status == 200 else set()
        if not set(declared.servers) <= voters:
            return False
        checks = _done(_ask(bed, reach, "GET", "/v1/health/state/any"))
        there = {check["ServiceID"] for check in checks if check["Status"] == "passing"}
        passing = all(check["Status"] == "passing" for check in checks)
        return passing and {id for id, _, _ in declared.instances()} <= there and self._answering(bed, reach)

    def _answering(self, bed: Bed, reach: Reach) -> bool:
        """Whether every agent answers, and the leader is not a new one over and over."""
        every = all(_at(bed, reach, node, "GET", "/v1/status/leader", None)[0] == 200 for node in _declared(bed).nodes)
        return every and Elections(many=False).holds(bed, reach)


def _declared(bed: Bed) -> Consul:
    if bed.consul is None:
        raise ActionFailed("the bed declares no Consul", place=bed.bed)
    return bed.consul


def _http(bed: Bed, node: str) -> str:
    """Where the agent of a node is asked on that node itself."""
    bind = _declared(bed).binds(node).http
    if bind is None:
        raise ActionFailed("its agent does not listen for plain HTTP", place=node)
    host = str(bed.nodes[node].oobi) if "oobi" in bind.on else "127.0.0.1"
    return f"http://{host}:{bind.port}"


def _administrator(bed: Bed) -> str:
    """The token that may do everything: the lab's own, or what the bed file names as consul-management."""
    if bed.realised_by == "lab":
        return _kept(bed, "management")
    if (named := bed.access.credentials.get("consul-management")) is None:
        raise ActionFailed("no token", place="Consul", remedy="access.credentials.consul-management in the bed file")
    return resolve(named, bed.path, "access.credentials.consul-management")


def _kept(bed: Bed, name: str) -> str:
    try:
        return Path(places.runtime(bed.bed), "consul", name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ActionFailed(f"the lab keeps no token {name}: {error.strerror}", place="Consul") from None


def _ask(  # noqa: PLR0917
    bed: Bed, reach: Reach, method: str, path: str, body: Any = None, but: str = ""
) -> Answer:
    """What a server answers to Consul's administrator: the first one that answers and knows a leader, or the first."""
    silent = ""
    for node in _declared(bed).servers:
        if node == but:
            continue
        try:
            status, said = _at(bed, reach, node, method, path, body)
        except ActionFailed as failed:
            silent = str(failed)
            continue
        if status < 500:
            return status, said
        silent = f"{node}: {status} {said}"
    raise ActionFailed(f"no server answers: {silent[:300]}", place="Consul", remedy="journalctl -u consul")


def _at(bed: Bed, reach: Reach, node: str, method: str, path: str, body: Any) -> Answer:  # noqa: PLR0917
    headers = {"X-Consul-Token": _administrator(bed)}
    text = curl.request(method, f"{_http(bed, node)}{path}", body, headers=headers, limit=_LIMIT)
    done = reach.ask(node, curl.COMMAND, input=text, limit=_LIMIT + 4)
    if done.code != 0:
        raise ActionFailed(" ".join(done.err.split())[-200:] or f"curl ended with {done.code}", place=node)
    return curl.answer(done.out)


def _done(answer: Answer) -> Any:
    status, said = answer
    if status >= 300 and status != 429:
        text = said if isinstance(said, str) else json.dumps(said)
        raise ActionFailed(f"{status} {text[:200]}", place="Consul")
    return said
