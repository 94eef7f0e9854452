"""A cluster of Vault servers: where it is, what it keeps its data in, who may do what, and what the gate may."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from plumbline.bed.pki import Nodes
from plumbline.bed.types import Duration, Name, Port, Strict


class VaultStorage(Strict):
    """Where the servers keep their data (seed 001, fact 135)."""

    type: Literal["raft", "consul"] = "raft"
    path: str = Field(default="/opt/vault/data", description="of raft a folder, of consul a prefix of its keys")


class VaultSeal(Strict):
    """How a server that was started again opens its store by itself (seed 001, fact 134)."""

    type: Literal["static", "awskms", "transit"] = Field(description="static: a key in the environment of the server")
    environment: tuple[str, ...] = Field(
        default=("VAULT_SEAL_KEY",), description="the variables in which it stands; the same on every server"
    )


class VaultFile(Strict):
    """Who may read a file or folder of a server."""

    owner: str = "vault"
    mode: str = Field(pattern="^0[0-7]{3}$", description="no more than this may be allowed")


class VaultEngine(Strict):
    """A secrets engine, by the path that it is mounted at."""

    type: Literal["kv", "pki"]
    version: Literal[1, 2] | None = Field(default=None, description="of kv")


class VaultSecret(Strict):
    """A secret of a kv engine, and whether the gate's policy lets it be read."""

    path: str = Field(pattern="^[a-z0-9-]+(/[^/]+)+$", description="ENGINE/NAME")
    readable: bool


class VaultRole(Strict):
    """The AppRole by which the gate logs in, with a policy that only reads, but below its own folder for load."""

    name: Name = "plumbline"
    policy: Name = "plumbline"
    lifetime: Duration = Field(
        default=timedelta(minutes=2), description="of a token; it is revoked at the end of a run"
    )


class VaultIssuing(Strict):
    """A role of a pki engine by which the gate asks for one certificate that is not kept."""

    engine: str
    role: Name = "plumbline"
    name: str = Field(description="the DNS name that is asked for")
    lifetime: Duration = timedelta(minutes=5)
    authority: Duration = Field(default=timedelta(days=30), description="how long its authority must still be valid")


class Vault(Strict):
    """A cluster of Vault servers (seed 001, facts 133-138)."""

    on: Nodes
    cluster: Name = Field(description="its own name for itself")
    name: str = Field(default="vault.service.consul", description="the DNS name that clients use")
    port: Port = 8200
    cluster_port: Port = Field(default=8201, description="where the servers talk to each other")
    unit: Name = "vault"
    user: str = "vault"
    capabilities: tuple[str, ...] = Field(
        default=("CAP_IPC_LOCK", "CAP_SYSLOG"), description="all that the process may ever have"
    )
    version: str | None = Field(default=None, description="of every server")
    certificate: Name = Field(description="the service certificate that it serves, and wants of its clients")
    configuration: str = "/etc/vault.d/vault.hcl"
    environment: str = Field(
        default="/etc/vault.d/vault.env", description="the file with what only the server may know"
    )
    files: dict[str, VaultFile] = Field(default={}, description="what others must not read, by path")
    storage: VaultStorage = VaultStorage()
    seal: VaultSeal
    audit: str | None = Field(default=None, description="the file in which every request is written down")
    settings: dict[str, str | int | bool] = Field(
        default={}, description="of the running servers, by dotted path: telemetry.prometheus_retention_time: 24h"
    )
    metrics: bool = Field(default=True, description="whether they are told without a token")
    engines: dict[str, VaultEngine] = Field(default={})
    secrets: dict[Name, VaultSecret] = Field(default={})
    issuing: VaultIssuing | None = None
    role: VaultRole = VaultRole()
    load: str | None = Field(
        default=None,
        pattern="^[a-z0-9-]+(/[a-z0-9-]+)+$",
        description="ENGINE/FOLDER of a kv engine, version 2: all below it is the gate's own, for load (to: vault)",
    )

    def data_path(self, secret: str) -> str:
        """The path of the API at which a declared secret is read."""
        path = self.secrets[secret].path
        engine, _, name = path.partition("/")
        declared = self.engines.get(engine)
        return f"{engine}/data/{name}" if declared is None or declared.version == 2 else path

    def load_paths(self) -> tuple[str, str]:
        """Where the API has values, and what it knows of them, below the folder for load."""
        engine, _, folder = (self.load or "").partition("/")
        return f"{engine}/data/{folder}/", f"{engine}/metadata/{folder}/"

    @property
    def allowed(self) -> dict[str, tuple[str, ...]]:
        """What the gate's policy must let it do, by path of the API, and nothing beyond."""
        rights: dict[str, tuple[str, ...]] = {
            self.data_path(name): ("read",) for name, secret in self.secrets.items() if secret.readable
        }
        rights["sys/mounts"] = ("read",)
        rights["sys/config/state/sanitized"] = ("read",)
        if self.storage.type == "raft":
            rights["sys/storage/raft/configuration"] = ("read",)
            rights["sys/storage/raft/autopilot/state"] = ("read",)
        if self.issuing:
            rights[f"{self.issuing.engine}/issue/{self.issuing.role}"] = ("update",)
        if self.load:
            data, metadata = self.load_paths()
            rights[f"{data}*"] = ("create", "read", "update")
            rights[f"{metadata}*"] = ("delete", "list")
        return rights

    @property
    def forbidden(self) -> tuple[str, ...]:
        """Paths of the API of which the gate's policy must let nothing be done."""
        others = [self.data_path(name) for name, secret in self.secrets.items() if not secret.readable]
        kv = [f"{name}/data/plumbline-no-such-secret" for name, engine in self.engines.items() if engine.type == "kv"]
        beside = [f"{path[:-1]}-not" for path in self.load_paths()] if self.load else []
        pki = [f"{name}/config/ca" for name, engine in self.engines.items() if engine.type == "pki"]
        system = [
            "sys/seal", "sys/step-down", "sys/audit", "sys/auth", f"sys/policies/acl/{self.role.policy}",
            "auth/token/create", f"auth/approle/role/{self.role.name}/secret-id", "sys/storage/raft/snapshot",
        ]  # fmt: skip
        return (*others, *kv, *beside, *pki, *system)
