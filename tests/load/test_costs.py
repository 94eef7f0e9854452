"""What a control plane costs: from two looks, by purpose; and what is not known is said, and not 0."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from plumbline.facts.source import Source
from plumbline.load.costs import NOWHERE, between
from plumbline.load.result import Cost
from plumbline.remote import processes


def looked(at: float, **used: Any) -> dict[str, Source]:
    return {"one": Source("ok", None, 0.1, {"processes": {"at": at, "processes": used}})}


def process(name: str, cpu: float, sent: int, received: int) -> dict[str, Any]:
    return {"name": name, "cpu": cpu, "memory": 1000, "connections": {"a b": [sent, received]}}


def test_costs_are_what_was_used_in_between_by_the_second() -> None:
    first = looked(100.0, p1=process("etcd", 5.0, 1000, 50), p2=process("kwok", 1.0, 0, 0))
    last = looked(110.0, p1=process("etcd", 7.5, 3000, 150), p2=process("kwok", 1.5, 0, 0))
    last["one"].facts["processes"]["processes"]["p1"]["connections"]["a c"] = [500, 0]

    etcd, agents, *others = between(first, last)

    assert etcd == Cost("etcd", "one", cpu=0.25, memory=1000, received=10.0, sent=250.0)
    assert (agents.purpose, agents.cpu) == ("agents", 0.05)
    assert {other.said for other in others} == {NOWHERE}
    assert {other.cpu for other in others} == {None}


def test_a_silent_node_and_a_process_that_was_started_anew_are_said() -> None:
    silent = {"one": Source("timeout", "one: no answer", 5.0)}
    anew = between(looked(1.0, p1=process("etcd", 5, 0, 0)), looked(2.0, p9=process("etcd", 0, 0, 0)))

    assert {cost.said for cost in between(silent, looked(2.0))} == {"one: no answer"}
    assert anew[0] == Cost("etcd", "one", said="it was started anew meanwhile")


def test_where_one_program_is_all_of_them_none_is_missed() -> None:
    found = between(looked(1.0, p1=process("k3s", 1, 0, 0)), looked(2.0, p1=process("k3s", 2, 0, 0)))

    assert [(cost.purpose, cost.cpu) for cost in found] == [("k3s, all in one", 1.0)]


def test_a_process_is_known_by_its_program_and_tells_what_it_has_used() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as cat:
        assert cat.stdin
        assert cat.stdout
        cat.stdin.write(b"\n")
        assert cat.stdout.readline(), "it has begun, and so has its name"
        told = processes.describe(["cat"])["processes"][cat.pid]
        cat.kill()

    assert told["memory"] >= os.sysconf("SC_PAGE_SIZE")
    assert (told["name"], told["connections"]) == ("cat", {})
