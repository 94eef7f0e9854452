"""consul.policy, consul.anonymous, consul.token, consul.peer, consul.flapping and consul.stray."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import Field

from chaos.actions.consul_api import OfConsul, administrator, ask, declared_in, done, http_at, kept
from chaos.call import JSON, ActionFailed, Call, Node, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

ANONYMOUS = "00000000-0000-0000-0000-000000000002"
STRAY = "plumbline-stray"
_FLAPPING = "plumbline-flapping"
_HEADER = "/run/plumbline-flapping.header"
_RPC = 8300
_ELECTION = 20.0


@action("consul.policy")
class Policy(OfConsul):
    """A policy with other rules (HCL)."""

    policy: str
    rules: str

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("consul.policy", {"policy": self.policy, "rules": self._now(bed, reach)["Rules"]})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        now = self._now(bed, reach)
        done(ask(bed, reach, "PUT", f"/v1/acl/policy/{now['ID']}", {"Name": self.policy, "Rules": self.rules}))

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return bool(self._now(bed, reach)["Rules"] == self.rules)

    def _now(self, bed: Bed, reach: Reach) -> dict[str, JSON]:
        return dict(done(ask(bed, reach, "GET", f"/v1/acl/policy/name/{self.policy}")))


@action("consul.anonymous")
class Anonymous(OfConsul):
    """The policies of whoever shows no token."""

    policies: tuple[str, ...]

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("consul.anonymous", {"policies": self._now(bed, reach)})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        given = [{"Name": name} for name in self.policies]
        body = {"Description": "Anonymous Token", "Policies": given}
        done(ask(bed, reach, "PUT", f"/v1/acl/token/{ANONYMOUS}", body))

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return sorted(self._now(bed, reach)) == sorted(self.policies)

    def _now(self, bed: Bed, reach: Reach) -> list[str]:
        found = done(ask(bed, reach, "GET", f"/v1/acl/token/{ANONYMOUS}"))
        return [policy["Name"] for policy in found.get("Policies") or ()]


@action("consul.token")
class Token(OfConsul):
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
            secret = {"AccessorID": self.accessor, "SecretID": kept(bed, self.name)}
            body = {**secret, "Description": self._said, "Policies": [{"Name": name} for name in self.policies]}
            done(ask(bed, reach, "PUT", "/v1/acl/token", body))
        elif not self.present and now is not None:
            done(ask(bed, reach, "DELETE", f"/v1/acl/token/{now['AccessorID']}"))

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return (self._find(bed, reach) is not None) is self.present

    @property
    def _said(self) -> str:
        return f"plumbline: {self.name}"

    def _find(self, bed: Bed, reach: Reach) -> dict[str, JSON] | None:
        tokens = done(ask(bed, reach, "GET", "/v1/acl/tokens"))
        return next((dict(token) for token in tokens if token["Description"] == self._said), None)


@action("consul.peer")
class Peer(OfConsul):
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
        end = time.monotonic() + _ELECTION
        while True:  # where it was the leader, the others have none for a while
            try:
                if self._address(bed) in self._voters(bed, reach):
                    done(
                        ask(bed, reach, "DELETE", f"/v1/operator/raft/peer?address={self._address(bed)}", but=self.node)
                    )
                return
            except ActionFailed:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return (self._address(bed) in self._voters(bed, reach)) is self.present

    def _address(self, bed: Bed) -> str:
        return f"{bed.nodes[self.node].oobi}:{_RPC}"

    def _voters(self, bed: Bed, reach: Reach) -> list[str]:
        found = done(ask(bed, reach, "GET", "/v1/operator/raft/configuration", but=self.node))
        return [server["Address"] for server in found["Servers"] if server["Voter"]]


@action("consul.flapping")
class Flapping(OfConsul):
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
        header = f"X-Consul-Token: {administrator(bed)}\n"
        reach.run(self.node, ["sh", "-c", f"umask 077; cat > {_HEADER}"], input=header)
        url = f"{http_at(bed, self.node)}/v1/operator/raft/transfer-leader"
        script = f"while :; do curl -s -m 5 -o /dev/null -X POST -H @{_HEADER} {url}; sleep {self.every}; done"
        start = ["systemd-run", "--quiet", "--collect", f"--unit={_FLAPPING}", "--property=RuntimeMaxSec=600"]
        reach.run(self.node, [*start, "sh", "-c", script])

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return (reach.ask(self.node, ["systemctl", "--quiet", "is-active", _FLAPPING]).code == 0) is self.on


@action("consul.stray")
class Stray(OfConsul):
    """An instance of a service on a node that is none, at an address where nobody is."""

    service: str
    address: str = "192.0.2.1"
    port: int = 9
    present: bool = True

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("consul.stray", {"service": self.service, "present": False})] if self.present else []

    def apply(self, bed: Bed, reach: Reach) -> None:
        where = {"Datacenter": declared_in(bed).datacenter, "Node": f"{STRAY}-{self.service}"}
        if not self.present:
            done(ask(bed, reach, "PUT", "/v1/catalog/deregister", where))
            return
        service = {"Service": self.service, "Address": self.address, "Port": self.port}
        done(ask(bed, reach, "PUT", "/v1/catalog/register", {**where, "Address": self.address, "Service": service}))

    def holds(self, bed: Bed, reach: Reach) -> bool:
        nodes = done(ask(bed, reach, "GET", f"/v1/catalog/service/{self.service}"))
        return any(entry["Node"] == f"{STRAY}-{self.service}" for entry in nodes) is self.present
