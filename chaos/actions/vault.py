"""vault.policy, config, engine, secret, seal, member, flapping, proxy, and what is only looked at: vault.is, vault.well."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from chaos import vault_admin as admin
from chaos.call import JSON, ActionFailed, Arguments, Call, Node, Slip, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

_SECRET_PATHS = ("/data/", "/secret-id", "/creds/", "/issue/", "sys/init", "auth/token/")
_LIMIT = 30.0
_POLL_S = 0.3
_STEADY_S = 5.0


@action("vault.policy")
class Policy(Arguments):
    """A policy with other words in it: some replaced, some added. What it said before is no secret."""

    policy: str
    text: str | None = Field(default=None, description="the whole of it; undo calls have it")
    append: str = ""
    replace: dict[str, str] = Field(default={}, description="old text: new text")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.text is None and not (self.append or self.replace):
            raise ValueError("one of text, append and replace is wanted")
        return self

    def _now(self, bed: Bed, reach: Reach) -> str:
        said = admin.ask(bed, reach, "GET", f"sys/policies/acl/{self.policy}")
        assert said is not None
        return str(said.data["policy"])

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("vault.policy", {"policy": self.policy, "text": self._now(bed, reach)})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if not self.holds(bed, reach):
            new = self._edited(self._now(bed, reach)) if self.text is None else self.text
            admin.ask(bed, reach, "POST", f"sys/policies/acl/{self.policy}", {"policy": new})

    def holds(self, bed: Bed, reach: Reach) -> bool:
        now = self._now(bed, reach)
        if self.text is not None:
            return now == self.text
        return self.append in now and not any(old in now for old in self.replace)

    def _edited(self, now: str) -> str:
        for old, new in self.replace.items():
            if old not in now:
                raise ActionFailed(f"the policy has no {old!r}", place=self.policy)
            now = now.replace(old, new)
        return now + self.append


@action("vault.config")
class Config(Arguments):
    """What Vault can be asked for at a path and told there: a role, the settings of an engine, of the store."""

    path: str = Field(pattern=r"^[a-z0-9][\w./-]*$")
    values: dict[str, JSON] = Field(min_length=1)
    then: str | None = Field(
        default=None, description="a path that is read afterwards, since reading it does something"
    )

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        secret = any(part in f"{self.path}/" for part in _SECRET_PATHS)
        return [Slip(name, "path", "what is secret must not stand in the ledger")] if secret else []

    def _now(self, bed: Bed, reach: Reach) -> dict[str, JSON]:
        said = admin.ask(bed, reach, "GET", self.path)
        assert said is not None
        return said.data

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        now = self._now(bed, reach)
        was = {name: now.get(name) for name in self.values}
        return [Call("vault.config", {"path": self.path, "values": was, **({"then": self.then} if self.then else {})})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        # a role of an engine forgets what it is not told again
        beside = self._now(bed, reach) if "/roles/" in self.path else {}
        admin.ask(bed, reach, "POST", self.path, {**beside, **self.values})
        if self.then:
            admin.ask(bed, reach, "GET", self.then)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        now = self._now(bed, reach)
        return all(_alike(now.get(name), value) for name, value in self.values.items())


@action("vault.engine")
class Engine(Arguments):
    """An engine at another path, with all that is in it."""

    engine: str
    to: str

    def _there(self, bed: Bed, reach: Reach) -> tuple[bool, bool]:
        said = admin.ask(bed, reach, "GET", "sys/mounts")
        assert said is not None
        return f"{self.engine}/" in said.data, f"{self.to}/" in said.data

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("vault.engine", {"engine": self.to, "to": self.engine})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if self._there(bed, reach)[0]:
            admin.ask(bed, reach, "POST", "sys/remount", {"from": self.engine, "to": self.to})
            _until(lambda: self.holds(bed, reach), f"{self.engine} was not moved to {self.to}")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return self._there(bed, reach) == (False, True)


@action("vault.secret")
class Secret(Arguments):
    """The last version of a secret of the bed: deleted, so that it can be brought back, or there."""

    secret: str
    present: bool = False

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        known = bed.vault.secrets if bed.vault else {}
        return [] if self.secret in known else [Slip(name, "secret", f"the bed's Vault has no secret {self.secret}")]

    def _version(self, bed: Bed, reach: Reach) -> tuple[str, int, bool]:
        """Path of the data, number of the last version, whether that is there."""
        path = admin.declared(bed).data_path(self.secret)
        said = admin.ask(bed, reach, "GET", path.replace("/data/", "/metadata/"))
        assert said is not None
        last = int(said.data["current_version"])
        return path, last, not said.data["versions"][str(last)]["deletion_time"]

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("vault.secret", {"secret": self.secret, "present": self._version(bed, reach)[2]})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        path, last, there = self._version(bed, reach)
        if there and not self.present:
            admin.ask(bed, reach, "DELETE", path)
        elif self.present and not there:
            admin.ask(bed, reach, "POST", path.replace("/data/", "/undelete/"), {"versions": [last]})

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return self._version(bed, reach)[2] is self.present


@action("vault.seal")
class Seal(Arguments):
    """The server that is active is sealed; another one takes over. Its undo starts it again, which opens it."""

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        active = [node for node, state in admin.states(bed, reach).items() if state == "active"]
        if not active:
            raise ActionFailed("it has no active server", place="Vault")
        return [Call("node.restart", {"node": active[0], "units": [admin.declared(bed).unit]})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if not self.holds(bed, reach):
            admin.ask(bed, reach, "PUT", "sys/seal")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return "sealed" in admin.states(bed, reach).values()


@action("vault.member")
class Member(Arguments):
    """A server that is no member of the store any more; or one that has joined again, with an empty store of its own."""

    node: Node
    present: bool = False

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("vault.member", {"node": self.node, "present": self._votes(bed, reach)})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if self.holds(bed, reach):
            return
        if not self.present:
            if admin.states(bed, reach)[self.node] == "active":
                admin.ask(bed, reach, "PUT", "sys/step-down")
                _until(lambda: "active" in _others(bed, reach, self.node), "no other server took over")
            admin.ask(bed, reach, "POST", "sys/storage/raft/remove-peer", {"server_id": self.node})
            return
        vault = admin.declared(bed)
        script = 'systemctl stop "$1" && find "$2" -mindepth 1 -delete && systemctl start "$1"'
        reach.run(self.node, ["sh", "-c", script, "join", vault.unit, vault.storage.path], limit=_LIMIT)
        _until(lambda: self.holds(bed, reach), f"{self.node} did not join again")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return self._votes(bed, reach) is self.present

    def _votes(self, bed: Bed, reach: Reach) -> bool:
        said = admin.ask(bed, reach, "GET", "sys/storage/raft/configuration")
        assert said is not None
        return any(peer["node_id"] == self.node and peer["voter"] for peer in said.data["config"]["servers"])


@action("vault.flapping")
class Flapping(Arguments):
    """The active server is told to step down again and again, from every server; the token for it is good for that alone."""

    every: int = Field(default=4, ge=1, le=60, description="seconds")
    present: bool = True
    unit: ClassVar[str] = "plumbline-vault-flapping"

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("vault.flapping", {"every": self.every, "present": False})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        vault = admin.declared(bed)
        if not self.present:
            script = 'systemctl stop "$1" 2>/dev/null; rm -f "/run/$1.header"'
            for node in vault.on:
                reach.run(node, ["sh", "-c", script, "flapping", self.unit])
            return
        if self.holds(bed, reach):
            return
        rule = 'path "sys/step-down" { capabilities = ["update", "sudo"] }\n'
        admin.ask(bed, reach, "POST", f"sys/policies/acl/{self.unit}", {"policy": rule})
        header = f"X-Vault-Token: {_token(bed, reach, self.unit)}\n"
        shown = bed.service_certificates[vault.certificate]
        loop = (
            f"while :; do curl -sk -m 2 -X PUT --cert {shown.certificate} --key {shown.key} -H @/run/{self.unit}.header "
            f"https://$1:{vault.port}/v1/sys/step-down; sleep {self.every}; done"
        )
        start = f'umask 077; cat > /run/{self.unit}.header; systemd-run --quiet --collect --unit={self.unit} sh -c "$2" loop "$1"'
        for node in vault.on:
            address = str(bed.nodes[node].oobi)
            reach.run(node, ["sh", "-c", start, "flapping", address, loop], input=header)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        asked = [reach.ask(n, ["systemctl", "is-active", "--quiet", self.unit]) for n in admin.declared(bed).on]
        return all((done.code == 0) is self.present for done in asked)


@action("vault.proxy")
class Proxy(Arguments):
    """Before a server that listens on the loopback: a proxy at its address that gives every request a token of its own."""

    node: Node
    present: bool = True
    unit: ClassVar[str] = "plumbline-vault-proxy"

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("vault.proxy", {"node": self.node, "present": False})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        folder = f"/run/{self.unit}"
        if not self.present:
            stop = 'systemctl stop "$1" 2>/dev/null; rm -rf "$2"'
            reach.run(self.node, ["sh", "-c", stop, "proxy", self.unit, folder])
        elif not self.holds(bed, reach):
            start = (
                'umask 077; mkdir -p "$2"; printf "%s" "$3" > "$2/proxy.hcl"; cat > "$2/token"; '
                'systemd-run --quiet --collect --unit="$1" vault proxy -config="$2/proxy.hcl"'
            )
            argv = ["sh", "-c", start, "proxy", self.unit, folder, self._configuration(bed, folder)]
            reach.run(self.node, argv, input=_token(bed, reach, admin.declared(bed).role.policy))
            _until(lambda: admin.states(bed, reach)[self.node] != "silent", "the proxy does not answer")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        done = reach.ask(self.node, ["systemctl", "is-active", "--quiet", self.unit])
        return (done.code == 0) is self.present

    def _configuration(self, bed: Bed, folder: str) -> str:
        vault = admin.declared(bed)
        shown, root = bed.service_certificates[vault.certificate], bed.step_ca.root if bed.step_ca else ""
        return f"""
vault {{
  address = "https://127.0.0.1:{vault.port}"
  ca_cert = "{root}"
  client_cert = "{shown.certificate}"
  client_key = "{shown.key}"
  tls_server_name = "{vault.name}"
}}
auto_auth {{
  method {{
    type = "token_file"
    config = {{ token_file_path = "{folder}/token" }}
  }}
}}
api_proxy {{ use_auto_auth_token = "force" }}
listener "tcp" {{
  address = "{bed.nodes[self.node].oobi}:{vault.port}"
  tls_cert_file = "{shown.certificate}"
  tls_key_file = "{shown.key}"
  tls_client_ca_file = "{root}"
  tls_require_and_verify_client_cert = true
}}
"""


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


@action("vault.well")
class Well(_Looks):
    """Every server is open and a member that votes, the store healthy, and one server active for a while."""

    def holds(self, bed: Bed, reach: Reach) -> bool:
        states = admin.states(bed, reach)
        if sorted(states.values()) != sorted(["active", *["standby"] * (len(states) - 1)]):
            return False
        if admin.declared(bed).storage.type != "raft":
            return True
        said = admin.ask(bed, reach, "GET", "sys/storage/raft/autopilot/state")
        leader = admin.ask(bed, reach, "GET", "sys/leader")
        if said is None or leader is None or not said.data.get("healthy"):
            return False
        return set(said.data.get("voters") or ()) == set(states) and self._steady(bed, str(leader.body["active_time"]))

    def _steady(self, bed: Bed, since: str) -> bool:
        import datetime as dt

        least = bed.budgets["vault_steady"].total_seconds() if "vault_steady" in bed.budgets else _STEADY_S
        began = dt.datetime.fromisoformat(f"{since[:19]}+00:00")
        return (dt.datetime.now(dt.UTC) - began).total_seconds() > least + 1


def _token(bed: Bed, reach: Reach, policy: str) -> str:
    """A token for ten minutes that may do what one policy allows."""
    asked = {"policies": [policy], "ttl": "10m", "explicit_max_ttl": "10m"}
    made = admin.ask(bed, reach, "POST", "auth/token/create-orphan", asked)
    assert made is not None
    return str(made.body["auth"]["client_token"])


def _others(bed: Bed, reach: Reach, node: str) -> list[str]:
    return [state for other, state in admin.states(bed, reach).items() if other != node]


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + _LIMIT
    while not holds():
        if time.monotonic() > end:
            raise ActionFailed(otherwise, place="Vault")
        time.sleep(_POLL_S)


def _alike(now: JSON, wanted: JSON) -> bool:
    """Vault tells durations in seconds, however they were written, and an empty list as none."""
    if now == wanted or (not now and not wanted):
        return True
    written = str(wanted)
    units = {"s": 1, "m": 60, "h": 3600}
    return written[:-1].isdecimal() and written[-1] in units and now == int(written[:-1]) * units[written[-1]]
