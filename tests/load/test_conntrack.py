"""What a load puts into conntrack tables, and on which nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.bed import Bed, load
from plumbline.collect.plan import host_request
from plumbline.load import conntrack
from plumbline.load.conntrack import Opened

SMALL = Path(__file__).parents[1] / "bed" / "small.yaml"
TARGET = "{profile: cps, connections: new, service: server, users: 1, promise: {}"
BED = f"""
version: 1
extends: {SMALL}
allow: {{load: true}}
nodes:
  two:   {{role: server, oobi: 10.9.0.3, kubernetes: worker, labels: {{role: server}}}}
  three: {{role: idle, oobi: 10.9.0.4, kubernetes: worker, labels: {{role: idle}}}}
workloads:
  server: {{namespace: work, kind: Deployment, program: server, on: {{role: server}}, port: 80, node_port: 30080}}
load:
  limits: {{users: 9, requests: 100000, time: 1m}}
  targets:
    inside:  {TARGET}, from: agent, pace: 100}}
    less:    {TARGET}, from: agent, pace: 10}}
    outside: {TARGET}, pace: 90}}
    kept:    {{profile: cps, from: agent, service: server, users: 1, pace: 900, promise: {{}}}}
"""


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    """A node of the agent, one of the server, and one that has neither."""
    (tmp_path / "bed.yaml").write_text(BED)
    return load(tmp_path / "bed.yaml")


def test_each_node_has_the_target_that_opens_the_most_there(bed: Bed) -> None:
    crossed = {one.node: one for one in conntrack.opened(bed)}

    assert crossed["one"] == Opened("one", "inside", 100)
    assert crossed["two"] == Opened("two", "inside", 100)


def test_what_comes_from_outside_is_spread_over_the_nodes_by_which_it_enters(bed: Bed) -> None:
    crossed = {one.node: one for one in conntrack.opened(bed)}

    assert crossed["three"] == Opened("three", "outside", 30)


def test_only_nodes_that_are_crossed_are_asked(bed: Bed) -> None:
    asked = {node: conntrack.MOST in host_request(bed, node)["sysctls"] for node in bed.nodes}

    assert asked == {"one": True, "two": True, "three": True, "fw": False}
