"""Actions on interfaces, addresses, routes, packets and sysctls, in real network namespaces: there and back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from chaos.call import ActionFailed, Call
from chaos.reach import Pod
from tests.chaos.reaches import Local, bed, namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
BED = bed()
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("link", {"link": "$(link:browsers)", "up": False}),
    ("link", {"link": "$(link:browsers)", "mtu": 1400}),
    ("link", {"link": "$(link:browsers)", "mac": "02:00:00:00:00:09"}),
    ("link", {"link": "$(link:browsers)", "name": "gone"}),
    ("link", {"link": "eth0", "mtu": 1400}),
    ("address", {"link": "$(link:browsers)", "address": "$(interface:ngfw@browsers)"}),
    ("address", {"link": "$(link:browsers)", "address": "$(interface:ucs-2@browsers)", "present": False}),
    ("route", {"to": "10.9.0.0/16", "via": "172.16.0.1"}),
    ("route", {"to": "10.1.0.0/16", "via": "172.16.0.7"}),
    ("route", {"to": "10.1.0.0/16", "present": False}),
    ("route", {"to": "$(cidr:persona-3)", "kind_of": "blackhole"}),
    ("nft", {"hook": "output", "rules": ["ip daddr $(address:persona-3) drop", "udp dport 8472 drop"]}),
    ("nft", {"hook": "postrouting", "rules": ["ip dscp set cs0"]}),
    ("nft", {"hook": "prerouting", "rules": ["meta l4proto { tcp, udp } numgen random mod 100 < 5 drop"]}),
    ("sysctl", {"key": "net.ipv4.ip_forward", "value": "1"}),
    ("sysctl", {"key": "net/ipv4/conf/eth1.20/forwarding", "value": "1"}),
]


@pytest.fixture
def ns() -> Iterator[str]:
    with namespace() as name:
        yield name


@pytest.fixture
def reach(ns: str) -> Iterator[Local]:
    pod = Pod("web-agents", "web-agent-1", "11111111-2222-3333-4444-555555555555", "ucs-2", True)
    with Local(BED, {"ucs-2": ns, pod.uid: ns}, {"web-agent": pod}) as made:
        yield made


def state(ns: str) -> str:
    """Everything in a namespace that an action could change; whether IPv6 is still looking for a double is not of it."""
    asked = ["ip -o addr", "ip -o link", "ip route", "nft list ruleset", "cat /proc/sys/net/ipv4/ip_forward"]
    asked.append("cat /proc/sys/net/ipv4/conf/eth1.20/forwarding")
    told = "".join(
        subprocess.run(["ip", "netns", "exec", ns, *a.split()], capture_output=True, text=True, check=False).stdout
        for a in asked
    )
    return told.replace(" tentative", "")


@pytest.mark.parametrize("where", [{"node": "ucs-2"}, {"workload": "web-agent"}], ids=["node", "pod"])
@pytest.mark.parametrize(("verb", "arguments"), CALLS, ids=[f"{v} {list(a.values())}" for v, a in CALLS])
def test_what_is_done_holds_and_its_undo_brings_all_of_it_back(
    verb: str, arguments: dict[str, Any], where: dict[str, str], reach: Local, ns: str
) -> None:
    call = Call(f"{'node' if 'node' in where else 'pod'}.{verb}", {**where, **arguments})
    before = state(ns)

    undo = call.reverse(BED, reach)
    assert state(ns) == before, "reverse only looks"
    assert not call.holds(BED, reach)
    call.apply(BED, reach)
    call.apply(BED, reach)
    assert call.holds(BED, reach)
    assert state(ns) != before
    for step in undo:
        Call.of(step.written()).apply(BED, reach)
        step.apply(BED, reach)

    assert all(step.holds(BED, reach) for step in undo)
    assert sorted(state(ns).splitlines()) == sorted(before.splitlines())


def test_a_link_has_so_much_bandwidth_and_then_all_of_it(reach: Local, ns: str) -> None:
    def shown() -> str:
        return subprocess.run(
            ["tc", "-n", ns, "qdisc", "show", "dev", "eth1.20", "root"], capture_output=True, text=True, check=True
        ).stdout

    call, before = Call("node.shape", {"node": "ucs-2", "link": "$(link:browsers)", "rate": 100}), shown()
    undo = call.reverse(BED, reach)
    call.apply(BED, reach)
    assert "qdisc tbf" in shown()
    assert "rate 100Mbit" in shown()
    with pytest.raises(ActionFailed, match="shaped already"):
        call.reverse(BED, reach)
    undo[0].apply(BED, reach)
    undo[0].apply(BED, reach)

    assert undo[0].holds(BED, reach)
    assert shown().split("refcnt")[0].split()[:2] == before.split("refcnt")[0].split()[:2]


def test_what_may_cut_the_runner_off_is_guarded_by_the_node_itself(reach: Local) -> None:
    call = Call("node.link", {"node": "ucs-2", "link": "eth0", "mtu": 1400})
    undo = call.reverse(BED, reach)
    call.apply(BED, reach)
    started = [said for said in reach.said if said.startswith("systemd-run")]

    assert len(started) == 1
    assert "--on-active=180" in started[0]
    assert "ip link set dev eth0 mtu 1500" in started[0]

    undo[-1].apply(BED, reach)
    assert reach.said[-1] == f"systemctl stop {undo[-1].arguments['guarded']}.timer"


def test_a_pod_that_is_gone_took_the_fault_with_it(reach: Local) -> None:
    gone = {"workload": "web-agent", "on": "ucs-2", "uid": "99999999-2222-3333-4444-555555555555", "link": "net1"}
    undo = Call("pod.link", {**gone, "up": True})

    undo.apply(BED, reach)
    assert undo.holds(BED, reach)


def test_a_workload_without_pods_is_told_plainly(reach: Local) -> None:
    with pytest.raises(ActionFailed, match="k6-agent: no pod of it is running"):
        Call("pod.link", {"workload": "k6-agent", "up": False}).apply(BED, reach)


@pytest.mark.parametrize(
    ("action", "arguments", "said"),
    [
        ("node.lnik", {}, "did you mean node.link?"),
        ("node.link", {"node": "ucs2", "link": "eth1"}, "did you mean ucs-2?"),
        ("node.link", {"node": "ucs-2", "link": "eth1", "mtuu": 3}, "did you mean mtu?"),
        ("node.route", {"node": "ucs-2", "to": "10.0.0.0/8"}, "leads via an address"),
        ("node.process", {"node": "ucs-2", "unit": "ssh", "signal": "KILL"}, "the runner's own way in"),
        ("kubernetes.patch", {"kind": "Secret", "namespace": "a", "name": "b", "patch": {}}, "ledger"),
        ("kubernetes.delete", {"kind": "Pot", "namespace": "a", "name": "b"}, "did you mean Pod?"),
        ("switch.trunk", {"node": "ucs-2", "without": "browser"}, "did you mean browsers?"),
        ("certificate.put", {"certificate": "persona-31"}, "did you mean persona-"),
    ],
)
def test_a_wrong_call_names_the_nearest_right_word(action: str, arguments: dict[str, Any], said: str) -> None:
    slips = "\n".join(map(str, Call(action, arguments).slips(BED)))

    assert said in slips
