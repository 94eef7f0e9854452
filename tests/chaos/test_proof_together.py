"""Faults that are put in together: which may be, what they are then, and whose each finding is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from chaos.call import Call
from chaos.fault import Fault, find
from chaos.proof import together
from plumbline.bed import Bed, load
from plumbline.check import Case
from tests.chaos.gates import OTHER, PORT, check, finding, gate

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(ROOT / "inventories" / "lab.yaml")


def fault(name: str = "one", **changes: object) -> Fault:
    """A fault of a VLAN's port."""
    said: dict[str, object] = {
        "fault": name, "stands_for": "seed 000, chapter 13", "summary": "something broken", "layer": "network",
        "subject": "port:ucs-2/browsers", "inject": [{"node.sysctl": {"node": "ucs-2", "key": name, "value": "1"}}],
        "red": ["network.vlan-crosses"],
    }  # fmt: skip
    return Fault.model_validate({**said, **changes})


def apart(bed: Bed, *faults: Fault) -> bool:
    """Whether two faults may be put in together."""
    return len(together.groups(bed, faults, 2)) == 1


def test_faults_of_other_checks_and_other_things_may_be_in_together(bed: Bed) -> None:
    assert apart(bed, fault(), fault("two", subject="setting:ucs-3/hostname", red=["host.hostname"]))


def test_faults_that_turn_the_same_check_red_may_not(bed: Bed) -> None:
    assert not apart(bed, fault(), fault("two", subject="port:ucs-3/k6"))


def test_a_fault_that_may_turn_the_check_of_another_red_may_not(bed: Bed) -> None:
    two = fault("two", subject="setting:ucs-3/hostname", red=["host.hostname"], also=["network.vlan-crosses"])

    assert not apart(bed, fault(), two)


def test_a_fault_of_what_another_stands_on_may_not(bed: Bed) -> None:
    assert not apart(bed, fault(), fault("two", subject="node:ucs-2", red=["host.answers"]))


def test_one_that_waits_for_something_goes_with_no_other_of_its_layer(bed: Bed) -> None:
    until = {"holds": [{"node.carrier": {"node": "ucs-2"}}], "limit": "10s"}
    two = fault("two", subject="port:ucs-3/k6", red=["network.gateway-replies"])

    assert apart(bed, fault(), two)
    assert not apart(bed, fault(wait=until), two)
    assert apart(
        bed, fault(wait=until), fault("two", layer="host", subject="setting:ucs-3/hostname", red=["host.hostname"])
    )


def test_one_that_waits_for_what_another_brings_back_only_at_its_end_may_not(bed: Bed) -> None:
    up = {"holds": [{"prometheus.up": {}}], "limit": "10s"}
    other = {"subject": "setting:ucs-3/hostname", "red": ["host.hostname"], "layer": "host"}

    assert not apart(bed, fault(wait=up), fault("two", settle=up, **other))
    assert apart(bed, fault(settle=up), fault("two", settle=up, **other))


def test_a_fault_of_what_a_check_of_another_stands_on_may_not(bed: Bed) -> None:
    """A flow is the subject of none of the two, but what tells of the first fault, and it stands on the second's."""
    one = fault(subject="ngfw:ngfw", layer="inspection", red=["inspection.flow"])
    two = fault("two", subject="secret:web-agents/token", layer="kubernetes", red=["kubernetes.secret"])
    flow = Case("buyer", "flow:buyer>stall", None, ("workload:buyer", "secret:web-agents/token"))

    assert apart(bed, one, two)
    assert len(together.groups(bed, [one, two], 2, {"inspection.flow": [flow]})) == 2


def test_a_pattern_stands_for_all_that_it_means(bed: Bed) -> None:
    assert not apart(bed, fault(), fault("two", subject="port:*/browsers", red=["network.gateway-replies"]))


def test_a_fault_that_starts_what_another_stops_may_not(bed: Bed) -> None:
    file = {"node": "ucs-3", "path": "/etc/x", "append": "y", "restart": ["lldpd"]}
    starts = fault("two", subject="setting:ucs-3/hostname", red=["host.hostname"], inject=[{"node.file": file}])
    stops = fault(inject=[{"node.unit": {"node": "ucs-3", "unit": "lldpd", "active": False}}])
    elsewhere = fault(inject=[{"node.unit": {"node": "ucs-4", "unit": "lldpd", "active": False}}])

    assert not apart(bed, stops, starts)
    assert not apart(bed, starts, stops)
    assert apart(bed, elsewhere, starts)


def test_every_fault_is_in_one_group_in_its_order(bed: Bed) -> None:
    faults = [fault(str(number)) for number in range(3)]

    assert together.groups(bed, faults, 4) == [(each,) for each in faults]


def test_two_that_change_the_same_thing_are_not_in_together(bed: Bed) -> None:
    edited, stopped, other = find("firewall-without-h2"), find("firewall-stopped"), find("no-room-on-var")

    assert not apart(bed, edited, stopped), "the one's file is read by the unit that the other stops"
    assert apart(bed, edited, other)


def test_faults_of_other_layers_come_first_into_a_group(bed: Bed) -> None:
    faults = [find(name) for name in ("hostname-of-another", "swap-at-boot", "snmp-silent", "node-cordoned")]
    first, *_ = together.groups(bed, faults, 3)

    assert [member.layer for member in first] == ["host", "inspection", "kubernetes"]


def test_several_are_one_fault_that_makes_and_undoes_them_all() -> None:
    clock, hostname = find("clock-off"), find("hostname-of-another")
    both = together.merged([clock, hostname])

    assert both.inject == (*clock.inject, *hostname.inject)
    assert both.time_to_live == timedelta(seconds=150)
    assert together.merged([clock]) is clock


def test_a_bed_is_settled_when_kubelets_and_prometheus_have_asked_all_again(bed: Bed) -> None:
    kubelet = find("kubelet-hangs")
    settled = together.settling(bed, kubelet)
    services = bed.services.model_copy(update={"prometheus": None})
    bare = bed.model_copy(update={"services": services, "kubernetes": None})

    assert settled.settle is not None
    assert kubelet.settle is not None
    assert settled.settle.holds == (*kubelet.settle.holds, Call("kubernetes.ready"), Call("prometheus.up"))
    assert settled.settle.limit == kubelet.settle.limit
    assert together.settling(bed, settled) is settled
    assert together.settling(bare, kubelet) is kubelet


def test_a_finding_is_the_faults_whose_check_it_is_and_so_is_what_follows_from_it() -> None:
    clock = ("host.clock", "setting:ucs-4/clock_offset")
    both = gate(
        [check(*PORT, "failed"), check(*OTHER, "failed"), check(*clock, "failed")],
        [finding(PORT[0], [PORT[1]], OTHER), finding(clock[0], [clock[1]])],
    )
    own = together.own(both, [find("clock-off")])

    assert [each["check"] for each in own["findings"]] == [PORT[0]]
    assert [(each["id"], each["subject"]) for each in own["checks"]] == [PORT, OTHER]


def test_a_finding_that_is_nobodys_is_everybodys() -> None:
    stray = gate([check(*PORT, "failed")], [finding(PORT[0], [PORT[1]])])

    assert together.own(stray, [find("clock-off")])["findings"] == stray["findings"]
