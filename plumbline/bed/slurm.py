"""Slurm: its controllers and compute nodes, partitions, accounting, and the jobs by which a gate tries it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from plumbline.bed.types import Count, Duration, Name, Port, Strict

Nodes = Annotated[tuple[Name, ...], Field(min_length=1)]
Folder = Annotated[str, Field(pattern=r"^(/[\w.-]+)+$")]


class ComputeNode(Strict):
    """What Slurm offers of one node (seed 001, fact 111)."""

    cpus: Count | None = Field(default=None, description="by default as many as the machine has")
    memory: Count | None = Field(default=None, description="RealMemory in MB; by default what the machine has")


class Partition(Strict):
    """A queue, and the nodes behind it (seed 001, fact 110)."""

    on: Nodes
    default: bool = False
    longest: Duration | None = Field(default=None, description="the longest that a job may run; by default for ever")


class Accounting(Strict):
    """Where jobs are written down, and who may submit any: slurmdbd on a database of its own."""

    node: Name
    port: Port = 6819
    database: Name = Field(default="mariadb", description="the unit of the database, on the same node")


class MpiJob(Strict):
    """A program in several processes that talk to each other across nodes (seed 001, fact 121)."""

    nodes: Count = 2
    tasks: Count = 2
    module: str = Field(default="OpenMPI", description="the module that brings mpirun")


class Jobs(Strict):
    """The tiny jobs that a gate submits, and as whom."""

    user: Name = Field(description="who submits them: a user of every node, with no other rights")
    account: Name | None = Field(default=None, description="the account that they are charged to")
    most_cpus: Count | None = Field(
        default=None, description="the most CPUs that a job of the account may have; one that asks for more has to wait"
    )
    array: Count = Field(default=3, description="number of tasks of the job array")
    mpi: MpiJob | None = None
    limit: Duration = Field(description="how long all of them together may take")


class JobSize(Strict):
    """A size that users ask for, such as a label of a workflow engine (seed 001, S25): some node must have room."""

    cpus: Count = 1
    memory: Count = Field(description="in MB, on one node")
    nodes: Count = 1


class Slurm(Strict):
    """A Slurm cluster (seed 001, facts 110-123)."""

    cluster: Name = Field(description="ClusterName")
    version: str | None = Field(default=None, description="of all daemons, or how it begins, such as 22.05")
    controllers: Nodes = Field(description="nodes with slurmctld; the first is the primary, the others its backups")
    compute: dict[Name, ComputeNode] = Field(min_length=1, description="nodes with slurmd")
    partitions: dict[Name, Partition] = Field(min_length=1)
    accounting: Accounting | None = None
    submit: Name = Field(description="the node from which a gate asks and submits")
    base: Folder = Field(default="/mnt/nfs/slurm", description="what all its nodes share")
    state: Folder = Field(default="/mnt/nfs/slurm/state", description="StateSaveLocation, which controllers share")
    modulefiles: Folder = "/mnt/nfs/slurm/apps/modulefiles"
    modules: tuple[str, ...] = Field(default=(), description="modules that every compute node can load (Lmod)")
    pidfile: Folder = Field(default="/var/run/slurm/slurmctld.pid", description="SlurmctldPidFile (seed 001, fact 114)")
    port: Port = Field(default=6817, description="of slurmctld")
    node_port: Port = Field(default=6818, description="of slurmd")
    jobs: Jobs | None = None
    sizes: dict[Name, JobSize] = Field(default={})

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes that have a part in it, each once: all of them have munge and the configuration."""
        accounting = (self.accounting.node,) if self.accounting else ()
        return tuple(dict.fromkeys((*self.controllers, *self.compute, *accounting, self.submit)))

    @property
    def default_partition(self) -> str:
        """The partition of jobs that name none; empty where there is none."""
        return next((name for name, partition in self.partitions.items() if partition.default), "")

    def units(self, node: str) -> tuple[str, ...]:
        """The units that must run on a node; none where it has no part in Slurm."""
        if node not in self.nodes:
            return ()
        kept = self.accounting is not None and self.accounting.node == node
        database = (self.accounting.database, "slurmdbd") if self.accounting and kept else ()
        controller = ("slurmctld",) if node in self.controllers else ()
        return ("munge", *database, *controller, *(("slurmd",) if node in self.compute else ()))


UNITS = ("munge", "slurmctld", "slurmd", "slurmdbd")
"""What must run nowhere but where it is declared (seed 001, facts 112 and 114)."""
