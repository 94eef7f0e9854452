"""The gate under load, on a tiny bed whose persona is on loopback: passed, failed and unknown, each with its reason."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline import places
from tests.gate.tiny import ROOT, Tiny
from tests.load import servers

BED = """
allow: {load: true}
attachments: {agent: {namespace: work, network: k6, ipam: static, address: 172.17.0.9}}
workloads:
  agent: {namespace: work, kind: Deployment, program: k6-agent, attach: agent, trusts: ca}
  origin: {namespace: work, kind: Deployment, program: persona}
authorities: {ca: {bundle: {configmap: work/ca, key: ca.crt}}}
personas: {origin: {workload: origin, name: origin.example.internal, address: 127.77.0.2, network: browsers}}
load:
  limits: {users: 9, requests: 200000, time: 30s}
  targets:
    kept:   {profile: tls_inspection, from: agent, to: origin, users: 2, warm_up: 1s, steady: 3s, pace: 40, promise: {rate: 30, within: {p50: 900ms}}}
    beyond: {profile: tls_inspection, from: agent, to: origin, users: 2, warm_up: 1s, steady: 3s, pace: 40, objects: [/broken], promise: {rate: 30}}
"""
HERE = """

@pytest.fixture(scope="session")
def trusted():
    return lambda target: Path("{ca}")

@pytest.fixture(scope="session")
def place():
    return lambda workload: ""
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Tiny]:
    """A bed with two targets, and the suite as it is but for whom to trust and where to send from."""
    if os.geteuid() != 0:
        pytest.skip("port 443 is for root")
    project = Tiny(tmp_path / "project", f"tiny-load-{os.getpid()}")
    project.bed(BED)
    for file in ("conftest.py", "pyproject.toml"):
        project.write(file, (ROOT / file).read_text(encoding="utf-8"))
    with servers.caddy(tmp_path, "127.77.0.2", 443) as origin:
        for file in ("cases.py", "conftest.py", "test_targets.py"):
            more = HERE.format(ca=origin.ca) if file == "conftest.py" else ""
            project.write(f"suites/load/{file}", (ROOT / "suites" / "load" / file).read_text(encoding="utf-8") + more)
        yield project
    assert not places.hold_file(project.name).exists()


def test_each_target_is_judged_by_what_it_promises(tiny: Tiny) -> None:
    ended = tiny.run("suites/load", "--load")

    assert ended.outcomes() == {
        "the promised rate is borne kept": "passed",
        "answers come in time kept": "passed",
        "next to nothing fails kept": "passed",
        "the promised rate is borne beyond": "failed",
        "answers come in time beyond": "passed",
        "next to nothing fails beyond": "failed",
        "inspection leaves the promised share of the rate NOTSET": "not-applicable",
        "pods share the load NOTSET": "not-applicable",
    }
    broken = next(c for c in ended.report["checks"] if c["title"] == "next to nothing fails" and c["case"] == "beyond")
    assert "status 503" in broken["found"]
    assert broken["subject"] == "load:beyond"
    assert ended.code == 1


def test_a_good_run_is_kept_to_compare_with_and_all_runs_are_drawn(tiny: Tiny) -> None:
    tiny.run("suites/load", "--load")
    kept = list((tiny.folder / "reports" / "baselines").rglob("*.json"))

    assert [file.parent.name for file in kept] == ["kept"]
    assert (tiny.folder / "reports" / "gate.html").read_text(encoding="utf-8").count("<svg viewBox") == 2


def test_a_run_that_is_worse_than_the_last_good_one_is_a_regression(tiny: Tiny) -> None:
    tiny.run("suites/load", "--load", "-k", "kept")
    good = next((tiny.folder / "reports" / "baselines").rglob("*.json"))
    before = json.loads(good.read_text(encoding="utf-8"))
    seconds = [{**second, "answered": 100 * second["answered"]} for second in before["by_second"]]
    faster = json.dumps({**before, "by_second": seconds})
    good.write_text(faster, encoding="utf-8")

    ended = tiny.run("suites/load", "--load", "-k", "kept")

    assert ended.outcomes()["the promised rate is borne kept"] == "failed"
    assert good.read_text(encoding="utf-8") == faster


def test_without_load_nothing_is_sent(tiny: Tiny) -> None:
    assert tiny.run("suites/load").code == 5


def test_it_is_refused_where_the_bed_does_not_allow_it(tiny: Tiny) -> None:
    tiny.bed(BED.replace("allow: {load: true}", "allow: {load: false}"))

    ended = tiny.run("suites/load", "--load")

    assert ended.code == 4
    assert "--load: this bed does not allow it" in ended.out
