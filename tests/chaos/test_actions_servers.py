"""Servers of which one leads: whom servers.kill chooses, and what its undo names."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest

from chaos.call import ActionFailed, Call, CallError
from chaos.reach import LIMIT, Done
from plumbline import curl
from tests.chaos.reaches import Local, bed

BED = bed()
SERVERS = ["bettley", "cargyll", "dalt"]


class Three(Local):
    """Three servers of Consul; the last of those that run leads, and two of them must, for any to lead."""

    def __init__(self) -> None:
        super().__init__(BED, {})
        self.up = list(SERVERS)

    def ask(self, node: str, argv: Sequence[str], *, input: str = "", limit: float = LIMIT) -> Done:
        if tuple(argv) == curl.COMMAND:
            if node not in self.up:
                raise ActionFailed("connection refused", place=node)
            address = str(BED.nodes[self.up[-1]].oobi)
            said = f"{address}:8300" if len(self.up) > 1 else ""
            return Done(0, f"{json.dumps(said)}\n200", "")
        words = " ".join(argv)
        if "--signal=KILL" in words:
            self.up.remove(node)
            return Done(0, "", "")
        if re.match("systemctl start", words):
            self.up.append(node)
        return Done(0 if node in self.up else 3, "", "")


def test_the_leader_is_killed_first_and_the_undo_names_all() -> None:
    with Three() as reach:
        call = Call("servers.kill", {"of": "consul"})
        undo = call.reverse(BED, reach)
        call.apply(BED, reach)
        call.apply(BED, reach)

        assert reach.up == ["bettley", "cargyll"]
        assert Call("servers.led", {"of": "consul", "by": "cargyll"}).holds(BED, reach)
        assert call.holds(BED, reach)
        assert [step.arguments["node"] for step in undo] == SERVERS


@pytest.mark.parametrize(("first", "left"), [("leader", ["cargyll"]), ("others", ["dalt"])])
def test_of_several_the_leader_is_among_them_or_is_the_one_that_stays(first: str, left: list[str]) -> None:
    with Three() as reach:
        Call("servers.kill", {"of": "consul", "count": 2, "first": first}).apply(BED, reach)

        assert reach.up == left
        assert not Call("servers.led", {"of": "consul", "by": left[0]}).holds(BED, reach)
        assert Call("servers.led", {"of": "consul", "led": False}).holds(BED, reach)


def test_a_bed_without_such_a_service_is_told() -> None:
    with pytest.raises(CallError, match="the bed declares no consul"):
        Call("servers.led", {"of": "consul"}).understood(BED.model_copy(update={"consul": None}))
