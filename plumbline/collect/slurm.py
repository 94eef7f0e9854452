"""Slurm, asked on its nodes: what each of them has, whose credentials it accepts, what controllers say, and jobs.

Two sources: `slurm` looks, and `slurm-jobs` submits the tiny jobs of all checks together. Credentials that cross from
node to node carry no rights, and are kept nowhere.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plumbline.bed import Bed
from plumbline.bed.model import Slurm
from plumbline.collect import slurm_jobs
from plumbline.collect.access import Access
from plumbline.collect.ssh import Login, Ssh, connections, control_folder
from plumbline.facts.source import Outcome, Source

KEY, CONFIG = "/etc/munge/munge.key", "/etc/slurm/slurm.conf"
_READ_S = 8.0
_ANSWER_S = 4.0
_CONNECT_S = 5.0
Object = dict[str, Any]


def ask(bed: Bed, access: Access, active: bool, patience: float) -> Source:
    """Every node of Slurm at once, then the credentials of each on all others. Only looks, whatever `active` is.

    facts: nodes: by node what `remote.slurm` found, or {outcome, error}; credentials: by "A>B" what became of A's on B,
    and the seconds within which it was made and read.
    A timeout where any node was late, so that it is asked again with more patience; the second time with what there is.
    """
    assert bed.slurm is not None
    salt, started = secrets.token_hex(16), time.monotonic()
    with _connected(bed, access, bed.slurm.nodes, patience) as ssh:
        requests = {node: _reading(bed, bed.slurm, node, salt, patience) for node in bed.slurm.nodes}
        nodes = _all(bed, access, ssh, requests, patience * _READ_S)
        made = {name: found.pop("encode") for name, found in nodes.items() if "encode" in found}
        decoding = {
            node: {"decode": {other: text for other, text in made.items() if other != node}}
            for node, found in nodes.items()
            if "outcome" not in found
        }
        decoded = _all(bed, access, ssh, decoding, patience * _READ_S)
    took = time.monotonic() - started
    credentials = {
        f"{source}>{target}": {**told, "within_s": took}
        for target, found in decoded.items()
        for source, told in (found.get("decode") or {}).items()
    }
    late = any(found.get("outcome") == "timeout" or _late(found) for found in nodes.values())
    outcome: Outcome = "timeout" if late and patience <= 1 else "ok"
    facts = {"nodes": nodes, "credentials": credentials}
    return Source(outcome, "a node was late" if outcome != "ok" else None, time.monotonic() - started, facts)


def _late(found: Object) -> bool:
    return any("no answer" in error for error in found.get("errors", {}).values())


def ask_jobs(bed: Bed, access: Access, active: bool, patience: float) -> Source:
    """The jobs of all checks, submitted together from one node; nothing where this run only looks."""
    assert bed.slurm is not None
    assert bed.slurm.jobs is not None
    if not active:
        return Source("ok", facts={"only-looks": True})
    limit = patience * bed.slurm.jobs.limit.total_seconds()
    request = {bed.slurm.submit: {"jobs": slurm_jobs.request(bed.slurm, limit)}}
    with _connected(bed, access, [bed.slurm.submit], patience) as ssh:
        found = _all(bed, access, ssh, request, limit + _READ_S)[bed.slurm.submit]
    if "outcome" in found:
        return Source(found["outcome"], found["error"])
    if "jobs" not in found:
        error = str(found["errors"].get("jobs", "no answer"))
        return Source("timeout" if "no answer" in error else "refused", error)
    told = found["jobs"]
    late = patience <= 1 and any(slurm_jobs.late(job) for job in told["jobs"].values())
    return Source("timeout" if late else "ok", "jobs were late" if late else None, told["seconds"], told)


def _reading(bed: Bed, slurm: Slurm, node: str, salt: str, patience: float) -> Object:
    limit = patience * (bed.budgets["slurm_answer"].total_seconds() if "slurm_answer" in bed.budgets else _ANSWER_S)
    wanted: Object = {
        "key": {"path": KEY, "salt": salt},
        "config": CONFIG,
        "folders": {"user": "slurm", "folders": [slurm.base]},
        "encode": True,
    }
    if node in slurm.controllers:
        wanted["pidfile"] = "slurmctld"
        wanted["folders"]["folders"].append(slurm.state)
        wanted["heartbeat"] = {"folder": slurm.state} if len(slurm.controllers) > 1 else None
    if slurm.jobs and slurm.modules and (node in slurm.compute or node == slurm.submit):
        wanted["modules"] = {"names": slurm.modules, "user": slurm.jobs.user, "timeout": limit}
    if node == slurm.submit:
        wanted["state"] = {"limit": limit}
        wanted["accounting"] = {"limit": limit / 2} if slurm.accounting else None
    return wanted


def _all(bed: Bed, access: Access, ssh: Ssh, requests: Mapping[str, Object], limit: float) -> dict[str, Object]:
    """What each node says to its own request within `limit` seconds; of one that does not answer, how it does not."""
    if not requests:
        return {}

    def one(node: str) -> Object:
        request = {"deadline": limit - 1, "slurm": requests[node]}
        said = ssh.ask(Login.of(bed, access, node), request, limit + ssh.connect_timeout)
        return dict(said.facts["slurm"]) if said.outcome == "ok" else {"outcome": said.outcome, "error": said.error}

    with ThreadPoolExecutor(len(requests)) as pool:
        return dict(zip(requests, pool.map(one, requests), strict=True))


@contextmanager
def _connected(bed: Bed, access: Access, nodes: Iterable[str], patience: float) -> Iterator[Ssh]:
    """Connections of one source, with sockets in a folder of its own."""
    connect = bed.budgets["ssh"].total_seconds() if "ssh" in bed.budgets else _CONNECT_S
    with tempfile.TemporaryDirectory(prefix="plumbline-slurm-") as folder:
        place = control_folder(Path(folder), nodes)
        with connections(access, place, max(1, round(patience * connect))) as ssh:
            yield ssh
