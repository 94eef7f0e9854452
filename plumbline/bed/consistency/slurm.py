"""Rules about Slurm: partitions on nodes that can run jobs, one default, room for what users ask for, a real backup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from plumbline.bed.consistency.found import Inconsistency
from plumbline.bed.model import Bed


def partition_without_slurmd(bed: Bed) -> Iterator[Inconsistency]:
    """Every node of a partition is a compute node."""
    for name, partition in bed.slurm.partitions.items() if bed.slurm else ():
        missing = [node for node in partition.on if bed.slurm and node not in bed.slurm.compute]
        if missing:
            yield Inconsistency(
                "partition-without-slurmd",
                f"slurm-partition:{name}",
                bed.where(f"slurm.partitions.{name}.on"),
                "nodes of slurm.compute",
                ", ".join(missing),
                f"declare it under slurm.compute, or take it out of slurm.partitions.{name}.on",
            )


def default_partition(bed: Bed) -> Iterator[Inconsistency]:
    """Exactly one partition is the default one."""
    if bed.slurm is None:
        return
    defaults = [name for name, partition in bed.slurm.partitions.items() if partition.default]
    if len(defaults) != 1:
        yield Inconsistency(
            "default-partition",
            "slurm:partitions",
            bed.where("slurm.partitions"),
            "one default partition",
            " and ".join(defaults) or "none",
            "give one of them default: true",
        )


def job_size(bed: Bed) -> Iterator[Inconsistency]:
    """For each size there are enough nodes of the default partition that have room, as far as that is declared."""
    if bed.slurm is None:
        return
    slurm = bed.slurm
    default = slurm.partitions.get(slurm.default_partition)
    nodes = [slurm.compute[n] for n in (default.on if default else slurm.compute) if n in slurm.compute]
    for name, size in slurm.sizes.items():
        room = [
            n
            for n in nodes
            if (n.memory is None or n.memory >= size.memory) and (n.cpus is None or n.cpus >= size.cpus)
        ]
        if len(room) < size.nodes:
            largest = max((n.memory or 0 for n in nodes), default=0)
            yield Inconsistency(
                "job-size",
                f"slurm-size:{name}",
                bed.where(f"slurm.sizes.{name}"),
                f"{size.nodes} nodes with {size.cpus} CPUs and {size.memory} MB",
                f"{len(room)}; the largest has {largest} MB",
                f"change slurm.sizes.{name}, or the nodes",
            )


def slurm_backup(bed: Bed) -> Iterator[Inconsistency]:
    """Slurm has a second controller that can take over."""
    if bed.slurm and len(bed.slurm.controllers) < 2:
        yield Inconsistency(
            "slurm-backup",
            "slurm:controllers",
            bed.where("slurm.controllers"),
            "two controllers or more",
            ", ".join(bed.slurm.controllers),
            "declare a backup",
        )


def slurm_state(bed: Bed) -> Iterator[Inconsistency]:
    """Where there is a backup, the state lies below what all nodes share."""
    if bed.slurm is None or len(bed.slurm.controllers) < 2:
        return
    if not PurePosixPath(bed.slurm.state).is_relative_to(bed.slurm.base):
        yield Inconsistency(
            "slurm-state",
            "slurm:state",
            bed.where("slurm.state"),
            f"a folder below {bed.slurm.base}",
            bed.slurm.state,
            "put slurm.state below slurm.base",
        )
