"""The controllers answer and are up, their nodes are as they should be, and so are partitions."""

from __future__ import annotations

import datetime as dt

from plumbline.bed.model import ComputeNode, Partition, Slurm
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.slurm import SlurmFacts
from plumbline.outcome import Unknown
from plumbline.release import is_of
from plumbline.subjects import Thing
from suites.slurm import cases

_LEAST = 0.9
"""Of a machine whose memory is not declared, the part that Slurm must know of at least."""


@check(
    "slurm.answers",
    severity="critical",
    remedy="scontrol ping; on the controllers: systemctl status slurmctld; journalctl -u slurmctld -n 50",
    consequence="no job can be submitted, none is started",
    source="seed 001, fact 115 (L6690)",
)
@for_each("cluster", cases.cluster("slurm:cluster"))
def test_a_controller_answers(cluster: str, slurm: SlurmFacts) -> None:
    """A controller answers all questions within the budget; Slurm itself would wait for much longer."""
    assert not slurm.silence, found(slurm.silence, expected="an answer in time")


@check(
    "slurm.controller",
    severity="critical",
    remedy="on {name}: systemctl status slurmctld; journalctl -u slurmctld -n 50; scontrol ping",
    consequence="the cluster is one failure away from standing still, or stands still",
    source="seed 001, fact 115 (L6690)",
)
@for_each("node", cases.controllers("slurm-controller"))
def test_a_controller_is_up(node: str, slurm: SlurmFacts) -> None:
    """`scontrol ping` says that this controller, primary or backup, is up."""
    state = slurm.controllers.get(node, "not a controller")

    assert state == "UP", found(state, expected="UP")


@check(
    "slurm.nodes",
    severity="major",
    remedy="compare NodeName lines of slurm.conf with slurm.compute of the bed file; scontrol reconfigure",
    consequence="jobs run where they should not, or a node stays idle for ever",
    source="seed 001, facts 110 and 112 (L6694-6697, L10058-10062)",
)
@for_each("cluster", cases.cluster("slurm:nodes"))
def test_slurm_knows_the_declared_nodes(cluster: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """The nodes that Slurm knows are those that are declared, and no others."""
    assert set(slurm.nodes) == set(declared.compute), found(sorted(slurm.nodes), expected=sorted(declared.compute))


@check(
    "slurm.real-memory",
    severity="critical",
    remedy="NodeName={name} RealMemory= in slurm.conf: no more than slurmd -C says there; scontrol reconfigure",
    consequence="Slurm calls {name} inval and starts nothing there, or jobs are killed for want of memory",
    source="seed 001, F37 and fact 111 (L10015, L10048-10054)",
)
@for_each("node", cases.compute("slurm-memory"))
def test_no_more_memory_is_promised_than_there_is(node: Thing[ComputeNode], slurm: SlurmFacts, facts: Facts) -> None:
    """RealMemory is as declared, and no more than the machine has."""
    promised, real = slurm.node(node.name).memory, facts.node(node.name).memory_bytes >> 20
    least, most = node.spec.memory or _LEAST * real, node.spec.memory or real

    assert promised <= real, found(f"RealMemory={promised} MB of {real} MB", expected=f"{real} MB at most")
    assert least <= promised <= most, found(f"RealMemory={promised} MB", expected=f"{least:.0f} to {most:.0f} MB")


@check(
    "slurm.cpus",
    severity="major",
    remedy="NodeName={name} CPUs= in slurm.conf: as nproc says there; scontrol reconfigure",
    consequence="most of {name} is never used, or it is used twice",
    source="seed 001, S26 and fact 111 (L6700, L10233)",
)
@for_each("node", cases.compute("slurm-cpus"))
def test_all_processors_are_offered(node: Thing[ComputeNode], slurm: SlurmFacts, facts: Facts) -> None:
    """Slurm offers as many CPUs as are declared, or as the machine has."""
    wanted = node.spec.cpus or facts.node(node.name).processors
    cpus = slurm.node(node.name).cpus

    assert cpus == wanted, found(f"CPUTot={cpus}", expected=wanted)


@check(
    "slurm.node-registered",
    severity="critical",
    remedy="scontrol show node {name}; its Reason says what differs; on {name}: slurmd -C",
    consequence="nothing is started on {name}",
    source="seed 001, F37 (L10015)",
)
@for_each("node", cases.compute("slurm-registered"))
def test_a_node_has_what_its_configuration_says(node: Thing[ComputeNode], slurm: SlurmFacts) -> None:
    """Slurm does not call the node `inval`."""
    state = slurm.node(node.name)

    assert state.registered, found(state, expected="a valid registration")


@check(
    "slurm.node",
    severity="critical",
    remedy="on {name}: systemctl status slurmd munge; journalctl -u slurmd -n 50; scontrol show node {name}",
    consequence="nothing is started on {name}; what ran there is lost",
    source="seed 001, facts 110 and 111 (L6694-6697, L10127)",
)
@for_each("node", cases.compute("slurm-node"))
def test_a_node_is_up(node: Thing[ComputeNode], slurm: SlurmFacts) -> None:
    """The node answers its controller, and is idle or at work."""
    state = slurm.node(node.name)

    assert state.up, found(state, expected="IDLE, MIXED or ALLOCATED")


@check(
    "slurm.node-drained",
    severity="major",
    remedy="scontrol show node {name}: who drained it, and why; then scontrol update nodename={name} state=resume",
    consequence="{name} is kept free of jobs until somebody remembers it",
    source="seed 001, fact 111 (L10048-10054)",
)
@for_each("node", cases.compute("slurm-drain"))
def test_a_node_is_not_drained(node: Thing[ComputeNode], slurm: SlurmFacts) -> None:
    """The node takes new jobs."""
    state = slurm.node(node.name)

    assert not state.drained, found(state, expected="a node that takes jobs")


@check(
    "slurm.version",
    severity="minor",
    remedy="apt-cache policy slurmd on {name}; Slurm's daemons must not be more than two releases apart",
    consequence="{name} does not understand its controller, or is not what was tested",
    source="seed 001, chapter 032 (L6705: Version=22.05.8)",
)
@for_each("node", cases.versioned)
def test_a_node_has_the_declared_version(node: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """slurmd has the declared version."""
    version, wanted = slurm.node(node).version, str(declared.version)
    if not version:
        raise Unknown("the node has told the controller none", cause=f"slurm-node:{node}")

    assert is_of(version, wanted), found(version, expected=wanted)


@check(
    "slurm.partition",
    severity="critical",
    remedy="scontrol show partition {name}; scontrol update partitionname={name} state=up",
    consequence="jobs of {name} wait for ever",
    source="seed 001, fact 110 (L6694-6697)",
)
@for_each("partition", cases.partitions("slurm-partition"))
def test_a_partition_is_up(partition: Thing[Partition], slurm: SlurmFacts) -> None:
    """The partition is there, and UP."""
    seen = slurm.partitions.get(partition.name)
    state = seen.state if seen else "there is none"

    assert state == "UP", found(state, expected="UP")


@check(
    "slurm.partition-nodes",
    severity="major",
    remedy="PartitionName={name} Nodes= in slurm.conf; scontrol reconfigure",
    consequence="jobs of {name} have more or fewer nodes than they were promised",
    source="seed 001, fact 110 (L6694-6697)",
)
@for_each("partition", cases.partitions("slurm-partition-nodes"))
def test_a_partition_has_its_nodes(partition: Thing[Partition], slurm: SlurmFacts) -> None:
    """The partition has the declared nodes."""
    nodes = slurm.partition(partition.name).nodes

    assert set(nodes) == set(partition.spec.on), found(sorted(nodes), expected=sorted(partition.spec.on))


@check(
    "slurm.partition-default",
    severity="major",
    remedy="PartitionName={name} Default= in slurm.conf; scontrol update partitionname={name} default=",
    consequence="a job that names no partition is refused, or goes to the wrong one",
    source="seed 001, fact 110 (L6694-6697)",
)
@for_each("partition", cases.partitions("slurm-partition-default"))
def test_the_default_partition_is_the_declared_one(partition: Thing[Partition], slurm: SlurmFacts) -> None:
    """The partition is the default one, or is not, as declared."""
    default = slurm.partition(partition.name).default

    assert default == partition.spec.default, found(f"Default={default}", expected=f"Default={partition.spec.default}")


@check(
    "slurm.partition-time",
    severity="minor",
    remedy="PartitionName={name} MaxTime= in slurm.conf; scontrol update partitionname={name} maxtime=",
    consequence="long jobs are refused or cut off, or block {name} for ever",
    source="seed 001, fact 110 (L6694-6697)",
)
@for_each("partition", cases.partitions("slurm-partition-time"))
def test_a_partition_lets_jobs_run_as_long_as_declared(partition: Thing[Partition], slurm: SlurmFacts) -> None:
    """The longest time of a job is as declared; without a limit where none is."""
    seen, wanted = slurm.partition(partition.name).longest, _written(partition.spec.longest)

    assert seen == wanted, found(f"MaxTime={seen}", expected=wanted)


def _written(longest: dt.timedelta | None) -> str:
    """A time as Slurm writes it: [days-]hours:minutes:seconds."""
    if longest is None:
        return "UNLIMITED"
    days, rest = divmod(round(longest.total_seconds()), 86400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock}" if days else clock
