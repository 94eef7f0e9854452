"""What this suite asks of Slurm: its nodes, daemons, credentials, partitions and jobs."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.bed import Bed
from plumbline.bed.model import ComputeNode, Partition
from plumbline.bed.slurm import UNITS
from plumbline.check import Case, Cases
from plumbline.collect import slurm_jobs
from plumbline.subjects import Thing, case


@dataclass(frozen=True)
class Unit:
    """A unit that must run on a node."""

    node: str
    name: str


@dataclass(frozen=True)
class Pair:
    """Two nodes: a credential is made on one and read on the other."""

    source: str
    target: str


@dataclass(frozen=True)
class Module:
    """A module that must load on a node."""

    node: str
    name: str


@dataclass(frozen=True)
class Timeout:
    """A time-out of Slurm's that a budget of the bed file bounds, in seconds."""

    setting: str
    most_s: float


def nodes(kind: str) -> Cases:
    """Every node that has a part in Slurm: its name; subject KIND:NODE."""

    def cases(bed: Bed) -> list[Case]:
        return [_of_node(bed, kind, node) for node in (bed.slurm.nodes if bed.slurm else ())]

    return cases


def others(kind: str) -> Cases:
    """Those of them but the first controller, whose key and configuration is the measure: its name."""

    def cases(bed: Bed) -> list[Case]:
        if bed.slurm is None:
            return []
        return [_of_node(bed, kind, node) for node in bed.slurm.nodes if node != bed.slurm.controllers[0]]

    return cases


def controllers(kind: str) -> Cases:
    """Each node with slurmctld: its name."""

    def cases(bed: Bed) -> list[Case]:
        return [_of_node(bed, kind, node) for node in (bed.slurm.controllers if bed.slurm else ())]

    return cases


def backups(kind: str) -> Cases:
    """Each node with a slurmctld that waits to take over: its name."""

    def cases(bed: Bed) -> list[Case]:
        return [_of_node(bed, kind, node) for node in (bed.slurm.controllers[1:] if bed.slurm else ())]

    return cases


def compute(kind: str) -> Cases:
    """Each node with slurmd: Thing[ComputeNode]."""

    def cases(bed: Bed) -> list[Case]:
        declared: dict[str, ComputeNode] = bed.slurm.compute if bed.slurm else {}
        return [
            case(bed, f"{kind}:{name}", Thing(name, spec), where=f"slurm.compute.{name}")
            for name, spec in declared.items()
        ]

    return cases


def _of_node(bed: Bed, kind: str, node: str) -> Case:
    return case(bed, f"{kind}:{node}", node, where="slurm", also=[f"node:{node}"])


def units(kind: str) -> Cases:
    """Each unit that must run: Unit; subject KIND:NODE/UNIT."""

    def cases(bed: Bed) -> list[Case]:
        if bed.slurm is None:
            return []
        return [
            case(bed, f"{kind}:{node}/{unit}", Unit(node, unit), id=f"{node} {unit}", where="slurm")
            for node in bed.slurm.nodes
            for unit in bed.slurm.units(node)
        ]

    return cases


def absent(bed: Bed) -> list[Case]:
    """Each node that can be logged in to, and what of Slurm must not run there: (node, units)."""
    if bed.slurm is None:
        return []
    return [
        case(bed, f"slurm-absent:{node}", (node, wrong), id=node, where="slurm", also=[f"node:{node}"])
        for node, spec in bed.nodes.items()
        if spec.ssh and (wrong := tuple(unit for unit in UNITS if unit not in bed.slurm.units(node)))
    ]


def pairs(bed: Bed) -> list[Case]:
    """Each ordered pair of Slurm's nodes: Pair."""
    names = bed.slurm.nodes if bed.slurm else ()
    return [
        case(bed, f"credential:{a}>{b}", Pair(a, b), id=f"{a} to {b}", where="slurm")
        for a in names
        for b in names
        if a != b
    ]


def clocks(bed: Bed) -> list[Case]:
    """Each of Slurm's nodes but the one from which the gate asks, where a budget says how far clocks may be apart."""
    if bed.slurm is None or "munge_clock" not in bed.budgets:
        return []
    return [
        case(bed, f"munge-clock:{node}", node, where="budgets.munge_clock")
        for node in bed.slurm.nodes
        if node != bed.slurm.submit
    ]


def timeouts(bed: Bed) -> list[Case]:
    """Each time-out of Slurm's for which there is a budget: Timeout."""
    wanted = {"slurm_takeover": ("takeover", "SlurmctldTimeout"), "slurm_node_lost": ("node-lost", "SlurmdTimeout")}
    if bed.slurm is None:
        return []
    return [
        case(
            bed,
            f"slurm-setting:{name}",
            Timeout(setting, bed.budgets[budget].total_seconds()),
            where=f"budgets.{budget}",
        )
        for budget, (name, setting) in wanted.items()
        if budget in bed.budgets
    ]


def modules(bed: Bed) -> list[Case]:
    """Each declared module on each compute node: Module."""
    if bed.slurm is None or bed.slurm.jobs is None:
        return []
    return [
        case(bed, f"slurm-module:{node}/{name}", Module(node, name), id=f"{node} {name}", where="slurm.modules")
        for node in bed.slurm.compute
        for name in bed.slurm.modules
    ]


def partitions(kind: str) -> Cases:
    """Each partition: Thing[Partition]."""

    def cases(bed: Bed) -> list[Case]:
        declared: dict[str, Partition] = bed.slurm.partitions if bed.slurm else {}
        return [
            case(bed, f"{kind}:{name}", Thing(name, spec), where=f"slurm.partitions.{name}")
            for name, spec in declared.items()
        ]

    return cases


def cluster(subject: str) -> Cases:
    """The cluster as one thing: its name."""

    def cases(bed: Bed) -> list[Case]:
        return [case(bed, subject, bed.slurm.cluster, where="slurm")] if bed.slurm else []

    return cases


def versioned(bed: Bed) -> list[Case]:
    """Where a version is declared, each compute node: its name."""
    if bed.slurm is None or bed.slurm.version is None:
        return []
    return [case(bed, f"slurm-version:{node}", node, where="slurm.version") for node in bed.slurm.compute]


def accounting(subject: str) -> Cases:
    """Accounting, where the bed has it: the name of the cluster."""

    def cases(bed: Bed) -> list[Case]:
        kept = bed.slurm is not None and bed.slurm.accounting is not None
        return [case(bed, subject, bed.slurm.cluster, where="slurm.accounting")] if bed.slurm and kept else []

    return cases


def associations(bed: Bed) -> list[Case]:
    """The user of jobs, where accounting says who may submit any: (user, account)."""
    if bed.slurm is None or not (bed.slurm.accounting and bed.slurm.jobs and bed.slurm.jobs.account):
        return []
    user, account = bed.slurm.jobs.user, bed.slurm.jobs.account
    return [case(bed, f"slurm-association:{user}", (user, account), id=user, where="slurm.jobs.user")]


def limits(bed: Bed) -> list[Case]:
    """The account of jobs, where it has a limit: (account, the limit as accounting writes it)."""
    jobs = bed.slurm.jobs if bed.slurm and bed.slurm.accounting else None
    if jobs is None or not (jobs.account and jobs.most_cpus):
        return []
    value = (jobs.account, f"cpu={jobs.most_cpus}")
    return [case(bed, f"slurm-limit:{jobs.account}", value, id=jobs.account, where="slurm.jobs.most_cpus")]


def jobs(kind: str) -> Cases:
    """Each job that must end well: its name; subject KIND:JOB. Records only where there is accounting."""

    def cases(bed: Bed) -> list[Case]:
        if bed.slurm is None or bed.slurm.jobs is None or (kind == "slurm-record" and bed.slurm.accounting is None):
            return []
        return [case(bed, f"{kind}:{name}", name, where="slurm.jobs") for name in slurm_jobs.names(bed.slurm)]

    return cases


def hindered(name: str) -> Cases:
    """A job that must not run, where the bed can show it: its name."""

    def cases(bed: Bed) -> list[Case]:
        if bed.slurm is None or bed.slurm.jobs is None or name not in slurm_jobs.hindered(bed.slurm):
            return []
        return [case(bed, f"slurm-job:{name}", name, where="slurm.jobs")]

    return cases


def sizes(bed: Bed) -> list[Case]:
    """Each size that users ask for: its name."""
    if bed.slurm is None or bed.slurm.jobs is None:
        return []
    return [case(bed, f"slurm-size:{name}", name, where=f"slurm.sizes.{name}") for name in bed.slurm.sizes]
