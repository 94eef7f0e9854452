"""The plan of what is asked about certificates and logins, for the lab's bed file."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.bed import Bed, load
from plumbline.collect import plan, plan_pki
from plumbline.collect.planned import Planned, World

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(ROOT / "inventories" / "lab.yaml")


@pytest.fixture(scope="module")
def planned(bed: Bed) -> list[Planned]:
    return list(plan_pki.probes(World(bed, None)))


def of(planned: list[Planned], purpose: str) -> list[Planned]:
    return [p for p in planned if p.purpose == purpose]


def test_every_node_logs_in_to_every_other_by_each_name(bed: Bed, planned: list[Planned]) -> None:
    logins, ssh = of(planned, "login"), bed.ssh_certificates
    assert ssh is not None
    forms = {p.args["host"].replace(p.target, "NODE") for p in logins if not p.args["host"][0].isdigit()}

    assert {(p.source, p.target) for p in logins} == set(ssh.pairs)
    assert forms == {"NODE", "NODE.nodes.goldentooth.net", "NODE.goldentooth.net"}
    assert any(p.args["host"][0].isdigit() for p in logins)


def test_no_two_nodes_log_in_to_the_same_one_first(bed: Bed, planned: list[Planned]) -> None:
    ssh = bed.ssh_certificates
    assert ssh is not None
    firsts = {source: next(p.target for p in of(planned, "login") if p.source == source) for source in ssh.on}

    assert sorted(firsts.values()) == sorted(ssh.on)


@pytest.mark.parametrize("purpose", ["login-plain", "login-other"])
def test_every_node_refuses_what_it_must(bed: Bed, planned: list[Planned], purpose: str) -> None:
    ssh = bed.ssh_certificates
    assert ssh is not None

    assert sorted(p.target for p in of(planned, purpose)) == sorted(ssh.on)


def test_a_served_certificate_is_asked_for_by_another_node(planned: list[Planned]) -> None:
    served = of(planned, "served")

    assert served
    assert all(p.node != p.target.partition("/")[0] for p in served)


def test_every_node_that_trusts_asks_the_authority(bed: Bed, planned: list[Planned]) -> None:
    ca = bed.step_ca
    assert ca is not None

    assert [p.source for p in of(planned, "authority")] == list(ca.on)
    assert {p.node for p in (*of(planned, "issue"), *of(planned, "issue-long"))} == {ca.node}


def test_nothing_of_it_is_asked_of_nodes_that_have_none(bed: Bed) -> None:
    assert "pki" not in plan.host_request(bed, "ucs-1")
    assert "step-ca" not in plan.host_request(bed, "bettley")["units"]
    assert "step-ca" in plan.host_request(bed, "jast")["units"]


def test_a_bed_without_an_authority_is_asked_nothing(bed: Bed) -> None:
    without = bed.model_copy(update={"step_ca": None, "service_certificates": {}, "ssh_certificates": None})

    assert list(plan_pki.probes(World(without, None))) == []
    assert plan_pki.requests(without, "jast") == {}
