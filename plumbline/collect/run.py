"""A whole run: nodes and API server side by side, then the probes that both have made possible; a file a source."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from plumbline.bed import Bed
from plumbline.collect import consul, host_keys, kubernetes, plan, trim
from plumbline.collect.access import Access
from plumbline.collect.again import PATIENCE, mended, patiently, slow
from plumbline.collect.planned import Planned, World
from plumbline.collect.services import SERVICES, Service
from plumbline.collect.ssh import Login, Ssh, connections, control_folder
from plumbline.facts.cluster import Cluster
from plumbline.facts.source import Source, write_json

READ_S = 10.0
PROBE_S = 20.0
_MORE_S = 4.0  # for a probe that is long by itself: one that outlived its node's time would be cut off and tell nothing
_CONNECT_S = 5.0
_GIVE_UP = ("unreachable", "timeout", "refused")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Run:
    """What all parts of a run share."""

    bed: Bed
    access: Access
    ssh: Ssh
    out: Path
    progress: Progress
    salt: bytes = field(default_factory=trim.salt, repr=False)


@dataclass(frozen=True)
class _Probed:
    """What came of a node's probes, and which of them are worth asking again."""

    source: Source
    again: tuple[Planned, ...] = ()


def collect(bed: Bed, access: Access, out: Path, active: bool = True, progress: Progress = lambda _: None) -> None:
    """Writes nodes/<node>.json, host_keys.json, kubernetes.json, <service>.json and, where `active`, probes/<node>.json.

    Each is there as soon as its source has answered or has failed; nothing that a source does stops the others.
    BedUnreachable where this process does not stand where the bed's addresses are the bed's.
    """
    access.require_inside(bed)
    hosts = [name for name, node in bed.nodes.items() if node.ssh]
    services = [service for service in SERVICES if service.declared(bed)]
    connect = bed.budgets["ssh"].total_seconds() if "ssh" in bed.budgets else _CONNECT_S
    until = time.time() + _longest(bed, connect)
    write_json(out / "collect.json", {"process": os.getpid(), "until": until, "active": active, "hosts": hosts})
    with (
        connections(access, control_folder(out, hosts), max(1, round(connect))) as ssh,
        ThreadPoolExecutor(len(hosts) + len(services) + 2, thread_name_prefix="collect") as pool,
    ):
        run = _Run(bed, access, ssh, out, progress)
        nodes = {name: pool.submit(_read_node, run, name) for name in hosts}
        keys = pool.submit(_read_host_keys, run, nodes)
        _import(bed, services)
        world = pool.submit(_ask_kubernetes, run, active)
        asked = [pool.submit(_ask_service, run, service, active) for service in services]
        firsts = {name: pool.submit(_probe_node, run, name, nodes[name], world) for name in hosts if active}
        seconds = [pool.submit(_probe_again, run, name, firsts) for name in firsts]
        parts: list[Future[Any]] = [world, *nodes.values(), keys, *asked, *firsts.values(), *seconds]
        for part in parts:
            part.result()


def _longest(bed: Bed, connect: float) -> float:
    """Seconds after which whatever has not answered will not: nodes and then their probes, or jobs, each asked twice."""
    jobs = bed.slurm.jobs.limit.total_seconds() if bed.slurm and bed.slurm.jobs else 0.0
    return max((1 + PATIENCE) * (READ_S + connect) + 2 * PROBE_S, (1 + PATIENCE) * (jobs + READ_S + connect))


def _import(bed: Bed, services: Sequence[Service]) -> None:
    """Before several threads do so at once: of libraries that import each other, one would see the half of another."""
    of_cluster = ("requests", "kubernetes.client", "kubernetes.config") if bed.kubernetes else ()
    for name in (*of_cluster, *(library for service in services for library in service.libraries)):
        import_module(name)


def _ask_kubernetes(run: _Run, active: bool) -> dict[str, list[Planned]]:
    private: dict[str, str] = {}
    cluster = None
    if run.bed.kubernetes is not None:
        source = patiently(
            lambda patience: _guarded(lambda: kubernetes.collect(run.bed, run.access, private, run.salt, patience))
        )
        source.write(run.out / "kubernetes.json")
        run.progress(_line("kubernetes", source))
        if source.outcome == "ok":
            cluster = Cluster(source.facts, run.bed)
    planned: dict[str, list[Planned]] = {}
    error = None
    if active:
        try:
            planned = plan.probes(
                World(
                    run.bed,
                    cluster,
                    private.get("community", ""),
                    private.get("administrator", ""),
                    private.get("database_user", ""),
                )
            )
        except Exception as why:  # an answer of a form that nobody expected must not leave every probe unknown unsaid
            error = f"{type(why).__name__}: {why}"
    probes = [p.public() for found in planned.values() for p in found]
    write_json(run.out / "plan.json", {"active": active, "error": error, "probes": probes})
    return planned


def _ask_service(run: _Run, service: Service, active: bool) -> None:
    source = patiently(lambda patience: _guarded(lambda: service.ask(run.bed, run.access, active, patience)))
    source.write(run.out / f"{service.name}.json")
    run.progress(_line(service.name, source))


def _read_node(run: _Run, node: str) -> Source:
    request = {
        "host": _salted(plan.host_request(run.bed, node), run.salt),
        "pods": bool(run.bed.nodes[node].kubernetes),
        "environment": {"names": sorted({k for s in run.bed.secrets.values() for k in s.keys}), "salt": run.salt.hex()},
    }
    if asked := consul.node_request(run.bed, run.access, node, run.salt):
        request["consul"] = asked
    source = patiently(lambda patience: _guarded(lambda: _ask_node(run, node, request, patience)))
    source.write(run.out / "nodes" / f"{node}.json")
    run.progress(_line(node, source))
    return source


def _salted(request: dict[str, Any], salt: bytes) -> dict[str, Any]:
    """A request whose parts know by what key digests of secrets are made in this run."""
    return {name: {**part, "salt": salt.hex()} if isinstance(part, dict) else part for name, part in request.items()}


def _ask_node(run: _Run, node: str, request: dict[str, Any], patience: float) -> Source:
    ssh = replace(run.ssh, connect_timeout=round(patience * run.ssh.connect_timeout))
    read = patience * READ_S
    return ssh.ask(Login.of(run.bed, run.access, node), {**request, "deadline": read - 1}, read + ssh.connect_timeout)


def _read_host_keys(run: _Run, nodes: dict[str, Future[Source]]) -> None:
    """When all nodes have answered: a server that is busy with a login is slow to show its key to somebody else."""
    wait(nodes.values())
    logins = [Login.of(run.bed, run.access, name) for name in nodes]
    source = _guarded(lambda: Source("ok", facts=host_keys.collect(run.access, logins)))
    source.write(run.out / "host_keys.json")
    run.progress(_line("host keys", source))


def _probe_node(run: _Run, node: str, read: Future[Source], world: Future[dict[str, list[Planned]]]) -> _Probed:
    first, planned = read.result(), world.result().get(node, [])
    if first.outcome in _GIVE_UP:
        probed = _Probed(Source(first.outcome, first.error))
    else:
        source = _ask_probes(run, node, planned) if planned else Source("ok")
        probed = _Probed(source, tuple(slow(planned, source)))
    if not probed.again:
        probed.source.write(run.out / "probes" / f"{node}.json")
    run.progress(_line(f"{node}, {len(planned)} probes", probed.source))
    return probed


def _probe_again(run: _Run, node: str, firsts: dict[str, Future[_Probed]]) -> None:
    """When no node has first questions left to answer, so that these are not late for the same reason."""
    wait(firsts.values())
    probed = firsts[node].result()
    if not probed.again:
        return
    patient = [replace(p, timeout=min(PATIENCE * p.timeout, p.timeout + _MORE_S)) for p in probed.again]
    source = mended(probed.source, _ask_probes(run, node, patient))
    source.write(run.out / "probes" / f"{node}.json")
    run.progress(_line(f"{node}, {len(patient)} probes a second time", source))


def _ask_probes(run: _Run, node: str, planned: Sequence[Planned]) -> Source:
    request = {"deadline": PROBE_S - 2, "host": None, "pods": False, "probes": [p.request() for p in planned]}
    return _guarded(lambda: run.ssh.ask(Login.of(run.bed, run.access, node), request, PROBE_S))


def _guarded(ask: Callable[[], Source]) -> Source:
    """A mistake of this program is one more way in which a source does not answer."""
    started = time.monotonic()
    try:
        return ask()
    except Exception as error:
        return Source("rubbish", f"{type(error).__name__}: {error}"[:300], time.monotonic() - started)


def _line(what: str, source: Source) -> str:
    return f"{what}: {source.outcome}{f' ({source.error})' if source.error else ''}, {source.seconds:.2f} s"
