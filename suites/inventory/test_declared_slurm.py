"""The bed file asks nothing of Slurm that it cannot do. No bed is needed to know."""

from __future__ import annotations

from plumbline.bed.consistency import cases
from plumbline.bed.consistency.found import Contradiction
from plumbline.check import check, for_each, found


@check(
    "inventory.partition-without-slurmd",
    severity="critical",
    remedy="declare the node under slurm.compute, or take it out of the partition {name}",
    consequence="jobs of {name} wait for a node that never comes",
    source="seed 001, fact 112 (L10058-10062)",
)
@for_each("partition", cases.partitions)
def test_a_partition_has_compute_nodes_only(partition: str, contradiction: Contradiction) -> None:
    """Every node of a partition is a compute node."""
    wrong = contradiction("partition-without-slurmd", partition)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.default-partition",
    severity="major",
    remedy="give one partition default: true",
    consequence="jobs that name no partition are refused, or it is chance where they go",
    source="seed 001, fact 110 (L6694-6697)",
)
@for_each("subject", cases.slurm_as("partitions"))
def test_there_is_one_default_partition(subject: str, contradiction: Contradiction) -> None:
    """Exactly one partition is the default one."""
    wrong = contradiction("default-partition", subject)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.job-size",
    severity="major",
    remedy="make the size {name} smaller, or a node larger",
    consequence="jobs of the size {name} never start",
    source="seed 001, S25 (L10625-10642)",
)
@for_each("size", cases.job_sizes)
def test_nodes_have_room_for_a_size(size: str, contradiction: Contradiction) -> None:
    """The default partition has enough nodes with room for the size."""
    wrong = contradiction("job-size", size)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.slurm-backup",
    severity="major",
    remedy="declare a second node under slurm.controllers",
    consequence="one dead node stops all jobs",
    source="seed 001, fact 115 (L6690)",
)
@for_each("subject", cases.slurm_as("controllers"))
def test_slurm_has_a_backup_controller(subject: str, contradiction: Contradiction) -> None:
    """There are two controllers or more."""
    wrong = contradiction("slurm-backup", subject)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.slurm-state",
    severity="critical",
    remedy="put slurm.state below slurm.base",
    consequence="the backup takes over without jobs",
    source="seed 001, fact 115 (L6690)",
)
@for_each("subject", cases.slurm_as("state"))
def test_the_state_lies_where_controllers_share_it(subject: str, contradiction: Contradiction) -> None:
    """The state of controllers lies below what all nodes share."""
    wrong = contradiction("slurm-state", subject)

    assert not wrong, found(wrong.found, expected=wrong.expected)
