"""Bringing a bed up on this machine, step by step, and taking it down.

Every step looks at what is there and does only what is missing, so `up` goes on where an earlier one was killed. The
file `access.json` is written last: without it the lab is not whole, and nobody looks at it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from lab import (
    cache,
    cgroups,
    cni,
    containment,
    generators,
    image_store,
    images,
    isp,
    kernel,
    kubernetes,
    machine,
    netns,
    ngfw,
    nodes,
    ovs,
    programs,
    rootfs,
    switch,
    topology,
    workloads,
)
from lab.errors import LabError
from lab.machine import Machine, Volume
from lab.parts import PARTS
from lab.pki import Pki
from lab.places import access_file, forget, record_state, run_dir
from lab.progress import Progress
from lab.quiet import wait_quiet
from lab.status import status
from plumbline.bed import Bed
from plumbline.hold import Held, hold
from plumbline.places import RUNS, ledger

BOOT_LIMIT = 60.0
READY_LIMIT = 180.0
_OUTPUTS = {"flannel-cni": "flannel"}
HELD_LIMIT = 5.0
UP_LIMIT = 1800.0
"""Seconds to wait for another `up`, which may build everything; then there is nothing left to do."""
RUNTIME = Path("/run/plumbline")


def up(bed: Bed, progress: Progress) -> None:
    """Bring the bed up; LabError says what stopped it and what to do. A second call on a whole lab changes nothing."""
    rootfs.require_root()
    with _held(bed.bed, progress, UP_LIMIT):
        digest = _digest(bed)
        state = run_dir(bed.bed) / "bed.sha256"
        if state.exists() and (state.read_text() != digest or not cgroups.alive(bed.bed)):
            # A lab is never half of one and half of another: the bed file has changed, or these are only remains.
            _down(bed.bed, progress, keep=(RUNS,))
        record_state(bed.bed)
        prefixes = sorted(set(_prefixes(bed)))
        found = status(bed) if access_file(bed.bed).exists() else None
        if found and found.whole and containment.contained(bed.bed) == prefixes:
            return
        containment.contain(bed.bed, prefixes)
        if found and any(node.state != "running" for node in found.nodes):
            # While all run it stays until they have what they lack: a gate must see a unit that does not start.
            access_file(bed.bed).unlink(missing_ok=True)
        (run_dir(bed.bed) / "bed.sha256").write_text(digest)
        _realise(bed, progress)


def build(bed: Bed, progress: Progress) -> None:
    """Fill the cache with all that the bed is made of, and start nothing."""
    rootfs.require_root()
    _prepare(bed, progress)


def down(bed: str, progress: Progress) -> None:
    """Take the lab of a bed away with all that it made; nothing there is no error."""
    rootfs.require_root()
    with _held(bed, progress, HELD_LIMIT):
        digest = run_dir(bed) / "bed.sha256"
        if digest.exists():
            cache.used_since(digest.stat().st_mtime)  # a lab asks for what it runs on when it comes up, and never again
        _down(bed, progress)
    with suppress(Held), hold(bed, alone=True, timeout=0):
        pass  # letting go removes the note that a killed run left of itself
    with suppress(OSError):
        RUNTIME.rmdir()
    if not RUNTIME.exists():  # no other lab is up, which would read from the cache
        for place in cache.prune():
            progress.note(f"unused for {cache.KEPT / 86400:.0f} days, so the cache keeps it no longer: {place}")


def _down(bed: str, progress: Progress, keep: Collection[str] = ()) -> None:
    access_file(bed).unlink(missing_ok=True)
    with progress.step("down", estimate=5):
        machine.remove_all(bed)
        netns.delete(bed)
        kernel.restore_shared(run_dir(bed))
        containment.release(bed)
        forget(bed, keep)


def _realise(bed: Bed, progress: Progress) -> None:
    base, binaries, store = _prepare(bed, progress)
    pki = Pki(run_dir(bed.bed) / "pki")
    values = workloads.values(bed, run_dir(bed.bed))
    objects: list[workloads.Manifest] = []
    if bed.kubernetes:  # what the bed file lacks for them is told before anything boots
        material = workloads.material(bed, pki, values)
        objects = [*workloads.definitions(bed, progress), *workloads.manifests(bed, pki, material)]
    with progress.step("nodes", estimate=6):
        kernel.raise_shared(bed, run_dir(bed.bed))
        if not netns.path(bed.bed, topology.RUNNER).exists():
            shutil.rmtree(ledger(bed.bed), ignore_errors=True)  # a lab that is gone has no fault in it
        netns.create(bed.bed, [*bed.nodes, topology.RUNNER, ovs.NODE])
        _boot(bed, _machines(bed, pki, values, binaries, store), base)
    access_file(bed.bed).unlink(missing_ok=True)
    access = _access(bed, pki)
    with ThreadPoolExecutor(1) as pool:  # leaders are elected and leases run out while pods start
        settled = pool.submit(_settle, bed, pki, progress)
        if bed.kubernetes:
            with progress.step("workloads", estimate=40):
                workloads.realise(
                    bed, objects, Path(access["admin_kubeconfig"]), time.monotonic() + READY_LIMIT, progress
                )
                if not wait_quiet(partial(progress.detail, "workloads")):
                    progress.note("the machine is still busy: checks may find the bed slow")
            _forget_restarts(bed)
        credentials = settled.result()
    part = access_file(bed.bed).with_suffix(".part")
    part.write_text(json.dumps({**access, "credentials": credentials}, indent=1))
    part.rename(access_file(bed.bed))


def _prepare(bed: Bed, progress: Progress) -> tuple[Path, dict[str, Path], Path | None]:
    """The root file system, the programs and the store of images: from the cache, or built."""
    with progress.step("root file system of the nodes", estimate=60) as step:
        base = rootfs.ensure(lambda text: progress.detail(step.name, text))
    of_cluster = [*kubernetes.PROGRAMS, *cni.PROGRAMS] if bed.kubernetes else []
    binaries = programs.ensure([*of_cluster, *(name for part in PARTS for name in part.programs(bed))], progress)
    if not bed.kubernetes:
        return base, binaries, None
    tars = images.ensure_images(sorted(workloads.images(bed)), progress)
    with progress.step("images unpacked", estimate=15):
        return base, binaries, image_store.ensure(base, tars)


def _machines(
    bed: Bed, pki: Pki, values: Mapping[str, str], binaries: Mapping[str, Path], store: Path | None
) -> list[Machine]:
    """Every node as a machine: the files of each part of the lab that has something to do with it."""
    files = nodes.files(bed, pki)
    units = {name: [*nodes.BASE_UNITS] for name in bed.nodes}
    volumes: dict[str, dict[str, Volume]] = {name: {} for name in bed.nodes}
    for name, of_cluster in kubernetes.files(bed, pki).items():
        files[name] |= of_cluster | cni.files(bed, pki)
        units[name] += kubernetes.units(bed, name)
        volumes[name] = {
            **{f"/usr/local/bin/{program}": Volume(binaries[program]) for program in kubernetes.PROGRAMS},
            **(image_store.volumes(store) if store else {}),
            **{place: Volume(binaries[_OUTPUTS.get(program, program)]) for program, place in cni.PROGRAMS.items()},
        }
    for name, of_volumes in workloads.files(bed).items():
        files[name] |= of_volumes
    if bed.ngfw:
        files[bed.ngfw.node] |= ngfw.files(bed, pki, values)
        units[bed.ngfw.node] += ngfw.units(bed)
    for name in isp.nodes(bed):
        files[name] |= isp.files(bed, pki, name)
        units[name] += isp.units()
    for part in PARTS:
        for name, of_part in part.files(bed, pki, run_dir(bed.bed)).items():
            files[name] |= of_part
        for name, seen in part.volumes(bed, binaries).items():
            volumes[name] |= seen
        for name in bed.nodes:
            units[name] += part.units(bed, name)
    seeds = image_store.seed(store) if store else {}
    return [
        Machine(name, files[name], volumes[name], seeds if node.kubernetes else {}, tuple(units[name]))
        for name, node in bed.nodes.items()
    ]


def _boot(bed: Bed, machines: list[Machine], base: Path) -> None:
    """The switch first, since the nodes want their links when they start; then all nodes side by side."""
    of_switch = switch.machine()
    ran = machine.boot(bed.bed, [of_switch], base)
    _await_running(bed.bed, of_switch, ovs.NODE in ran)
    switch.apply(bed.bed, topology.nics(bed), topology.oobi(bed))
    ran = machine.boot(bed.bed, machines, base)
    with ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(lambda node: _await_running(bed.bed, node, node.name in ran), machines))


def _await_running(bed: str, node: Machine, ran: bool) -> None:
    """Wait until all units of a machine run; where it `ran` before, those that have failed since begin anew."""
    deadline = time.monotonic() + BOOT_LIMIT
    if ran:
        machine.begin_anew(bed, node.name, node.units, deadline)
    machine.wait_running(bed, node.name, deadline)


def _settle(bed: Bed, pki: Pki, progress: Progress) -> dict[str, str]:
    """The first steps of the services outside the cluster, side by side; the files with what a gate shows to each."""
    deadline, folder = time.monotonic() + READY_LIMIT, run_dir(bed.bed)
    with ThreadPoolExecutor(len(PARTS)) as pool:
        told = list(pool.map(lambda part: part.settle(bed, pki, folder, deadline, progress), PARTS))
    of_generators = generators.credentials(bed, pki, folder)
    return {name: path for each in [*told, of_generators] for name, path in each.items()}


def _forget_restarts(bed: Bed) -> None:
    """Units that were restarted while they waited for the API server begin their history now."""
    for node in bed.kubernetes_nodes:
        machine.run(bed.bed, node, ["systemctl", "reset-failed"])


def _access(bed: Bed, pki: Pki) -> dict[str, Any]:
    """Write what a runner needs to reach the lab, and say where it stands."""
    folder = run_dir(bed.bed)
    access: dict[str, Any] = {
        "netns": netns.name(bed.bed, topology.RUNNER),
        "cgroups": [str(folder) for folder in cgroups.folders(bed.bed)],
        "ssh_config": str(nodes.ssh_access(bed, pki, folder)),
    }
    if bed.kubernetes:
        users = {"kubeconfig": (workloads.GATE, ()), "admin_kubeconfig": ("lab:admin", ("system:masters",))}
        for name, (user, groups) in users.items():
            path = folder / name
            path.touch(mode=0o600)
            path.write_text(kubernetes.kubeconfig(bed, pki, user, groups))
            access[name] = str(path)
    return access


def _prefixes(bed: Bed) -> list[IPv4Network]:
    """Every address range of the bed, so that none of it can be reached but inside the lab."""
    also = [address.network for node in bed.nodes.values() for address in node.also]
    cluster = [bed.kubernetes.pods, bed.kubernetes.services] if bed.kubernetes else []
    return [*(network.cidr for network in bed.networks.values()), *also, *cluster]


def _digest(bed: Bed) -> str:
    return hashlib.sha256(bed.model_dump_json(by_alias=True).encode()).hexdigest()


@contextmanager
def _held(bed: str, progress: Progress, limit: float) -> Iterator[None]:
    """One `up` or `down` of a bed at a time; whoever comes second waits for as long as it is worth it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(_hold(bed, HELD_LIMIT))
        except LabError as held:
            if limit <= HELD_LIMIT:
                raise
            progress.note(f"{held.what}; waiting for it")
            stack.enter_context(_hold(bed, limit))
        yield


@contextmanager
def _hold(bed: str, limit: float) -> Iterator[None]:
    try:
        with hold(f"{bed}-lab", alone=True, timeout=limit, purpose="`up` or `down`"):
            yield
    except Held as held:
        who = str(held).partition(": ")[2]
        raise LabError(f"another `up` or `down` of {bed} is under way: {who}", remedy="wait for it to end") from None
