"""Actions on a node's units: what systemd tells is understood, and what was comes back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chaos.call import Call
from chaos.reach import LIMIT, Done
from tests.chaos.reaches import Local, bed

BED = bed()


class Systemd(Local):
    """A node whose unit has a share of the processor, told as systemd tells it."""

    def __init__(self, quota: str) -> None:
        super().__init__(BED, {})
        self.quota = quota

    def ask(self, node: str, argv: Sequence[str], *, input: str = "", limit: float = LIMIT) -> Done:
        if argv[1] == "set-property":
            percent = argv[-1].removeprefix("CPUQuota=").rstrip("%")
            self.quota = f"{int(percent) * 10}ms" if percent else "infinity"
        return Done(0, f"{self.quota}\n", "")


@pytest.mark.parametrize(
    ("was", "percent"), [("infinity", 0), ("50ms", 5), ("1s 500ms", 150), ("2s", 200), ("1min 40s", 10_000)]
)
def test_a_unit_has_so_much_of_a_processor_and_then_what_it_had(was: str, percent: int) -> None:
    call = Call("node.cpu", {"node": "ngfw", "unit": "ngfw.service", "percent": 7})
    with Systemd(was) as reach:
        (undo,) = call.reverse(BED, reach)
        call.apply(BED, reach)
        assert call.holds(BED, reach)
        assert reach.quota == "70ms"
        undo.apply(BED, reach)

        assert undo.arguments["percent"] == percent
        assert undo.holds(BED, reach)
