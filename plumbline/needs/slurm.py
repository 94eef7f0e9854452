"""Slurm: what stands on munge, on what its nodes share, on its controllers, nodes and accounting.

From the ground up: a node and its munge; the daemons; credentials between nodes; the controllers' answer; the nodes as
the controllers know them; accounting; jobs, on all of these.
"""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed import Bed
from plumbline.bed.model import Slurm
from plumbline.needs.parts import Parts

CLUSTER, ACCOUNTING, JOBS = "slurm:cluster", "slurm:accounting", "slurm:jobs"


def slurm(bed: Bed) -> Parts:
    if bed.slurm is None:
        return
    declared = bed.slurm
    for node in declared.nodes:
        yield from _node(declared, node)
    yield from _controllers(declared)
    yield from _compute(declared)
    yield from _accounting(declared)
    if declared.jobs:
        yield from _jobs(declared)


def _node(declared: Slurm, node: str) -> Parts:
    own = f"node:{node}"
    munge = f"munge:{node}"
    yield f"munge-key-mode:{node}", [own]
    yield f"munge-key:{node}", [own]
    yield f"slurm-unit:{node}/munge", [own, f"munge-key-mode:{node}"]
    yield munge, [f"slurm-unit:{node}/munge"]
    yield f"slurm-config:{node}", [own]
    yield f"slurm-base:{node}", [own]
    for unit in declared.units(node):
        yield f"slurm-unit:{node}/{unit}", [own]
        yield f"slurm-enabled:{node}/{unit}", [own]
        if unit.startswith("slurm"):
            yield f"slurm-unit:{node}/{unit}", [munge]
        yield f"setting:{node}/failed-units", [f"slurm-unit:{node}/{unit}"]
    if "slurmdbd" in declared.units(node) and declared.accounting:
        yield f"slurm-unit:{node}/slurmdbd", [f"slurm-unit:{node}/{declared.accounting.database}"]
    yield f"munge-clock:{node}", [munge, *_trusted(declared.submit, node)]
    for other in declared.nodes:
        if other != node:
            clocks = [f"munge-clock:{end}" for end in (node, other) if end != declared.submit]
            yield f"credential:{node}>{other}", [*_trusted(node, other), *clocks]
    for module in declared.modules:
        yield f"slurm-module:{node}/{module}", [own, f"slurm-base:{node}"]


def _trusted(one: str, other: str) -> list[str]:
    """What a credential from one node on another stands on."""
    ends = dict.fromkeys((one, other))
    return [f"{kind}:{end}" for end in ends for kind in ("munge-key", "munge")]


def _between(one: str, others: tuple[str, ...]) -> Iterator[str]:
    """The ways by which a node is known to others: its key, its clock, and credentials both ways."""
    for other in others:
        for end in dict.fromkeys((one, other)):
            yield from (f"munge-key:{end}", f"munge:{end}", f"munge-clock:{end}")
        if other != one:
            yield from (f"credential:{one}>{other}", f"credential:{other}>{one}")


def _controllers(declared: Slurm) -> Parts:
    for node in declared.controllers:
        unit = f"slurm-unit:{node}/slurmctld"
        yield unit, [f"slurm-base:{node}", f"slurm-state:{node}", f"slurm-config:{node}"]
        yield f"slurm-state:{node}", [f"slurm-base:{node}"]
        yield f"slurm-pidfile:{node}", [unit]
        yield f"slurm-controller:{node}", [unit, *_between(node, (declared.submit,))]
        yield (
            f"slurm-heartbeat:{node}",
            [f"slurm-state:{node}", *(f"slurm-unit:{c}/slurmctld" for c in declared.controllers)],
        )
        yield CLUSTER, [f"slurm-controller:{node}"]
    for setting in ("takeover", "node-lost", "version"):
        yield f"slurm-setting:{setting}", [CLUSTER]


def _compute(declared: Slurm) -> Parts:
    yield "slurm:nodes", [CLUSTER]
    for node in declared.compute:
        unit = f"slurm-unit:{node}/slurmd"
        yield unit, [f"slurm-config:{node}"]
        for kind in ("slurm-memory", "slurm-cpus", "slurm-drain", "slurm-version"):
            yield f"{kind}:{node}", [CLUSTER, "slurm:nodes"]
        yield f"slurm-registered:{node}", [f"slurm-memory:{node}", f"slurm-cpus:{node}"]
        yield f"slurm-node:{node}", [unit, CLUSTER, *_between(node, declared.controllers), f"slurm-registered:{node}"]
        yield f"slurm-drain:{node}", [f"slurm-registered:{node}"]
    for name, partition in declared.partitions.items():
        yield f"slurm-partition:{name}", [CLUSTER]
        for kind in ("slurm-partition-nodes", "slurm-partition-default", "slurm-partition-time"):
            yield f"{kind}:{name}", [f"slurm-partition:{name}"]
        yield f"slurm-partition-nodes:{name}", ["slurm:nodes", *(f"slurm-node:{n}" for n in partition.on)]


def _accounting(declared: Slurm) -> Parts:
    if declared.accounting is None:
        return
    node = declared.accounting.node
    yield ACCOUNTING, [f"slurm-unit:{node}/slurmdbd", *_between(declared.submit, (node,))]
    yield "slurm:cluster-in-accounting", [ACCOUNTING, CLUSTER, *_between(declared.controllers[0], (node,))]
    if declared.jobs and declared.jobs.account:
        for told in (f"slurm-association:{declared.jobs.user}", f"slurm-limit:{declared.jobs.account}"):
            yield (
                told,
                [ACCOUNTING, "slurm:cluster-in-accounting"],
            )  # of changes a controller hears while it is in touch


def _jobs(declared: Slurm) -> Parts:
    """All jobs stand on a cluster with nodes; where accounting says who may submit, on that too."""
    assert declared.jobs is not None
    partition = declared.default_partition
    homes = declared.partitions[partition].on if partition else tuple(declared.compute)
    nodes = [f"{kind}:{n}" for n in homes for kind in ("slurm-node", "slurm-drain", "slurm-base", "slurm-unit")]
    nodes = [f"{n}/slurmd" if n.startswith("slurm-unit") else n for n in nodes]
    may = [f"slurm-association:{declared.jobs.user}"] if declared.accounting and declared.jobs.account else []
    by_default = f"slurm-partition-default:{partition}"
    ground = [
        CLUSTER,
        *([f"slurm-partition:{partition}", by_default] if partition else []),
        f"slurm-base:{declared.submit}",
    ]
    yield JOBS, [*ground, *_between(declared.submit, declared.controllers)]
    for name in ("single", "array", "mpi"):
        yield f"slurm-job:{name}", [JOBS, *nodes, *may]
        yield f"slurm-output:{name}", [f"slurm-job:{name}"]
        yield f"slurm-record:{name}", [f"slurm-job:{name}", "slurm:cluster-in-accounting", ACCOUNTING]
    if declared.jobs.mpi:
        yield "slurm-job:mpi", [f"slurm-module:{n}/{declared.jobs.mpi.module}" for n in homes]
    yield (
        "slurm-job:over",
        [
            JOBS,
            *nodes,
            *may,
            *(f"slurm-cpus:{n}" for n in homes),
            *([f"slurm-limit:{declared.jobs.account}"] if declared.jobs.account else []),
        ],
    )
    yield "slurm-job:too-large", [JOBS, *may]
    yield "slurm-job:stranger", [JOBS]
    for size in declared.sizes:
        yield f"slurm-size:{size}", [JOBS, *nodes, *may]
