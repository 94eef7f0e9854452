"""The plan: pure, from bed and pods; no id twice, no secret kept, nothing from where nobody can log in."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.bed import Bed, load
from plumbline.collect import plan, trim
from plumbline.collect.planned import Planned, World
from plumbline.facts.cluster import Cluster
from tests.collect import objects
from tests.collect.bed import TEXT, small
from tests.collect.certificates import Authority

REFUSED = """expect: refused}
  - {from: agent, to: persona-1, expect: refused}
  - {from: personas, to: personas, expect: refused}"""
PERSONA_CA = Authority("persona-ca")


def world(bed: Bed, pods: int = 1) -> World:
    """The small bed with this many agents, and its persona."""
    items = [
        objects.pod("agents", f"agent-{n}", f"{n:08d}-0000-0000-0000-000000000000", "agent", f"172.16.1.{n}")
        for n in range(pods)
    ]
    items.append(objects.pod("personas", "persona-1-x", objects.PERSONA, "persona-1", "10.1.1.2"))
    facts = {
        "pods": [trim.pod(item) for item in items],
        "errors": {},
        "configmaps": {"agents/fw-ca": {"data": {"ca.crt": "PEM"}}},
    }
    found = {"keys": ["ca.crt"], "empty": [], "digests": {}, "key_matches": None, "certificates": {"ca.crt": "PEM"}}
    facts["secrets"] = {"agents/persona-ca": found}
    return World(bed, Cluster(facts, bed), "hush")


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    """The small bed."""
    return small(tmp_path)


def of(plans: dict[str, list[Planned]], kind: str, purpose: str) -> list[Planned]:
    """The probes of a kind and purpose."""
    return [p for found in plans.values() for p in found if (p.kind, p.purpose) == (kind, purpose)]


def test_every_agent_asks_every_persona_with_the_bundle_that_it_trusts(bed: Bed) -> None:
    (probe,) = of(plan.probes(world(bed)), "tls", "flow")

    assert (probe.source, probe.target, probe.pod) == ("agent", "persona-1", "agents/agent-0")
    assert (probe.args["ca"], probe.args["name"]) == ("PEM", "one.test")


def test_the_header_in_which_a_persona_names_itself_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "bed.yaml").write_text(TEXT.replace("quic: true", "quic: true, header: X-Whose"))
    (probe,) = of(plan.probes(world(load(tmp_path / "bed.yaml"))), "tls", "page")

    assert probe.args["http"] == {"path": "/", "keep": ["X-Whose"]}


def test_bad_origins_are_asked_for_where_they_are(bed: Bed) -> None:
    (probe,) = of(plan.probes(world(bed)), "tls", "bad-origin")

    assert (probe.target, probe.args["address"], probe.args["name"]) == ("expired", "10.1.1.20", "expired.test")


def test_an_appliance_is_asked_nothing_and_its_origins_are_asked_elsewhere(bed: Bed) -> None:
    plans = plan.probes(world(bed))

    assert "fw" not in plans
    assert [p.pod for p in of(plans, "tls", "origin")] == ["personas/persona-1-x"]


def test_every_refused_way_is_asked_by_the_ends_that_its_check_names(tmp_path: Path) -> None:
    text = TEXT.replace("  persona-1: {workload: persona-1, name", "  first: {workload: persona-1, name").replace(
        "authorities:\n",
        "  second: {workload: persona-2, name: two.test, address: 10.1.1.3, network: persona-1}\nauthorities:\n",
    )
    text = text.replace(
        "workloads:\n",
        "workloads:\n  persona-2: {namespace: personas, kind: Deployment, program: persona, attach: p1}\n",
    )
    (tmp_path / "bed.yaml").write_text(text.replace("expect: inspected}", REFUSED))
    bed = load(tmp_path / "bed.yaml")
    found = world(bed)
    assert found.cluster

    asked = {(p.source, p.target) for p in of(plan.probes(found), "tcp", "refused")}

    assert asked == {("agent", "persona-1"), ("agent", "first"), ("agent", "second"), ("persona-1", "second")}


def test_a_whole_frame_is_what_the_network_promises(bed: Bed) -> None:
    frames = of(plan.probes(world(bed)), "ping", "frame")

    assert {(p.pod or p.node, p.args["size"]) for p in frames} == {
        ("n1", 9216), ("agents/agent-0", 9216), ("personas/persona-1-x", 9216),
    }  # fmt: skip


def test_what_is_kept_of_a_probe_has_no_secret() -> None:
    args = {"community": "hush", "ca": "PEM", "key": "KEY", "address": "192.0.2.1"}
    probe = Planned("snmp", "snmp", "n1", "n1", "fw", args)

    assert probe.public()["args"] == {"address": "192.0.2.1"}
    assert "hush" not in repr(World)


def test_three_hundred_agents_do_not_ask_nine_thousand_times(bed: Bed) -> None:
    assert len(of(plan.probes(world(bed, 300)), "tls", "flow")) <= 300


def test_the_lab_s_plan_has_no_id_twice_and_no_pod_without_a_cluster() -> None:
    bed = load(Path(__file__).parents[2] / "inventories" / "lab.yaml")
    plans = plan.probes(World(bed, None))
    ids = [p.id for found in plans.values() for p in found]

    assert len(ids) == len(set(ids))
    assert not [p for found in plans.values() for p in found if p.pod]
    assert all(p.during in ids for found in plans.values() for p in found if p.during)


def test_profiles_of_a_node_say_what_is_read_on_it(bed: Bed) -> None:
    assert plan.host_request(bed, "n1") == {"sysctls": ["kernel.pid_max"], "modules": [], "units": ["ssh"]}
    assert plan.host_request(bed, "n2")["sysctls"] == []
