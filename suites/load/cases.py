"""The load targets that the bed file declares."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.model import Target
from plumbline.bed.throughput import CONSUL, DNS, KUBERNETES, SLURM, VAULT
from plumbline.check import Case
from plumbline.needs import endpoints, graph
from plumbline.needs.parts import API
from plumbline.subjects import Thing, case


def targets(bed: Bed) -> list[Case]:
    """Each target: Thing[Target], subject load:NAME. It stands on the flows that its requests take."""
    declared = bed.load.targets if bed.load else {}
    return [
        case(
            bed,
            f"load:{name}",
            Thing(name, target),
            where=f"load.targets.{name}",
            also=_path(bed, target),
        )
        for name, target in declared.items()
    ]


def borne(bed: Bed) -> list[Case]:
    """The targets whose load has to be borne: attacks, which have to be turned away, are left out."""
    return [one for one in targets(bed) if not one.value.spec.is_attack]


def shared(bed: Bed) -> list[Case]:
    """The targets whose load the pods of a service have to share."""
    return [one for one in borne(bed) if one.value.spec.promise.spread]


def compared(bed: Bed) -> list[Case]:
    """The targets that are measured beside another one."""
    return [one for one in borne(bed) if one.value.spec.promise.ratio]


def _path(bed: Bed, target: Target) -> list[str]:
    """What its requests cross: flows to personas, a service's own pods and the DNS that names them, or servers."""
    if target.to == KUBERNETES:
        return [API]
    if target.to in (CONSUL, VAULT, SLURM):
        return _servers(bed, target.to)
    if target.to == DNS:
        return [f"workload:{target.from_}", "service:dns"] if target.from_ else _servers(bed, CONSUL)
    if target.from_ is None:  # by way of any node
        return [f"workload:{target.service}", *(f"node:{node}" for node in bed.kubernetes_nodes)]
    if target.service:
        return [f"workload:{target.from_}", f"workload:{target.service}", "service:dns"]
    flows = endpoints(bed, target.from_, target.to or "")
    known = graph(bed)  # on the persona's own network nothing is declared to lie between
    ways = (f"flow:{s}>{to}" if f"flow:{s}>{to}" in known else f"persona:{to}" for s, to in flows)
    return [f"workload:{target.from_}", *ways]


def _servers(bed: Bed, to: str) -> list[str]:
    """What stands for all of the servers of one kind, and for each of them."""
    if to == CONSUL and bed.consul:
        return ["consul:leader", *(f"consul-agent:{node}" for node in bed.consul.servers)]
    if to == VAULT and bed.vault:
        data, metadata = (f"vault-right:{path}*" for path in bed.vault.load_paths())
        return [data, metadata, *(f"vault-forward:{node}" for node in bed.vault.on)]
    return ["slurm:cluster", "slurm-job:single"]
