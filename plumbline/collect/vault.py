"""What Vault's servers say: each of itself, and to a client with the gate's role, with no token, with one that is over.

Here the gate's role reads. What is written is a value in the store of its own token, which goes with the token at the end.
"""

from __future__ import annotations

import hashlib
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from plumbline.bed import Bed
from plumbline.bed.model import Vault
from plumbline.collect.access import Access
from plumbline.collect.again import PATIENCE
from plumbline.collect.vault_client import Answer, Credentials, NoAnswer, Server, greeting, load
from plumbline.facts.source import Source

NAME = "vault"
ACTIVE = "vault_failover"
"""The budget for that one of the servers is the active one."""
COPIED = "vault_replication"
"""The budget for that all servers know what one of them was told."""
_ANSWER_S, _ACTIVE_S, _POLL_S, _COPY_S = 2.0, 10.0, 0.3, 2.0
_METRICS = "sys/metrics?format=prometheus"
Json = dict[str, Any]


@dataclass
class _Run:
    """What all parts of one asking share."""

    bed: Bed
    vault: Vault
    credentials: Credentials
    context: ssl.SSLContext
    patience: float
    writes: bool
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)
    token: str = field(default="", repr=False)
    servers: dict[str, Server] = field(default_factory=dict)
    """Those that answer and are open."""

    @property
    def copied_within(self) -> float:
        """Seconds that a copy may take."""
        declared = self.bed.budgets.get(COPIED)
        return (declared.total_seconds() if declared else _COPY_S) * self.patience

    def connect(self, node: str, patience: float = 1.0) -> Server:
        timeout = _ANSWER_S * self.patience * patience
        return Server(self.context, str(self.bed.nodes[node].oobi), self.vault.port, timeout)

    def each(self, ask: Callable[[str], Any]) -> dict[str, Any]:
        """What `ask` finds at every server that can be asked more, side by side, by node."""
        if not self.servers:
            return {}
        with ThreadPoolExecutor(len(self.servers)) as pool:
            return dict(zip(self.servers, pool.map(ask, self.servers), strict=True))


def declared(bed: Bed) -> bool:
    """Whether the bed has a Vault."""
    return bed.vault is not None


def ask(bed: Bed, access: Access, active: bool, patience: float) -> Source:
    """All of it. Refused where the gate's credentials cannot be used; a server that is silent is a fact, no failure."""
    started, vault = time.monotonic(), bed.vault
    assert vault is not None
    try:
        credentials = Credentials.of(access.credentials[NAME])
        context = credentials.context()
    except KeyError:
        return Source("refused", f"the gate has no credentials for Vault: {access.without(NAME)}")
    except ValueError as error:
        return Source("refused", str(error))
    run = _Run(bed, vault, credentials, context, patience, active)
    facts = _gather(run)
    return Source("ok", None, time.monotonic() - started, facts)


def _gather(run: _Run) -> Json:
    with ThreadPoolExecutor(2 * len(run.vault.on)) as pool:
        strangers = {node: pool.submit(_strangers, run, node) for node in run.vault.on}
        looks = dict(zip(run.vault.on, pool.map(partial(_look, run), run.vault.on), strict=True))
        facts: Json = {"servers": looks, "tls": {node: asked.result() for node, asked in strangers.items()}}
    facts["waited"] = _await_active(run, looks)
    active = next((node for node, look in looks.items() if look["health"] == 200), "")
    facts["active"] = active
    facts["metrics"] = run.each(lambda node: _metrics(run.servers[node]))
    try:
        if active:
            _as_gate(run, active, facts)
        facts["later"] = run.each(lambda node: _said(run.servers[node], "GET", "sys/leader")[1])
    finally:
        for server in run.servers.values():
            server.close()
    return facts


def _look(run: _Run, node: str) -> Json:
    """What a server says of itself to whoever may connect; one that is slow is asked twice."""
    for patience in (1.0, PATIENCE):
        server, began = run.connect(node, patience), time.monotonic()
        try:
            health = server.ask("GET", "sys/health")
            seal = server.ask("GET", "sys/seal-status")
            leader = server.ask("GET", "sys/leader")
        except NoAnswer as error:
            server.close()
            silent = {"error": {"outcome": error.outcome, "why": str(error)}, "health": None}
            if error.outcome != "timeout" or patience > 1:
                return silent
            continue
        if seal.body.get("sealed") is False:
            server.timeout = _ANSWER_S * run.patience * PATIENCE  # it is there: what writes may take its time
            run.servers[node] = server
        else:
            server.close()
        return {
            "error": None, "health": health.status, "time": health.body.get("server_time_utc"), "seal": seal.body,
            "leader": leader.body, "seconds": round(time.monotonic() - began, 3),
        }  # fmt: skip
    raise AssertionError("the second asking has an end")


def _await_active(run: _Run, looks: Json) -> float:
    """Looks again and again while there is no active server, for as long as the bed file allows; returns how long."""
    limit = run.bed.budgets[ACTIVE].total_seconds() if ACTIVE in run.bed.budgets else _ACTIVE_S
    began = time.monotonic()
    while run.servers and not any(look["health"] == 200 for look in looks.values()):
        if time.monotonic() - began > limit:
            break
        time.sleep(_POLL_S)
        for node in tuple(run.servers):
            run.servers.pop(node).close()
            looks[node] = _look(run, node)
    return round(time.monotonic() - began, 3)


def _strangers(run: _Run, node: str) -> Json:
    """What comes of a client without a certificate, and of one whose certificate nobody here has signed (F19)."""
    told = {}
    for kind in ("none", "foreign"):
        context = ssl.create_default_context(cadata=run.credentials.ca)
        if kind == "foreign":
            load(context, *_foreign())
        try:
            said = greeting(context, str(run.bed.nodes[node].oobi), run.vault.port, _ANSWER_S * run.patience)
            told[kind] = {"accepted": True, "outcome": "ok", "said": f"HTTP {said.status}"}
        except NoAnswer as error:
            told[kind] = {"accepted": False, "outcome": error.outcome, "said": str(error)}
    return told


def _metrics(server: Server) -> Json:
    try:
        said = server.ask("GET", _METRICS)
    except NoAnswer as error:
        return {"status": None, "error": str(error), "series": 0}
    lines = [line for line in said.text.splitlines() if line and not line.startswith("#")]
    return {"status": said.status, "error": said.errors, "series": len(lines) if said.status == 200 else 0}


def _as_gate(run: _Run, active: str, facts: Json) -> None:
    server = run.servers[active]
    login = {"role_id": run.credentials.role_id, "secret_id": run.credentials.secret_id}
    said = _try(server, "POST", "auth/approle/login", login)
    told = said.body.get("auth") or {}
    facts["login"] = {
        **_came_of(said), "policies": sorted(told.get("policies") or ()), "lifetime": told.get("lease_duration"),
    }  # fmt: skip
    facts["anonymous"] = run.each(lambda node: _said(run.servers[node], "GET", _readable(run.vault))[0])
    if not told:
        return
    run.token = told["client_token"]
    try:
        _read(run, server, facts)
        if run.writes:
            facts["written"] = run.each(lambda node: _write(run, node))
            facts["forwarded"] = run.each(lambda node: _copied(run, node, facts["written"]))
            facts["issued"] = _issue(run, server)
        facts["revoked"] = _revoked(run, server, login)
    finally:
        _try(server, "POST", "auth/token/revoke-self", {}, run.token)


def _read(run: _Run, server: Server, facts: Json) -> None:
    vault, asked = run.vault, [*run.vault.allowed, *run.vault.forbidden]
    rights = _try(server, "POST", "sys/capabilities-self", {"paths": asked}, run.token)
    granted = rights.data if rights.status == 200 else {}
    facts["rights"] = {path: sorted(granted[path]) for path in asked if path in granted}
    facts["mounts"] = _said(server, "GET", "sys/mounts", run.token)
    facts["peers"] = _said(server, "GET", "sys/storage/raft/configuration", run.token)
    facts["autopilot"] = _said(server, "GET", "sys/storage/raft/autopilot/state", run.token)
    facts["settings"] = _said(server, "GET", "sys/config/state/sanitized", run.token)
    facts["secrets"] = run.each(lambda node: {name: _secret(run, node, name) for name in vault.secrets})
    if vault.issuing:
        facts["authority"] = _text(server, f"{vault.issuing.engine}/ca/pem")
        facts["revocations"] = _text(server, f"{vault.issuing.engine}/crl/pem")


def _secret(run: _Run, node: str, name: str) -> Json:
    """Whether a server tells a secret, and a digest of it by which it can be compared with what another tells."""
    said = _try(run.servers[node], "GET", run.vault.data_path(name), token=run.token)
    whole = repr(sorted(said.data.get("data", said.data).items())) if said.status == 200 else ""
    digest = hashlib.blake2b(whole.encode(), key=run.salt, digest_size=8).hexdigest() if whole else ""
    return {**_came_of(said), "digest": digest}


def _write(run: _Run, node: str) -> Json:
    """Writes a value by way of one server, into the store of the gate's own token."""
    value = secrets.token_hex(8)
    said = _try(run.servers[node], "POST", f"cubbyhole/plumbline-{node}", {"value": value}, run.token)
    return {**_came_of(said), "value": value}


def _copied(run: _Run, node: str, written: Mapping[str, Json]) -> Json:
    """Whether a server tells what was written by way of the one before it; a copy may come a moment later."""
    nodes = list(run.servers)
    before = nodes[nodes.index(node) - 1]
    began = time.monotonic()
    while True:
        said = _try(run.servers[node], "GET", f"cubbyhole/plumbline-{before}", token=run.token)
        same, took = said.data.get("value") == written[before]["value"], time.monotonic() - began
        if same or took > run.copied_within:
            return {"from": before, "same": same, **_came_of(said), "seconds": round(took, 3)}
        time.sleep(_POLL_S / 6)


def _issue(run: _Run, server: Server) -> Json:
    """One certificate of the gate's role; Vault keeps none of it, and its key is thrown away here."""
    issuing = run.vault.issuing
    if issuing is None:
        return {}
    asked = {"common_name": issuing.name, "ttl": f"{issuing.lifetime.total_seconds():.0f}s"}
    said = _try(server, "POST", f"{issuing.engine}/issue/{issuing.role}", asked, run.token)
    return {**_came_of(said), "certificate": said.data.get("certificate", "")}


def _revoked(run: _Run, server: Server, login: Mapping[str, str]) -> Json:
    """What each server says to a token that was given back a moment ago; a copy of that may come a moment later."""
    second = _try(server, "POST", "auth/approle/login", login)
    token = (second.body.get("auth") or {}).get("client_token", "")
    back = _try(server, "POST", "auth/token/revoke-self", {}, token) if token else None
    if back is None or back.status != 204:
        return {}
    return run.each(lambda node: _refused(run, node, token))


def _refused(run: _Run, node: str, token: str) -> int | None:
    began = time.monotonic()
    while True:
        status = _said(run.servers[node], "GET", _readable(run.vault), token)[0]
        if status == 403 or time.monotonic() - began > run.copied_within:
            return status
        time.sleep(_POLL_S / 6)


def _readable(vault: Vault) -> str:
    """A path that the gate may read: a secret where one is declared."""
    return next((vault.data_path(name) for name, secret in vault.secrets.items() if secret.readable), "sys/mounts")


def _said(server: Server, method: str, path: str, token: str = "") -> tuple[int | None, Json]:
    """Status of an answer, None where there was none, and what it holds; what is refused says why under `error`."""
    said = _try(server, method, path, token=token)
    held = said.data or {k: v for k, v in said.body.items() if k not in ("request_id", "auth", "wrap_info")}
    return said.status or None, held if said.status == 200 else {"error": said.errors}


def _text(server: Server, path: str) -> Json:
    said = _try(server, "GET", path)
    return {**_came_of(said), "text": said.text if said.status == 200 else ""}


def _came_of(said: Answer) -> Json:
    return {"status": said.status or None, "error": said.errors}


def _try(server: Server, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = "") -> Answer:
    """The answer; one of status 0, which says why, where there was none."""
    try:
        return server.ask(method, path, body, token)
    except NoAnswer as error:
        return Answer(0, {"errors": [str(error)]})


def _foreign() -> tuple[str, str]:
    """A certificate and its key that somebody has signed for himself, for a moment."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "plumbline-stranger")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(hours=1))
    made = built.not_valid_after(now + dt.timedelta(hours=1)).sign(key, hashes.SHA256())
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), written.decode()
