"""What load targets ask of a bed, held against what the bed has: another section that is missing, or says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed.errors import Problem
from plumbline.bed.model import Bed, Target
from plumbline.bed.throughput import AROUND, CONSUL, DNS, SLURM, VAULT
from plumbline.bed.tree import Tree

OUTSIDE = "oobi"
"""As consul.server names the addresses that are reached from outside of a node."""


def unanswered(bed: Bed, tree: Tree) -> Iterator[Problem]:
    """Targets that nothing in the bed could answer, or whose ratio is of nothing that is let past the inspection."""
    for name, target in bed.load.targets.items() if bed.load else ():
        at, lacks = f"load.targets.{name}", _lacking(bed, target)
        if lacks:
            yield Problem(tree.find(f"{at}.to").spot, f"{at}.to", lacks[0], lacks[1], lacks[2])
        if (spread := target.promise.spread) and spread.replicas > (most := _most(bed, target)):
            yield Problem(
                tree.find(f"{at}.promise.spread.replicas").spot, f"{at}.promise.spread.replicas",
                f"at most {most}, as many as {target.service} may have", str(spread.replicas), "mend one of the two",
            )  # fmt: skip
        if target.workers and bed.load and (bed.load.image is None or bed.kubernetes is None):
            yield Problem(
                tree.find(f"{at}.workers").spot, f"{at}.workers", "an image, and Kubernetes to run it",
                "no kubernetes" if bed.kubernetes is None else "no load.image",
                "add load.image: what locustfiles/Containerfile makes; or leave workers out",
            )  # fmt: skip
        if target.promise.ratio and bed.load:
            other = bed.load.targets[target.promise.ratio.of]
            if (inspected(bed, target), inspected(bed, other)) != (True, False):
                of = f"{at}.promise.ratio.of"
                yield Problem(
                    tree.find(of).spot, of, "an inspected target beside one that is not",
                    f"{_way(bed, target)} beside {_way(bed, other)}",
                    "name a target by a flow with expect: bypassed, or from a workload on the persona's own network",
                )  # fmt: skip


def _most(bed: Bed, target: Target) -> int:
    workload = bed.workloads[target.service or ""]
    return max(workload.scale or {workload.replicas})


def inspected(bed: Bed, target: Target) -> bool:
    """Whether the firewall looks into what a target sends: a flow from its workload to its personas says so."""
    asked = {name for name in bed.personas if target.to in (name, "personas")}
    return any(
        flow.expect == "inspected" and flow.from_ == target.from_ and asked & set(_personas(bed, flow.to))
        for flow in bed.flows
    )


def _personas(bed: Bed, to: str) -> list[str]:
    return [name for name, persona in bed.personas.items() if to in ("personas", name, persona.workload)]


def _way(bed: Bed, target: Target) -> str:
    return "one that is inspected" if inspected(bed, target) else "one that is not"


def _lacking(bed: Bed, target: Target) -> tuple[str, str, str] | None:
    """What was expected of the bed, what it has, and what to do; None where nothing is missing."""
    consul, vault = bed.consul, bed.vault
    if target.to == CONSUL and (consul is None or consul.server.https is None):
        return "Consul, whose servers listen for HTTPS", "none", "add consul, with server: {https: ...}"
    if target.to == VAULT:
        if vault is None or vault.load is None:
            return "Vault, with a folder for load", "none", "add vault.load: secret/plumbline/load"
        if (engine := vault.engines.get(vault.load.partition("/")[0])) and engine.version == 1:
            return "Vault, with a folder for load of a kv engine, version 2", "version 1", "mend vault.load"
        if target.time + AROUND > vault.role.lifetime:
            lives = f"{vault.role.lifetime.total_seconds():g} s"
            return f"a run that is over while its token lives, {lives}", str(target.time), "shorten steady"
    if target.to == SLURM and (bed.slurm is None or bed.slurm.jobs is None):
        return "Slurm, with a user of jobs", "none", "add slurm.jobs"
    if target.to == DNS and target.from_ and bed.kubernetes is None:
        return "the cluster's DNS, since it is asked from a workload", "no kubernetes", "leave from out"
    if target.to == DNS and not target.from_:
        bind = consul.server.dns if consul else None
        if bind is None or OUTSIDE not in bind.on:
            return (
                "Consul, whose servers answer DNS on their own addresses", "none that does",
                "add from: a workload, to ask the cluster's; or consul.server.dns: {port: 8600, on: [loopback, oobi]}",
            )  # fmt: skip
    return None
