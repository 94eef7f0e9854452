"""What Vault's servers said, typed. Each accessor raises Unknown where it could not be known, and for what cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from plumbline.bed.model import Vault
from plumbline.outcome import Unknown

Object = dict[str, Any]
_SENT_ON = (307, 472, 473)
"""A standby's answers where it cannot hand a request on: ask another server."""


def gate_subject(vault: Vault) -> str:
    """The gate's own way in, as a subject."""
    return f"vault-gate:{vault.role.name}"


def active_subject(vault: Vault) -> str:
    """That the cluster has one active server, as a subject."""
    return f"vault-active:{vault.cluster}"


@dataclass(frozen=True)
class Said:
    """What came of one request: the status of the answer, None where there was none, and why it was refused."""

    status: int | None
    error: str = ""
    held: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return " ".join(filter(None, (f"status {self.status}" if self.status else "", self.error))) or "no answer"


class VaultServer:
    """What one server said of itself."""

    def __init__(self, node: str, told: Object) -> None:
        self.node, self._told = node, told

    def _answer(self, part: str) -> Object:
        if self._told["error"]:
            why = f"{self._told['error']['outcome']}: {self._told['error']['why']}"
            raise Unknown(f"Vault on {self.node}: {why}", cause=f"vault:{self.node}")
        return dict(self._told[part])

    @property
    def silence(self) -> str:
        """Why it did not answer; empty where it did."""
        error = self._told["error"]
        return f"{error['outcome']}: {error['why']}" if error else ""

    @property
    def health(self) -> int:
        """200 of the active server, 429 of a standby, 503 of one that is sealed, 501 of one without a store."""
        self._answer("seal")
        return int(self._told["health"])

    @property
    def state(self) -> str:
        """The same in a word."""
        words = {200: "active", 429: "standby", 503: "sealed", 501: "not initialised", 473: "standby"}
        return words.get(self.health, f"health {self.health}")

    def _seal(self, key: str) -> Any:
        seal = self._answer("seal")
        if key not in seal:
            raise Unknown(f"Vault on {self.node} does not say its {key}", cause=f"vault-seal:{self.node}")
        return seal[key]

    @property
    def sealed(self) -> bool:
        """Whether it cannot read what it keeps."""
        return bool(self._answer("seal").get("sealed", True))

    @property
    def initialised(self) -> bool:
        """Whether there is a store at all."""
        return bool(self._answer("seal").get("initialized"))

    @property
    def seal_type(self) -> str:
        """What opens it after a start: shamir (people), static, awskms, transit."""
        return str(self._seal("type"))

    @property
    def recovery(self) -> bool:
        """Whether keys of people only recover it, and do not open it."""
        return bool(self._answer("seal").get("recovery_seal"))

    @property
    def version(self) -> str:
        """Its release."""
        return str(self._seal("version"))

    @property
    def storage(self) -> str:
        """raft, consul, file."""
        return str(self._seal("storage_type"))

    @property
    def cluster(self) -> tuple[str, str]:
        """Name and identity of the cluster that it belongs to; only told by one that is open."""
        return str(self._seal("cluster_name")), str(self._seal("cluster_id"))

    @property
    def leader(self) -> str:
        """The address of the active server, as this one believes; empty where it knows of none."""
        return str(self._answer("leader").get("leader_address") or "")

    @property
    def active_for(self) -> float | None:
        """Seconds since it became the active server, by its own clock; None of one that is not."""
        import datetime as dt

        since = self._answer("leader").get("active_time") or ""
        now = self._told.get("time")
        if not self._answer("leader").get("is_self") or now is None or since.startswith("0001"):
            return None
        return float(now) - dt.datetime.fromisoformat(f"{since[:19]}+00:00").timestamp() + 1.0


class VaultFacts:
    """What the whole cluster said to the gate."""

    def __init__(self, facts: Object, vault: Vault) -> None:
        self._facts, self._vault = facts, vault

    def server(self, node: str) -> VaultServer:
        """One server of the bed file."""
        return VaultServer(node, self._facts["servers"][node])

    @cached_property
    def servers(self) -> tuple[VaultServer, ...]:
        """All of them, in the order of the bed file."""
        return tuple(self.server(node) for node in self._vault.on)

    @property
    def answering(self) -> tuple[VaultServer, ...]:
        """Those that answered."""
        return tuple(server for server in self.servers if not server.silence)

    @property
    def open(self) -> tuple[VaultServer, ...]:
        """Those that answered and can read what they keep."""
        return tuple(server for server in self.answering if not server.sealed)

    @property
    def waited(self) -> float:
        """How many seconds the gate waited for an active server."""
        return float(self._facts["waited"])

    @property
    def active(self) -> VaultServer:
        """The active server. Unknown where there is none."""
        if not self._facts["active"]:
            raise Unknown("Vault has no active server", cause=active_subject(self._vault))
        return self.server(self._facts["active"])

    @property
    def later_leaders(self) -> Mapping[str, str]:
        """The active server's address at the end of the collection, by the server that was asked."""
        return {node: str(told.get("leader_address") or "") for node, told in self._facts["later"].items()}

    def stranger(self, node: str, kind: str) -> tuple[bool, str]:
        """Whether a client with no certificate (none) or one of another authority (foreign) was let in, and what was said.

        Unknown where the server was not there to refuse it.
        """
        told = self._facts["tls"][node][kind]
        if self.server(node).silence or told["outcome"] in ("timeout", "unreachable") or "closed" in told["said"]:
            raise Unknown(f"Vault on {node} did not answer: {told['said']}", cause=f"vault:{node}")
        return bool(told["accepted"]), str(told["said"])

    def metrics(self, node: str) -> tuple[Said, int]:
        """What it says to one without a token that asks for its metrics, and how many values it tells."""
        told = self._of(node, "metrics")
        return Said(told["status"], told["error"]), int(told["series"])

    @property
    def login(self) -> Said:
        """What came of the gate's own login; `held` has policies and lifetime (s). Unknown without an active server."""
        _ = self.active
        told = self._facts["login"]
        return Said(told["status"], told["error"], told)

    def rights(self, path: str) -> frozenset[str]:
        """What the gate's token may do at a path: deny, or create, read, update, delete, list, sudo, root."""
        found = self._gate("rights")
        if path not in found:
            raise Unknown(f"Vault does not say what the gate may do at {path}", cause=gate_subject(self._vault))
        return frozenset(found[path]) - {"deny"}

    def secret(self, node: str, name: str) -> tuple[Said, str]:
        """What a server says to the gate that asks for a secret, and a digest of it."""
        told = self._of(node, "secrets", gate=True)[name]
        self._answered(node, told["status"], told["error"])
        return Said(told["status"], told["error"]), str(told["digest"])

    def digests(self, name: str) -> set[str]:
        """What the servers that told the gate a secret told it: one digest where it is the same everywhere."""
        asked = [told[name] for told in self._gate("secrets").values()]
        return {str(told["digest"]) for told in asked if told["status"] == 200}

    def anonymous(self, node: str) -> int:
        """The status of the answer to a client with a certificate and no token."""
        return self._answered(node, self._of(node, "anonymous", gate=True))

    def revoked(self, node: str) -> int:
        """The status of the answer to a client with a token that was given back a moment ago."""
        return self._answered(node, self._of(node, "revoked", gate=True))

    def _answered(self, node: str, status: int | None, error: str = "") -> int:
        """A status that says yes or no. Unknown where the server could not hand the request on to the active one."""
        if status is None or status >= 500 or status in _SENT_ON:
            raise Unknown(f"Vault on {node} serves no request: {Said(status, error)}", cause=f"vault-forward:{node}")
        return int(status)

    def written(self, node: str) -> Said:
        """What came of a write by way of this server."""
        told = self._of(node, "written", gate=True)
        return Said(told["status"], told["error"])

    def copied(self, node: str) -> tuple[Said, str, bool]:
        """What this server tells of a value that was written by way of another (named), and whether it is the same."""
        told = self._of(node, "forwarded", gate=True)
        return Said(told["status"], told["error"]), str(told["from"]), bool(told["same"])

    @property
    def engines(self) -> Mapping[str, Object]:
        """The secrets engines by path, each with type and options."""
        return {
            path.rstrip("/"): dict(told) for path, told in self._granted("mounts").items() if isinstance(told, dict)
        }

    @property
    def peers(self) -> Mapping[str, Object]:
        """Members of the store by node: address, leader, voter."""
        servers = self._granted("peers").get("config", {}).get("servers", [])
        return {str(server["node_id"]): dict(server) for server in servers}

    @property
    def autopilot(self) -> Object:
        """The store's own opinion of its members."""
        return self._granted("autopilot")

    def setting(self, path: str) -> Any:
        """A value of the active server's configuration, by dotted path; None where it has none."""
        here: Any = self._granted("settings")
        for part in path.split("."):
            here = here.get(part) if isinstance(here, dict) else None
        return here

    @property
    def authority(self) -> str:
        """The certificate of the authority that issues, PEM; empty where there is none."""
        return self._published("authority")

    @property
    def revocations(self) -> str:
        """Its list of revoked certificates, PEM; empty where there is none."""
        return self._published("revocations")

    @property
    def issued(self) -> tuple[Said, str]:
        """What came of asking for a certificate, and that certificate, PEM."""
        told = self._gate("issued")
        self._answered(self.active.node, told["status"], told["error"])
        return Said(told["status"], told["error"]), str(told["certificate"])

    def _published(self, part: str) -> str:
        told = self._gate(part)
        self._answered(self.active.node, told["status"], told["error"])
        return str(told["text"])

    def _of(self, node: str, part: str, gate: bool = False) -> Any:
        server = self.server(node)
        if server.silence or server.sealed:
            cause = f"vault-seal:{node}" if not server.silence else f"vault:{node}"
            raise Unknown(f"Vault on {node} was not asked: {server.silence or 'it is sealed'}", cause=cause)
        found = self._gate(part) if gate else self._facts.get(part, {})
        if node not in found:
            raise Unknown(f"Vault on {node} was not asked for that", cause=f"vault:{node}")
        return found[node]

    def _gate(self, part: str) -> Any:
        _ = self.active
        if part not in self._facts:
            raise Unknown(
                f"the gate could not ask: it is not logged in ({self.login})", cause=gate_subject(self._vault)
            )
        return self._facts[part]

    def _granted(self, part: str) -> Object:
        status, held = self._gate(part)
        if status != 200:
            why = f"{part} could not be read: {Said(status, str(held.get('error', '')))}"
            raise Unknown(why, cause=f"vault-right:{RIGHTS[part]}")
        return dict(held)


RIGHTS = {
    "mounts": "sys/mounts",
    "peers": "sys/storage/raft/configuration",
    "autopilot": "sys/storage/raft/autopilot/state",
    "settings": "sys/config/state/sanitized",
}
"""The right that each part of the facts stands on."""
