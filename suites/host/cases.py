"""What this suite asks of every node: cases of its own."""

from __future__ import annotations

from plumbline import subjects
from plumbline.bed import Bed
from plumbline.check import Case, Cases
from plumbline.load import conntrack


def aspect(name: str) -> Cases:
    """One aspect of each node that can be logged in to: its name; subject setting:NODE/ASPECT."""

    def cases(bed: Bed) -> list[Case]:
        return [
            subjects.case(bed, f"setting:{n}/{name}", n, id=n, where=f"nodes.{n}", also=[f"node:{n}"])
            for n, node in bed.nodes.items()
            if node.ssh
        ]

    return cases


def modules(bed: Bed) -> list[Case]:
    """Kernel modules that a host profile names, on each of its nodes: Setting."""
    return list(subjects.settings("modules")(bed))


def tracking(bed: Bed) -> list[Case]:
    """Nodes whose conntrack table a load fills: Opened; subject setting:NODE/conntrack."""
    return [
        subjects.case(
            bed,
            f"setting:{one.node}/conntrack",
            one,
            id=one.node,
            where=f"load.targets.{one.target}.promise",
            also=[f"node:{one.node}"],
        )
        for one in conntrack.opened(bed)
    ]
