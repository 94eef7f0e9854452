"""node.power: a node that loses its power, and has it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos import power
from chaos.call import ActionFailed, Arguments, Call, Node, Slip, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach


@action("node.power")
class NodePower(Arguments):
    """A node without power, or with power and back: then it lets one log in again."""

    node: Node
    on: bool = False

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        if self.node not in bed.nodes:
            return []
        try:
            power.supply(bed, None, self.node)
        except ActionFailed as error:
            return [Slip(name, "node", error.reason, error.remedy)]
        return []

    def cuts(self, bed: Bed) -> frozenset[str]:
        return frozenset() if self.on else frozenset({self.node})

    def means(self, bed: Bed) -> str:
        return power.supply(bed, None, self.node).means

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [Call("node.power", {"node": self.node, "on": True})] if not self.on else []

    def apply(self, bed: Bed, reach: Reach) -> None:
        supply = power.supply(bed, reach, self.node)
        if not self.on or not supply.on():
            supply.switch(self.on)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        if not self.on:
            return not power.supply(bed, reach, self.node).on()
        try:
            return reach.ask(self.node, ["systemctl", "is-system-running"], limit=5.0).out.strip() in (
                "running",
                "degraded",
            )
        except ActionFailed:
            return False
