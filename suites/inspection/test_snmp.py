"""The firewall's figures, over SNMP in its management VLAN: for who knows the community, and for nobody else."""

from __future__ import annotations

from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Snmp
from plumbline.outcome import Unknown
from suites.inspection import cases


@check(
    "inspection.snmp",
    severity="major",
    kind="active",
    remedy="on the firewall: is SNMP on for this VLAN, and is the community that of the secret? (lab: systemctl status snmpd)",
    consequence="the dashboards show nothing of the firewall",
    source="seed 000, chapters 5 and 7",
)
@for_each("node", cases.snmp)
def test_the_firewall_answers_its_community(node: str, facts: Facts) -> None:
    """Asked with the declared community, the firewall says its name."""
    answer = facts.probe(Snmp, "snmp", target=node)

    assert answer.ok, found(answer, expected="an answer of the firewall")
    assert answer.values.get("sysName"), found("an answer without a name", expected="sysName")


@check(
    "inspection.snmp-closed",
    severity="major",
    kind="active",
    remedy="on the firewall: one read-only community, restricted to the management VLAN",
    consequence="anybody in the VLAN reads the firewall",
    source="seed 000, chapter 5; RFC 3584",
)
@for_each("node", cases.snmp_closed)
def test_another_community_is_not_answered(node: str, facts: Facts) -> None:
    """Asked with another community, the firewall, which answers the right one, is silent."""
    if not facts.probe(Snmp, "snmp", target=node).ok:
        raise Unknown("the firewall does not answer the right community either", cause=f"snmp:{node}")
    answer = facts.probe(Snmp, "snmp-wrong", target=node)

    assert not answer.ok, found(f"it answered: {answer.values}", expected="silence")
