"""The services outside the cluster that are asked over their own API, each into a source of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from plumbline.bed import Bed
from plumbline.collect import consul, slurm, vault
from plumbline.collect.access import Access
from plumbline.facts.source import Source

Ask = Callable[[Bed, Access, bool, float], Source]
"""(bed, access, active, patience): whether it may also write and delete a key; how many times longer to wait."""


@dataclass(frozen=True)
class Service:
    """A source NAME.json, which is asked for where the bed declares such a service."""

    name: str
    declared: Callable[[Bed], bool]
    ask: Ask
    libraries: tuple[str, ...] = ()
    """What asking it imports, and is too slow to import for a bed without it."""


SERVICES: tuple[Service, ...] = (
    Service("consul", lambda bed: bed.consul is not None, consul.collect, ("requests", "consul")),
    Service(vault.NAME, vault.declared, vault.ask, ("requests", "hvac")),
    Service("slurm", lambda bed: bed.slurm is not None, slurm.ask),
    Service("slurm-jobs", lambda bed: bed.slurm is not None and bed.slurm.jobs is not None, slurm.ask_jobs),
)
