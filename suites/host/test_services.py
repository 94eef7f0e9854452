"""What the node itself must run, and the room that it needs for that."""

from __future__ import annotations

from ipaddress import IPv4Address

from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.subjects import Setting, settings
from suites.host.cases import aspect

_LOOP, _CALM_S, _BOOT_S = 3, 300.0, 120.0
"""After a boot services wait for each other by being restarted; later on nothing should be."""
_EVICTION = 0.10
"""The kubelet evicts pods below this free share (nodefs.available<10%, its default)."""


@check(
    "host.service-active",
    severity="critical",
    remedy="on {node}: systemctl status {item}; journalctl -u {item} -n 50; systemctl start {item}",
    consequence="pods of {node} are not started, not reached, or not seen",
    source="seed 000, chapters 2.7 and 13",
)
@for_each("service", settings("services"))
def test_a_service_is_active(service: Setting, facts: Facts) -> None:
    """A declared service runs."""
    unit = facts.node(service.node).unit(service.name)

    assert unit.active, found(unit.state if unit.loaded else "there is no such unit", expected="active (running)")


@check(
    "host.service-enabled",
    severity="major",
    remedy="on {node}: systemctl enable {item}",
    consequence="{item} is gone after the next boot of {node}",
    source="seed 000, chapter 2",
)
@for_each("service", settings("services"))
def test_a_service_comes_back_after_a_boot(service: Setting, facts: Facts) -> None:
    """A declared service is enabled."""
    unit = facts.node(service.node).unit(service.name)
    lasting = ("enabled", "static", "alias", "indirect", "generated")

    assert unit.enabled in lasting, found(unit.enabled or "there is no such unit", expected="enabled")


@check(
    "host.service-steady",
    severity="major",
    remedy="on {node}: journalctl -u {item} -n 100; what it says before each restart is the cause",
    consequence="{item} is down again and again, for moments that single looks miss",
    source="seed 000, chapter 13",
)
@for_each("service", settings("services"))
def test_a_service_does_not_restart_over_and_over(service: Setting, facts: Facts) -> None:
    """A declared service is not restarted again and again, long after the boot."""
    unit = facts.node(service.node).unit(service.name)
    looping = unit.restarts >= _LOOP and unit.active_s < _CALM_S and unit.settled_s > _BOOT_S

    assert not looping, found(
        f"restarted {unit.restarts} times, the last time {unit.active_s:.0f} s ago",
        expected=f"fewer than {_LOOP} restarts, or {_CALM_S:.0f} s of calm",
    )


@check(
    "host.failed-units",
    severity="major",
    remedy="on {node}: systemctl --failed; journalctl -b -u UNIT; then systemctl reset-failed UNIT",
    consequence="something that {node} should do it does not",
    source="seed 000, chapter 13",
)
@for_each("node", aspect("failed-units"))
def test_no_unit_has_failed(node: str, facts: Facts) -> None:
    """systemd calls no unit failed."""
    failed = facts.node(node).failed_units

    assert not failed, found(f"failed: {', '.join(failed)}", expected="none")


@check(
    "host.room-on-var",
    severity="major",
    remedy="on {node}: du -xh --max-depth=2 /var | sort -h | tail; crictl rmi --prune",
    consequence="the kubelet evicts pods and pulls no images",
    source="seed 000, chapter 3",
)
@for_each("node", aspect("var"))
def test_var_has_room(node: str, facts: Facts) -> None:
    """/var has more room and inodes left than the kubelet evicts pods at."""
    host = facts.node(node)

    assert host.var_free_share > _EVICTION, found(
        f"{host.var_free_share:.0%} free ({host.var_free_bytes / 1e9:.0f} GB)", expected=f"more than {_EVICTION:.0%}"
    )


@check(
    "host.resolver",
    severity="major",
    remedy="on {node}: mend /etc/resolv.conf: three name servers at most, none of the data plane or cluster",
    consequence="names resolve slowly or not at all, or only while the firewall is up",
    source="seed 000, chapter 2 (OOBI isolation)",
)
@for_each("node", aspect("resolv.conf"))
def test_the_resolver_does_not_stand_on_the_data_plane(node: str, facts: Facts, bed: Bed) -> None:
    """Name servers of a node are addresses, few, and neither behind the firewall nor served by the cluster itself."""
    lines = [line.split() for line in facts.node(node).resolv_conf.splitlines()]
    servers = [words[1] for words in lines if words[:1] == ["nameserver"] and len(words) > 1]
    data = [network.cidr for network in bed.vlans.values()]
    wrong = [s for s in servers if ":" not in s and any(IPv4Address(s) in cidr for cidr in data)]
    loops = [s for s in servers if bed.kubernetes and s == str(bed.kubernetes.dns)]

    assert not wrong, found(f"on a VLAN of the data plane: {', '.join(wrong)}", expected="name servers on OOBI")
    assert not loops, found(f"the cluster's own service: {', '.join(loops)}", expected="a resolver outside of it")
    assert len(servers) <= 3, found(f"{len(servers)} name servers", expected="three at most, the rest is not read")
