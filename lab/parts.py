"""The services outside the cluster: parts of the lab that each know their files, programs, units and first steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from lab import consul, kwok, slurm, stepca, vault
from lab.disks import FileSpec
from lab.machine import Volume
from lab.pki import Pki
from lab.progress import Progress
from plumbline.bed import Bed


class Part(Protocol):
    """A module of the lab that realises one section of the bed file; each of these is a pure function of it."""

    def programs(self, bed: Bed) -> tuple[str, ...]:
        """Names of the programs that it needs, as `lab.programs` knows them; none where the bed has no such section."""

    def files(self, bed: Bed, pki: Pki, folder: Path) -> dict[str, dict[str, FileSpec]]:
        """Files by node and path. What is secret in them is made once and kept in `folder`, for root only."""

    def volumes(self, bed: Bed, binaries: Mapping[str, Path]) -> dict[str, dict[str, Volume]]:
        """What its nodes see of the host, by node and mount point: the programs."""

    def units(self, bed: Bed, node: str) -> tuple[str, ...]:
        """The units that a node starts at boot."""

    def settle(self, bed: Bed, pki: Pki, folder: Path, deadline: float, progress: Progress) -> dict[str, str]:
        """What can only be done when all nodes run: policies, users, databases; waits until the service is well.

        Returns by name of the service the path of a file in `folder`, for root only, with what the gate shows to it:
        a token with no more rights than its checks need. A second call changes nothing.
        """


PARTS: tuple[Part, ...] = (stepca, consul, vault, slurm, kwok)
