"""What Consul's servers say, each asked from where the runner stands with the gate's token, which may read and no more.

An active run also writes one key, reads it from every server, and deletes it.
"""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from plumbline.bed import Bed
from plumbline.bed.consul import Consul
from plumbline.collect.access import Access
from plumbline.collect.consul_client import CREDENTIAL, Client, Shown
from plumbline.collect.vault_client import NoAnswer
from plumbline.facts.source import Source

FOLDER = "plumbline/gate/"
ELSEWHERE = "plumbline-not/"
MAY = (("operator", "", "read"), ("acl", "", "read"), ("node", "", "read"), ("service", "", "read"), ("agent", "", "read"),
       ("key", FOLDER, "write"))  # fmt: skip
MAY_NOT = (("operator", "", "write"), ("acl", "", "write"), ("keyring", "", "read"), ("node", "", "write"),
           ("service", "", "write"), ("agent", "", "write"), ("event", "", "write"), ("session", "", "write"),
           ("key", "vault/", "write"), ("key", ELSEWHERE, "write"))  # fmt: skip
ANONYMOUS = "00000000-0000-0000-0000-000000000002"
_LIMIT_S = 2.0
_REPLICATION_S = 1.0
_POLL_S = 0.02
_writing, _ending = threading.Lock(), threading.Event()
"""Held while the run's key is at Consul; set when the collector is told to end."""


def tidy(limit: float) -> None:
    """Has the run's key deleted before the process ends; waits for that, but for no longer than `limit` seconds."""
    _ending.set()
    _writing.acquire(timeout=limit)  # for good: no key is written any more


def node_request(bed: Bed, access: Access, node: str, salt: bytes) -> dict[str, Any] | None:
    """What the program of a node is asked about its agent; None where it has none. It has the gate's token in it."""
    consul = bed.consul
    if consul is None or node not in consul.nodes:
        return None
    http = consul.binds(node).http
    return {
        "address": str(bed.nodes[node].oobi) if "oobi" in http.on else "127.0.0.1",
        "port": http.port,
        "token": access.credentials.get(CREDENTIAL, ""),
        "config": "/etc/consul.d",
        "data": consul.data,
        "salt": salt.hex(),
        "within": consul.leader.within.total_seconds(),
        "server": node in consul.servers,
    }


def collect(bed: Bed, access: Access, active: bool, patience: float) -> Source:
    """Every server side by side; one that is silent is told of, and stops no other.

    Refused, and nothing is asked, where the gate lacks what it has to show, or that cannot be used.
    """
    started, consul = time.monotonic(), bed.consul
    assert consul is not None
    try:
        shown = Shown.of(consul, access)
    except ValueError as error:
        return Source("refused", str(error))
    limit = _budget(bed, "consul_api", _LIMIT_S) * patience
    clients = {node: Client(bed, shown, node, limit) for node in consul.servers}
    with ThreadPoolExecutor(len(clients)) as pool:
        servers = dict(zip(clients, pool.map(_server, clients.values()), strict=True))
    answering = [node for node, server in servers.items() if server["outcome"] == "ok"]
    late = any(server["outcome"] == "timeout" for server in servers.values())
    facts: dict[str, Any] = {"servers": servers}
    if late and patience == 1:
        return Source("timeout", "a server did not answer in time", time.monotonic() - started)
    if not answering:
        first = next(iter(servers.values()))
        return Source(first["outcome"], first["error"], time.monotonic() - started, facts)
    led = [node for node in answering if servers[node]["leader"]]
    facts |= _shared(consul, clients[led[0]]) if led else {"errors": {}, "asked": "", "rights": {}}
    if active:
        with _writing:
            facts["key"] = _key(bed, {node: clients[node] for node in answering}, led[-1] if led else "")
    for node in answering:  # a leader that changes meanwhile is none
        servers[node]["leader_again"] = _quietly(clients[node], "/v1/status/leader")
    return Source("ok", None, time.monotonic() - started, facts)


def _server(client: Client) -> dict[str, Any]:
    """What one server says of the cluster, and to those who may know nothing."""
    facts: dict[str, Any] = {"outcome": "ok", "error": None}
    try:
        status, leader = client.ask("get", "/v1/status/leader")
        facts["leader"] = leader if status == 200 else ""
        facts["peers"] = client.ask("get", "/v1/status/peers")[1]
        status, members = client.ask("get", "/v1/agent/members")
        facts["denied"] = "" if status == 200 else f"{status} {members}"[:300]
        facts["members"] = [_member(member) for member in members] if status == 200 else []
        key, shown = f"/v1/kv/{FOLDER}nobody", client.ask("get", "/v1/agent/members", token="")[1]
        seen = len(shown) if isinstance(shown, list) else 0
        facts["nobody"] = {"keys": client.ask("get", key, token="", stale="")[0], "members": seen}
        facts["stranger"] = client.ask("get", key, token=str(uuid.uuid4()), stale="")[0]
        facts["uncertified"] = client.uncertified()
    except NoAnswer as silent:
        facts.update(outcome=silent.outcome, error=str(silent))
    return facts


def _member(said: dict[str, Any]) -> dict[str, Any]:
    states = {1: "alive", 2: "leaving", 3: "left", 4: "failed"}
    tags = said.get("Tags") or {}
    return {
        "name": said["Name"], "address": said["Addr"], "state": states.get(said["Status"], str(said["Status"])),
        "server": tags.get("role") == "consul", "datacenter": tags.get("dc", ""),
        "version": str(tags.get("build", "")).partition(":")[0],
    }  # fmt: skip


def _shared(consul: Consul, client: Client) -> dict[str, Any]:
    """What any server can tell of all of it; a part that may not be read leaves its reason under `errors`."""
    errors: dict[str, str] = {}
    facts: dict[str, Any] = {"errors": errors, "asked": client.node}
    pages = {"health": "/v1/health/state/any", "nodes": "/v1/catalog/nodes", "anonymous": f"/v1/acl/token/{ANONYMOUS}",
             "autopilot": "/v1/operator/autopilot/health"}  # fmt: skip
    pages |= {f"services/{name}": f"/v1/catalog/service/{name}" for name in consul.services}
    pages |= {f"policies/{name}": f"/v1/acl/policy/name/{name}" for name in consul.policies}
    for part, path in pages.items():
        try:
            status, said = client.ask("get", path)
        except NoAnswer as silent:
            errors[part] = str(silent)
            continue
        if status in (200, 429):  # autopilot says 429 where it is not well
            facts[part] = _trimmed(part, said)
        elif status == 404 or "does not exist" in str(said):  # of a token that is not there Consul says so with 403
            facts[part] = None
        else:
            errors[part] = f"{status} {said}"[:300]
    facts["rights"] = _rights(client, errors)
    return facts


def _trimmed(part: str, said: Any) -> Any:
    """Without what is secret or long."""
    if part == "anonymous":
        return sorted(p["Name"] for p in [*(said.get("Policies") or ()), *(said.get("Roles") or ())])
    if part.startswith("policies/"):
        return said["Rules"]
    return said


def _rights(client: Client, errors: dict[str, str]) -> dict[str, bool]:
    """What the gate's token may do, by name of the right; Consul answers without anything being done."""
    wanted = [*MAY, *MAY_NOT]
    body = [{"Resource": kind, "Segment": name, "Access": access} for kind, name, access in wanted]
    try:
        status, said = client.ask("post", "/v1/internal/acl/authorize", body)
    except NoAnswer as silent:
        errors["rights"] = str(silent)
        return {}
    if status != 200:
        errors["rights"] = f"{status} {said}"[:300]
        return {}
    return {right(*each): bool(found["Allow"]) for each, found in zip(wanted, said, strict=True)}


def right(kind: str, name: str, access: str) -> str:
    """A right as a reader says it: write key plumbline/gate/."""
    return f"{access} {kind} {name}".strip()


def _key(bed: Bed, clients: dict[str, Client], by: str) -> dict[str, Any]:
    """One key is written by way of one server, read as each server has it on its own disk, and deleted."""
    name, value = f"{FOLDER}{secrets.token_hex(8)}", f"value-{secrets.token_hex(16)}"
    facts: dict[str, Any] = {"by": by or "no server", "written": False, "error": None, "seen": {}, "deleted": False,
                             "elsewhere": 0}  # fmt: skip
    if not by:  # a server holds a write back for seconds while it hopes for a leader
        facts["error"] = "no server knows of a leader"
        return facts
    writer = clients[by]
    try:
        status, said = writer.ask("put", f"/v1/kv/{name}", value)
        facts["written"] = status == 200 and said is True
        if not facts["written"]:
            facts["error"] = f"{status} {said}"[:300]
            return facts
        end = time.monotonic() + _budget(bed, "consul_replication", _REPLICATION_S)
        began = time.monotonic()
        for node, client in clients.items():
            facts["seen"][node] = _seen(client, name, value, began, end)
        facts["elsewhere"] = _elsewhere(writer)
    except NoAnswer as silent:
        facts["error"] = str(silent)
    finally:
        with suppress(NoAnswer):
            facts["deleted"] = writer.ask("delete", f"/v1/kv/{name}") == (200, True)
    return facts


def _elsewhere(client: Client) -> int:
    """The status of an attempt to write a key that is not the gate's own; where it came about, it is taken back."""
    name = f"{ELSEWHERE}{secrets.token_hex(8)}"
    status, _ = client.ask("put", f"/v1/kv/{name}", "this must be refused")
    if status == 200:
        client.ask("delete", f"/v1/kv/{name}")
    return status


def _seen(client: Client, name: str, value: str, began: float, end: float) -> float | None:
    """After how many seconds a server has the key itself; None where not before `end` (monotonic)."""
    while True:
        status, said = client.ask("get", f"/v1/kv/{name}", stale="", raw="")
        if status == 200 and str(said) == value:
            return time.monotonic() - began
        if time.monotonic() > end or _ending.is_set():
            return None
        time.sleep(_POLL_S)


def _quietly(client: Client, path: str) -> Any:
    with suppress(NoAnswer):
        status, said = client.ask("get", path)
        return said if status == 200 else ""
    return ""


def _budget(bed: Bed, name: str, default: float) -> float:
    return bed.budgets[name].total_seconds() if name in bed.budgets else default
