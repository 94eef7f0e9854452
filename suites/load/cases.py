"""The load targets that the bed file declares."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.check import Case
from plumbline.needs import endpoints
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
            also=[f"workload:{target.from_}", *(f"flow:{s}>{t}" for s, t in endpoints(bed, target.from_, target.to))],
        )
        for name, target in declared.items()
    ]
