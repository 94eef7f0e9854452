"""What is done to Vault once all its servers run: initialised, its engines, policies and the gate's role made."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lab import netns, topology
from lab.errors import LabError
from lab.pki import Pki
from lab.stepca import INTERMEDIATE, ROOT
from plumbline import namespace
from plumbline.bed import Bed
from plumbline.bed.model import Vault
from plumbline.collect.vault_client import Answer, Credentials, NoAnswer, Server

ADMIN = "admin.json"
"""In the lab's own folder: what an administrator shows to Vault, with its token under `token`."""
GATE = "gate.json"
_POLL = 0.2
_LIMIT = 10.0
_LIFETIME = dt.timedelta(days=365)
_AUTHORITY = "87600h"
Found = TypeVar("Found")


@dataclass
class Admin:
    """An administrator before the servers of one cluster."""

    bed: Bed
    vault: Vault
    folder: Path
    pki: Pki
    deadline: float
    token: str = ""

    def servers(self) -> dict[str, Server]:
        """A connection to each."""
        context = self._credentials("vault-admin").context()
        return {n: Server(context, str(self.bed.nodes[n].oobi), self.vault.port, _LIMIT) for n in self.vault.on}

    def keep(self, name: str, told: Mapping[str, str], certificate: str) -> Path:
        """Writes what somebody shows to Vault, for root only, whole or not at all."""
        pair = self._credentials(certificate)
        whole = {"certificate": pair.certificate, "key": pair.key, "ca": pair.ca, **told}
        path, part = self.folder / name, self.folder / f".{name}.part"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(whole, file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        return path

    def kept(self, name: str) -> dict[str, str]:
        """What `keep` wrote; empty where it has not."""
        with suppress(FileNotFoundError):
            return dict(json.loads((self.folder / name).read_text()))
        return {}

    def _credentials(self, name: str) -> Credentials:
        pair = self.pki.short_leaf(INTERMEDIATE, ROOT, name, dns=[name], addresses=[], lifetime=_LIFETIME)
        root = self.pki.authority(ROOT).certificate
        return Credentials(pair.certificate.decode(), pair.key.decode(), root.decode())


def settle(bed: Bed, vault: Vault, pki: Pki, folder: Path, deadline: float) -> dict[str, str]:
    """All of it, from the runner's namespace; a second call changes nothing. The file with what the gate shows."""
    where = netns.name(bed.bed, topology.RUNNER)
    with ThreadPoolExecutor(1, "vault", namespace.enter, (where,)) as pool:
        return pool.submit(_settle, Admin(bed, vault, folder, pki, deadline)).result()


def _settle(admin: Admin) -> dict[str, str]:
    servers = admin.servers()
    _initialise(admin, servers)
    active = _await_active(admin, servers)
    _configure(admin, active)
    _await_members(admin, active)
    for server in servers.values():
        server.close()
    return {"vault": str(_gate(admin, active))}


def _initialise(admin: Admin, servers: Mapping[str, Server]) -> None:
    """The first server makes the store; the others join it by themselves, and none is opened by hand."""
    first = next(iter(servers.values()))
    said = _until(admin, lambda: _well(first, "GET", "sys/seal-status"), "the first server does not answer")
    if not said.body.get("initialized"):
        # Once it is initialised its token is told to whoever asked, and never again: that answer is waited for.
        first.timeout = max(_LIMIT, admin.deadline - time.monotonic())
        try:
            made = first.ask("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
        except NoAnswer as why:
            raise LabError(f"Vault cannot be initialised: {why}", remedy="python -m lab down, then up") from None
        first.timeout = _LIMIT
        if made.status != 200:
            raise LabError(f"Vault cannot be initialised: {made.status} {made.errors}")
        told = {"token": made.body["root_token"], "recovery": made.body["recovery_keys_base64"][0]}
        admin.keep(ADMIN, told, "vault-admin")
    admin.token = admin.kept(ADMIN).get("token", "")
    if not admin.token:
        raise LabError("Vault is initialised, and nobody has its token", remedy="python -m lab down, then up")


def _await_active(admin: Admin, servers: Mapping[str, Server]) -> Server:
    def active() -> Server | None:
        return next((s for s in servers.values() if _well(s, "GET", "sys/health")), None)

    return _until(admin, active, "Vault has no active server")


def _await_members(admin: Admin, active: Server) -> None:
    """Every server holds the data, may vote, and has said so lately."""

    def members() -> bool:
        state = _well(active, "GET", "sys/storage/raft/autopilot/state", token=admin.token)
        if state is None or not state.data.get("healthy"):
            return False
        return set(state.data.get("voters") or ()) == set(admin.vault.on)

    _until(admin, members, "not every server of Vault has become a member")


def _configure(admin: Admin, active: Server) -> None:
    vault = admin.vault

    def write(path: str, body: Mapping[str, Any], token: str = "") -> Answer:
        return _until(
            admin, lambda: _well(active, "POST", path, body, token or admin.token), f"Vault does not take {path}"
        )

    def there(path: str) -> bool:
        return _well(active, "GET", path, token=admin.token) is not None

    write("sys/storage/raft/autopilot/configuration", {"server_stabilization_time": "1s"})
    mounts = _until(admin, lambda: _well(active, "GET", "sys/mounts", token=admin.token), "no list of engines").data
    for name, engine in vault.engines.items():
        if f"{name}/" not in mounts:
            version = {"options": {"version": str(engine.version)}} if engine.version else {}
            write(f"sys/mounts/{name}", {"type": engine.type, "config": {"max_lease_ttl": _AUTHORITY}, **version})
    if not there("sys/auth/approle"):
        write("sys/auth/approle", {"type": "approle"})
    write(f"sys/policies/acl/{vault.role.policy}", {"policy": policy(vault)})
    lifetime = f"{vault.role.lifetime.total_seconds():.0f}s"
    role = {"token_policies": [vault.role.policy], "token_ttl": lifetime, "token_max_ttl": lifetime}
    write(f"auth/approle/role/{vault.role.name}", role)
    for name in vault.secrets:
        if not there(vault.data_path(name)):
            _write_secret(admin, name, write)
    if vault.issuing:
        _authority(vault, write, there)


def _write_secret(admin: Admin, name: str, write: Any) -> None:
    """By somebody who may write this one and nothing else."""
    path, policy_name = admin.vault.data_path(name), f"owner-{name}"
    body: dict[str, Any] = {"value": secrets.token_hex(16)}
    owner = f'path "{path}" {{ capabilities = ["create", "update", "read"] }}\n'
    write(f"sys/policies/acl/{policy_name}", {"policy": owner})
    token = write("auth/token/create", {"policies": [policy_name], "ttl": "5m"}).body["auth"]["client_token"]
    write(path, {"data": body} if "/data/" in path else body, token)
    write("auth/token/revoke-self", {}, token)


def _authority(vault: Vault, write: Any, there: Any) -> None:
    issuing = vault.issuing
    assert issuing is not None
    if not there(f"{issuing.engine}/issuer/default/json"):
        common = f"{vault.cluster} {issuing.engine}"
        write(f"{issuing.engine}/root/generate/internal", {"common_name": common, "ttl": "43800h", "key_type": "ec"})
    lifetime = f"{issuing.lifetime.total_seconds():.0f}s"
    role = {
        "allowed_domains": [issuing.name], "allow_bare_domains": True, "max_ttl": lifetime, "ttl": lifetime,
        "key_type": "ec", "key_bits": 256, "no_store": True,
    }  # fmt: skip
    write(f"{issuing.engine}/roles/{issuing.role}", role)


def policy(vault: Vault) -> str:
    """What the gate's token may do, as Vault reads it."""
    return "".join(
        f'path "{path}" {{ capabilities = [{", ".join(json.dumps(right) for right in rights)}] }}\n'
        for path, rights in vault.allowed.items()
    )


def _gate(admin: Admin, active: Server) -> Path:
    """The gate's own way in; kept where it still works."""
    role = f"auth/approle/role/{admin.vault.role.name}"
    kept = admin.kept(GATE)
    if kept:
        login = {name: kept[name] for name in ("role_id", "secret_id")}
        said = _well(active, "POST", "auth/approle/login", login)
        if said:
            _well(active, "POST", "auth/token/revoke-self", {}, said.body["auth"]["client_token"])
            return admin.folder / GATE
    role_id = _until(admin, lambda: _well(active, "GET", f"{role}/role-id", token=admin.token), "no role for the gate")
    made = _until(
        admin, lambda: _well(active, "POST", f"{role}/secret-id", {}, admin.token), "no secret for the gate's role"
    )
    told = {"role_id": role_id.data["role_id"], "secret_id": made.data["secret_id"]}
    return admin.keep(GATE, told, "vault-gate")


def _well(
    server: Server, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = ""
) -> Answer | None:
    """An answer that grants what was asked; None for any other, which may still come."""
    try:
        said = server.ask(method, path, body, token)
    except NoAnswer:
        return None
    return said if said.status in (200, 204) else None


def _until(admin: Admin, found: Callable[[], Found | None], otherwise: str) -> Found:
    while not (value := found()):
        if time.monotonic() > admin.deadline:
            raise LabError(otherwise, remedy=f"python -m lab logs {admin.vault.on[0]} {admin.vault.unit}")
        time.sleep(_POLL)
    return value
