"""Slurm on the nodes of the bed: munge, slurmctld with its backup, slurmd, slurmdbd on MariaDB, and Lmod's modules.

What all its nodes share is a folder of this machine, seen by each of them, in the place of an NFS mount: the kernel of
a lab may have no NFS client.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from lab import machine, templates
from lab.disks import FileSpec
from lab.errors import LabError
from lab.machine import Volume
from lab.pki import Pki
from lab.places import state_dir
from lab.progress import Progress
from plumbline.bed import Bed
from plumbline.bed.model import Slurm

SHARED = "slurm-shared"
"""Folder beside the disks of the nodes with what they share."""
_KEY_BYTES = 1024
_JOB_UID = 4500
_SPARE_MB = 512
"""Of a machine whose memory Slurm offers whole, what is left to the system."""
_TAKEOVER_S, _NODE_LOST_S = 120, 300
"""Slurm's own defaults of SlurmctldTimeout and SlurmdTimeout."""
_ASKED_EVERY = 0.25
_NO_END = 124
"""The exit code of a program that `timeout` has ended."""


def programs(bed: Bed) -> tuple[str, ...]:
    """None: Slurm and what belongs to it are packages of the root file system."""
    return ()


def files(bed: Bed, pki: Pki, folder: Path) -> dict[str, dict[str, FileSpec]]:
    """Configuration, the key of munge and units of each node."""
    if bed.slurm is None:
        return {}
    return {node: _node_files(bed, bed.slurm, node, _key(folder)) for node in bed.slurm.nodes}


def volumes(bed: Bed, binaries: Mapping[str, Path]) -> dict[str, dict[str, Volume]]:
    """What all its nodes share."""
    if bed.slurm is None:
        return {}
    shared = state_dir(bed.bed) / SHARED
    shared.mkdir(exist_ok=True)
    shared.chmod(0o755)
    return {node: {bed.slurm.base: Volume(shared, read_only=False)} for node in bed.slurm.nodes}


def units(bed: Bed, node: str) -> tuple[str, ...]:
    """The units that a node starts at boot."""
    own = bed.slurm.units(node) if bed.slurm else ()
    return ("slurm-node", *own) if own else ()


def settle(bed: Bed, pki: Pki, folder: Path, deadline: float, progress: Progress) -> dict[str, str]:
    """The cluster and the gate's user in accounting, the modules, and the wait until all nodes are idle."""
    if bed.slurm is None:
        return {}
    slurm = bed.slurm
    with progress.step("slurm", estimate=15):
        for path, text in modules(slurm).items():
            machine.put(bed.bed, slurm.submit, path, text)
        if slurm.accounting:
            _account(bed, slurm, deadline)
        _await(lambda: _unready(bed, slurm), deadline)
        for node in slurm.nodes:  # controllers that waited for accounting begin their history now
            machine.run(bed.bed, node, ["systemctl", "reset-failed"])
    return {}


def _key(folder: Path) -> bytes:
    """The key of munge: made once, and kept for root only."""
    path = folder / "munge.key"
    if not path.exists():
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_bytes(secrets.token_bytes(_KEY_BYTES))
        part.rename(path)
    return path.read_bytes()


def _node_files(bed: Bed, slurm: Slurm, node: str, key: bytes) -> dict[str, FileSpec]:
    values = _values(bed, slurm)
    made = {
        "/etc/munge/munge.key": FileSpec(key, 0o400, "munge"),
        "/etc/slurm/slurm.conf": FileSpec(_render("slurm.conf", values)),
        "/etc/slurm/cgroup.conf": FileSpec("CgroupPlugin=cgroup/v1\n"),
        "/etc/lmod/modulespath": FileSpec(f"{slurm.modulefiles}\n"),
        "/etc/sysusers.d/slurm-jobs.conf": FileSpec(_render("sysusers.conf", values)),
        "/etc/tmpfiles.d/slurm.conf": FileSpec(_render("tmpfiles.conf", values)),
        "/etc/systemd/system/slurm-node.service": FileSpec(_render("slurm-node.service", values)),
    }
    if node in slurm.controllers:
        drop_ins = "/etc/systemd/system/slurmctld.service.d"
        made[f"{drop_ins}/override.conf"] = FileSpec(f"[Service]\nPIDFile={slurm.pidfile}\n")
        made[f"{drop_ins}/waits.conf"] = FileSpec(_render("waits.conf", values))
    if node in slurm.compute:  # while it tries to register with controllers that are away, it hears no SIGTERM for 90 s
        made["/etc/systemd/system/slurmd.service.d/stop.conf"] = FileSpec("[Service]\nTimeoutStopSec=10\n")
    if slurm.accounting and node == slurm.accounting.node:
        made["/etc/slurm/slurmdbd.conf"] = FileSpec(_render("slurmdbd.conf", values), 0o600, "slurm")
        made["/etc/slurm/accounting.sql"] = FileSpec(_render("accounting.sql", values))
        made["/etc/mysql/mariadb.conf.d/70-accounting.cnf"] = FileSpec(_render("accounting.cnf", values))
        made["/etc/systemd/system/slurmdbd.service.d/waits.conf"] = FileSpec(_render("waits.conf", values))
    return made


def _values(bed: Bed, slurm: Slurm) -> dict[str, Any]:
    """What templates speak of: the section, addresses, budgets in seconds, and the machine's own size for defaults."""
    budgets = {name: round(value.total_seconds()) for name, value in bed.budgets.items()}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20) - _SPARE_MB
    return {
        "slurm": slurm,
        "address": {name: bed.nodes[name].oobi for name in slurm.nodes},
        "takeover": budgets.get("slurm_takeover", _TAKEOVER_S),
        "node_lost": budgets.get("slurm_node_lost", _NODE_LOST_S),
        "cpus": {name: node.cpus or os.cpu_count() for name, node in slurm.compute.items()},
        "memory": {name: node.memory or memory for name, node in slurm.compute.items()},
        "uid": _JOB_UID,
    }


def modules(slurm: Slurm) -> dict[str, str]:
    """The module files in what the nodes share, by path; OpenMPI is the package of the root file system."""
    texts = {}
    for name in slurm.modules:
        template = "OpenMPI.lua" if name.partition("/")[0] == "OpenMPI" else "module.lua"
        path = PurePosixPath(slurm.modulefiles, name)
        texts[f"{path}.lua"] = _render(template, {"name": name})
    return texts


def _account(bed: Bed, slurm: Slurm, deadline: float) -> None:
    """Who may submit jobs, and how large, as soon as the controller has made its cluster known to accounting."""
    assert slurm.accounting is not None

    def sacctmgr(*arguments: str) -> tuple[int, str]:
        done = _run(bed, slurm.accounting.node, "sacctmgr", "--immediate", *arguments)  # type: ignore[union-attr]
        return done.returncode, done.stdout + done.stderr

    def shown(*what: str) -> list[str]:
        return sacctmgr("--noheader", "--parsable2", "show", *what)[1].split("\n")

    def in_touch() -> bool:
        known = dict(line.partition("|")[::2] for line in shown("cluster", "format=cluster,controlhost"))
        return bool(known.get(slurm.cluster))

    def lacking(show: list[str], name: str, add: list[str]) -> str:
        """Empty once it is there."""
        code, said = (0, "") if name in shown(*show) else sacctmgr(*add)
        if code not in (0, _NO_END):
            raise LabError(f"sacctmgr {' '.join(add)}: {said.strip()}", remedy=f"python -m lab logs {slurm.submit}")
        return said.strip() if code else ""

    _await(lambda: "" if sacctmgr("--noheader", "show", "cluster")[0] == 0 else "slurmdbd does not answer", deadline)
    _await(lambda: _silent(bed, slurm), deadline)
    if not in_touch():  # a controller with a state begins without accounting too, and never tells it where it is
        _run(bed, slurm.controllers[0], "systemctl", "restart", "slurmctld", limit=60)
    _await(lambda: "" if in_touch() else "accounting does not know where the controller is", deadline)
    if not (slurm.jobs and slurm.jobs.account):
        return
    user, account, of_cluster = slurm.jobs.user, slurm.jobs.account, f"cluster={slurm.cluster}"
    limit = [f"MaxTRESPerJob=cpu={slurm.jobs.most_cpus}"] if slurm.jobs.most_cpus else []
    wanted = (
        (["account", "format=account"], account, ["add", "account", account, of_cluster, *limit]),
        (["user", "format=user"], user, ["add", "user", user, f"account={account}", of_cluster]),
    )
    for show, name, add in wanted:
        _await(partial(lacking, show, name, add), deadline)


def _unready(bed: Bed, slurm: Slurm) -> str:
    """What is not yet as it must be: controllers up and all compute nodes idle; empty where all is well."""
    if said := _silent(bed, slurm):
        return said
    told = _run(bed, slurm.submit, "sinfo", "--json").stdout
    try:
        nodes = json.loads(told)["nodes"]
    except (ValueError, KeyError):
        return "sinfo gives no JSON"
    other = [f"{n['name']} {n['state']} {n['state_flags']}" for n in nodes if n["state"] != "idle" or n["state_flags"]]
    return ", ".join(other) if nodes else "no node"


def _silent(bed: Bed, slurm: Slurm) -> str:
    """Which controllers are not up; empty where all are."""
    ping = _run(bed, slurm.submit, "scontrol", "ping").stdout
    return "" if ping.count(" is UP") == len(slurm.controllers) else ping.strip() or "no controller answers"


def _run(bed: Bed, node: str, *argv: str, limit: float = 15) -> subprocess.CompletedProcess[str]:
    """What a program of Slurm says on a node; one that does not end in `limit` seconds has yet to be asked again."""
    try:
        return machine.run(bed.bed, node, argv, timeout=limit)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, _NO_END, "", f"{argv[0]}: no end within {limit:g} s")


def _await(lacking: Callable[[], str], deadline: float) -> None:
    while said := lacking():
        if time.monotonic() > deadline:
            raise LabError(f"Slurm did not come up in time: {said}", remedy="python -m lab logs NODE")
        time.sleep(_ASKED_EVERY)


def _render(template: str, values: Mapping[str, Any]) -> str:
    return templates.render(Path(__file__).parent, template, values)
