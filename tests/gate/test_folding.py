"""What explains what."""

from __future__ import annotations

import random

from plumbline.verdict import Result, fold, verdict
from plumbline.verdict.folding import causes, roots_of
from plumbline.verdict.model import Outcome


def red(
    subject: str, *needs: str, check: str = "", outcome: Outcome = "failed", cause: str = "", severity: str = "major"
) -> Result:
    check = check or f"network.{subject.partition(':')[0]}"
    layer = check.partition(".")[0]
    return Result(
        nodeid=f"{check}[{subject}]",
        id=check,
        layer=layer,
        subject=subject,
        needs=needs,
        outcome=outcome,
        cause=cause,
        severity=severity,
    )


def told(*results: Result) -> list[tuple[list[str], list[str]]]:
    """Findings as subjects: roots, consequences."""
    return [([r.subject for r in f.roots], [r.subject for r in f.consequences]) for f in fold(results)]


def test_what_stands_on_a_red_thing_is_a_consequence() -> None:
    vlan, port, flow = red("vlan:20"), red("port:a/20", "vlan:20"), red("flow:a>b", "port:a/20")

    assert told(flow, port, vlan) == [(["vlan:20"], ["flow:a>b", "port:a/20"])]
    assert causes([flow, port, vlan])[flow.nodeid] == "vlan:20"


def test_things_apart_are_findings_of_their_own() -> None:
    assert told(red("vlan:20"), red("node:a", check="host.up")) == [(["node:a"], []), (["vlan:20"], [])]


def test_one_check_that_fails_alike_is_one_finding() -> None:
    assert told(red("vlan:20"), red("vlan:30")) == [(["vlan:20", "vlan:30"], [])]


def test_checks_that_say_the_same_of_one_subject_are_told_once() -> None:
    stopped = [
        red(f"load:{target}", check=f"load.{name}", outcome="unknown", cause="run:stopped")
        for target, name in (("a", "rate"), ("a", "times"), ("b", "rate"))
    ]
    (finding,) = fold(stopped)

    assert len(finding.roots) == 3
    assert [result.subject for result in finding.told] == ["load:a", "load:b"]


def test_an_unknown_points_to_its_cause() -> None:
    node = red("node:a", check="host.up")
    sysctl = red("setting:a/x", check="host.sysctl", outcome="unknown", cause="node:a")

    assert told(sysctl, node) == [(["node:a"], ["setting:a/x"])]


def test_unknowns_with_one_cause_that_nothing_is_known_of_are_one_finding() -> None:
    first = red("setting:a/x", check="host.sysctl", outcome="unknown", cause="node:a")
    second = red("link:a/eth1", check="network.link", outcome="unknown", cause="node:a")

    assert told(first, second) == [(["setting:a/x", "link:a/eth1"], [])]


def test_a_failure_explains_better_than_an_open_question() -> None:
    flow, vlan = red("flow:a>b", "vlan:20", "node:a"), red("vlan:20", outcome="unknown")
    node = red("node:a", check="host.up")

    assert told(flow, vlan, node)[0] == (["node:a"], ["flow:a>b"])


def test_cycles_are_harmless() -> None:
    one, two, three = red("a:1", "b:2"), red("b:2", "c:3"), red("c:3", "a:1")

    assert told(one, two, three) == [(["a:1"], ["b:2", "c:3"])]


def test_a_cause_that_is_named_may_close_a_ring() -> None:
    shown, silent = red("tls:a", "vault:a", check="pki.served"), red("vault:a", "serial:a", check="vault.answers")
    serial = red("serial:a", check="pki.serial", outcome="unknown", cause="tls:a")

    assert told(shown, silent, serial) == [(["vault:a"], ["tls:a", "serial:a"])]


def test_every_root_is_its_own_whatever_stands_on_what() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        names = [f"k{n}:x" for n in range(6)]
        results = [
            red(name, *chance.sample(names, 2), outcome=chance.choice(["failed", "unknown"]), cause=chance.choice(["", *names]))
            for name in names
        ]  # fmt: skip
        found = roots_of(results)

        assert all(found[root.nodeid] is root for root in found.values()), seed
        assert sum(len(f.roots) + len(f.consequences) for f in fold(results)) == len(results)


def test_two_failures_of_one_thing_do_not_hide_each_other() -> None:
    assert len(told(red("vlan:20", check="network.mtu"), red("vlan:20", check="network.tag"))) == 2


def test_the_worst_and_the_broadest_come_first() -> None:
    small = red("link:a", severity="minor")
    broad = [red("node:b", check="host.up"), *(red(f"setting:b/{n}", "node:b") for n in range(3))]
    grave = red("vlan:20", severity="critical")

    assert [f.first.subject for f in fold([small, *broad, grave])] == ["vlan:20", "node:b", "link:a"]


def test_a_finding_is_as_grave_as_what_follows_from_it() -> None:
    [finding] = fold([red("link:a", severity="minor"), red("flow:a>b", "link:a", severity="critical")])

    assert finding.severity == "critical"


def test_nobody_looked_is_not_go() -> None:
    shown = red("a:1", outcome="not-applicable")

    assert verdict([]) == "unknown"
    assert verdict([shown]) == "unknown"
    assert verdict([red("a:1", outcome="passed"), shown]) == "go"
    assert verdict([red("a:1", outcome="passed"), red("b:1", outcome="unknown")]) == "unknown"
    assert verdict([red("a:1"), red("b:1", outcome="unknown")]) == "no-go"
