"""What a load puts into conntrack tables, and on which nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.bed import Bed, load
from plumbline.collect.plan import host_request
from plumbline.load import conntrack
from plumbline.load.conntrack import Opened

LAB = Path(__file__).parents[2] / "inventories" / "lab.yaml"


@pytest.fixture(scope="module")
def lab() -> Bed:
    """The bed of the lab."""
    return load(LAB)


def test_a_load_on_a_service_crosses_the_nodes_of_both_ends(lab: Bed) -> None:
    crossed = {one.node: one for one in conntrack.opened(lab)}

    assert crossed["ucs-3"] == Opened("ucs-3", "east-west", 250)
    assert crossed["ucs-4"] == Opened("ucs-4", "east-west", 250)


def test_a_load_from_outside_is_spread_over_the_nodes_by_which_it_enters(lab: Bed) -> None:
    crossed = {one.node: one for one in conntrack.opened(lab)}

    assert crossed["ucs-1"] == Opened("ucs-1", "north-south", 62.5)


def test_only_nodes_that_are_crossed_are_asked(lab: Bed) -> None:
    asked = {node: conntrack.MOST in host_request(lab, node)["sysctls"] for node in ("ngfw", "bettley", "ucs-4")}

    assert asked == {"ngfw": False, "bettley": False, "ucs-4": True}
