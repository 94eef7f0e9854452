"""Consul on its servers and clients: the real agent as a unit, TLS by the step-ca, gossip key, ACLs, services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import templates
from lab.consul import acl
from lab.consul.kept import Kept
from lab.consul.settling import settled
from lab.disks import FileSpec
from lab.machine import Volume
from lab.pki import Pki
from lab.progress import Progress
from lab.stepca import INTERMEDIATE, ROOT
from plumbline.bed import Bed
from plumbline.bed.consul import Bind, Consul, ConsulService
from plumbline.bed.types import written

CONFIG = "/etc/consul.d"


def programs(bed: Bed) -> tuple[str, ...]:
    """Consul itself."""
    return ("consul",) if bed.consul else ()


def files(bed: Bed, pki: Pki, folder: Path) -> dict[str, dict[str, FileSpec]]:
    """The unit, the configuration, which is secret for the tokens in it, and one file for each service of a node."""
    if bed.consul is None:
        return {}
    kept = Kept(folder)
    return {node: _files(bed, bed.consul, node, kept) for node in bed.consul.nodes}


def volumes(bed: Bed, binaries: Mapping[str, Path]) -> dict[str, dict[str, Volume]]:
    """The program, where the packages of its makers have it."""
    nodes = bed.consul.nodes if bed.consul else ()
    return {node: {"/usr/bin/consul": Volume(binaries["consul"])} for node in nodes}


def units(bed: Bed, node: str) -> tuple[str, ...]:
    """The agent."""
    return ("consul",) if bed.consul and node in bed.consul.nodes else ()


def settle(bed: Bed, pki: Pki, folder: Path, deadline: float, progress: Progress) -> dict[str, str]:
    """Policies and tokens, once there is a leader; then every agent is a member, and every service passes its check."""
    if bed.consul is None:
        return {}
    kept = Kept(folder)
    with progress.step("consul", estimate=10):
        settled(bed, bed.consul, kept, deadline)
    pair = pki.short_leaf(
        INTERMEDIATE, ROOT, "consul-gate", dns=["gate.plumbline"], addresses=(), lifetime=_longest(bed)
    )
    return {
        "consul": kept.path("gate"),
        "consul-certificate": kept.put("gate.pem", (pair.certificate + pair.key).decode()),
        "consul-ca": kept.put("ca.pem", pki.authority(ROOT).certificate.decode()),
    }


def _longest(bed: Bed) -> Any:
    assert bed.step_ca is not None, "a bed with Consul has a step-ca: see plumbline.bed.consistency.consul"
    return bed.step_ca.longest


def _files(bed: Bed, consul: Consul, node: str, kept: Kept) -> dict[str, FileSpec]:
    assert bed.step_ca is not None
    values: dict[str, Any] = {
        "consul": consul,
        "node": node,
        "address": str(bed.nodes[node].oobi),
        "servers": [str(bed.nodes[server].oobi) for server in consul.servers],
        "server": node in consul.servers,
        "rejoin_age": f"{consul.rejoin_age.total_seconds():.0f}s",
        "gossip_key": kept.gossip_key,
        "root": bed.step_ca.root,
        "certificate": bed.service_certificates[consul.certificate],
        "tokens": {
            "agent": kept.token(acl.agent(node)), "dns": kept.token(acl.DNS), "services": kept.token(acl.services(node)),
        },
        "binds": {name: _bound(bed, node, bind) for name, bind in consul.binds(node)},
    }  # fmt: skip
    services = {
        f"{CONFIG}/service-{name}.json": FileSpec(_service(bed, consul, name, node, service), owner="consul")
        for name, service in consul.services.items()
        if node in service.on
    }
    return services | {
        f"{CONFIG}/consul.hcl": FileSpec(_render("consul.hcl", values), 0o640, "consul"),
        "/etc/systemd/system/consul.service": FileSpec(_render("consul.service", {"data": consul.data})),
    }


def _bound(bed: Bed, node: str, bind: Bind | None) -> dict[str, Any] | None:
    if bind is None:
        return None
    addresses = {"loopback": "127.0.0.1", "oobi": str(bed.nodes[node].oobi), "every": "0.0.0.0"}
    return {"port": bind.port, "addresses": [addresses[place] for place in bind.on]}


def _service(bed: Bed, consul: Consul, name: str, node: str, service: ConsulService) -> str:
    """A definition without a first status: what was never asked is critical, not passing (seed 001, S15)."""
    check = service.check
    asked: dict[str, Any] = {
        "id": f"{name}-health", "name": f"{name} on {node}", "interval": written(check.interval),
        "timeout": written(check.timeout),
    }  # fmt: skip
    own = str(bed.nodes[node].oobi)
    host = {"loopback": "127.0.0.1", "oobi": own}.get(check.host, check.host.replace("{node}", node))
    port = check.port or service.port
    if check.http is None:
        asked["tcp"] = f"{host}:{port}"
    else:
        asked |= {"http": f"{check.scheme}://{host}:{port}{check.http}", "tls_skip_verify": not check.verify}
    definition = {
        "name": name, "id": f"{name}-{node}", "address": own, "port": service.port,
        "tags": [*service.tags, consul.cluster], "meta": {"cluster": consul.cluster, "hostname": node},
        "checks": [asked],
    }  # fmt: skip
    return json.dumps({"service": definition}, indent=1) + "\n"


def _render(template: str, values: Mapping[str, Any]) -> str:
    return templates.render(Path(__file__).parent, template, values)
