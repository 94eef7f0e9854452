"""The load targets that the bed file declares."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.model import Target
from plumbline.bed.throughput import CONSUL, KUBERNETES
from plumbline.check import Case
from plumbline.needs import endpoints
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


def _path(bed: Bed, target: Target) -> list[str]:
    """What its requests cross: flows to personas, or a service's own pods and the DNS that names them, or a server."""
    if target.to == KUBERNETES:
        return [API]
    if target.to == CONSUL:
        return ["consul:leader", *(f"consul-agent:{node}" for node in (bed.consul.servers if bed.consul else ()))]
    if target.from_ is None:  # by way of any node
        return [f"workload:{target.service}", *(f"node:{node}" for node in bed.kubernetes_nodes)]
    if target.service:
        return [f"workload:{target.from_}", f"workload:{target.service}", "service:dns"]
    flows = endpoints(bed, target.from_, target.to or "")
    return [f"workload:{target.from_}", *(f"flow:{source}>{to}" for source, to in flows)]
