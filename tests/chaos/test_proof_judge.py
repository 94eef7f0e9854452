"""What a proof makes of a gate.json: detected, localised, extra, and what only follows."""

from __future__ import annotations

from chaos.proof.judge import Expected, alarms, applicable, judge, roots_of
from tests.chaos.gates import FLOW, OTHER, PAGE, PORT, check, finding, found, gate, healthy

FAULT = Expected("network", ("port:ucs-2/browsers",), (PORT[0],))


def test_a_fault_is_detected_and_localised() -> None:
    judged = judge(FAULT, found())

    assert (judged.detected, judged.localised, judged.missed, judged.extra) == (True, True, (), ())
    assert judged.first is not None
    assert str(judged.first) == "network.vlan-crosses on port:ucs-2/browsers"


def test_a_fault_that_nothing_sees_is_not_detected() -> None:
    judged = judge(FAULT, healthy())

    assert (judged.detected, judged.localised, judged.missed) == (False, False, (PORT[0],))
    assert judged.first is None


def test_each_of_the_expected_checks_has_to_fail() -> None:
    judged = judge(Expected("network", FAULT.subjects, (PORT[0], "network.gateway-replies")), found())

    assert not judged.detected
    assert judged.missed == ("network.gateway-replies",)


def test_a_check_that_could_not_look_has_not_detected_anything() -> None:
    blind = gate([check(*PORT, "unknown")], [finding(PORT[0], [PORT[1]], outcome="unknown")], "unknown")

    judged = judge(FAULT, blind)

    assert not judged.detected
    assert judged.missed == (PORT[0],)
    assert "(unknown)" in str(judged.first)


def test_what_is_folded_under_a_root_is_a_consequence_and_no_extra() -> None:
    judged = judge(FAULT, found())

    assert judged.extra == ()
    assert judged.consequences == {"inspection": 2}
    assert judged.roots == {"network": 1}
    assert judged.red == (FLOW[0], PORT[0])


def test_another_layer_first_is_mislocalised() -> None:
    report = found()
    report["findings"].insert(0, finding(FLOW[0], [FLOW[1]]))

    judged = judge(FAULT, report)

    assert judged.detected
    assert not judged.localised
    assert [root.check for root in judged.extra] == [FLOW[0]]


def test_the_right_check_on_another_subject_is_mislocalised() -> None:
    report = gate([check(*OTHER, "failed")], [finding(OTHER[0], [OTHER[1]])])

    judged = judge(FAULT, report)

    assert judged.detected
    assert not judged.localised


def test_one_of_several_subjects_of_the_first_finding_is_enough() -> None:
    report = gate([check(*PORT, "failed"), check(*OTHER, "failed")], [finding(PORT[0], [OTHER[1], PORT[1]])])

    assert judge(FAULT, report).localised


def test_subjects_are_patterns_and_any_of_them_will_do() -> None:
    assert judge(Expected("network", ("vlan:browsers", "port:*/browsers"), FAULT.red), found()).localised
    assert not judge(Expected("network", ("port:*/k6",), FAULT.red), found()).localised


def test_a_root_that_nobody_foresaw_is_extra_even_if_it_is_only_unknown() -> None:
    report = found()
    report["findings"].append(finding("host.clock", ["setting:ucs-4/clock"], outcome="unknown"))

    judged = judge(FAULT, report)

    assert judged.detected
    assert judged.localised
    assert [(root.check, root.outcome) for root in judged.extra] == [("host.clock", "unknown")]


def test_what_the_fault_file_foresees_beside_it_is_not_extra() -> None:
    report = found()
    report["findings"].append(finding("network.trunk-vlans", ["link:ucs-2/eth1"]))

    assert judge(Expected("network", FAULT.subjects, FAULT.red, ("network.trunk-vlans",)), report).extra == ()


def test_every_red_check_of_a_healthy_bed_is_a_false_alarm() -> None:
    assert alarms(healthy()) == 0
    assert alarms(found()) == 3


def test_what_a_bed_cannot_show_is_told_apart() -> None:
    assert applicable(healthy()) == ({PORT[0], FLOW[0], PAGE[0]}, {"host.module"})


def test_roots_stand_in_the_order_of_the_report() -> None:
    report = gate([], [finding("b.b", ["node:b"]), finding("a.a", ["node:a"])])

    assert [root.check for root in roots_of(report)] == ["b.b", "a.a"]
