"""The profile attachments as a user starts it, against an API server of tests: what it measures, and what it leaves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plumbline.load import result as results
from plumbline.load.costs import NOWHERE
from plumbline.load.result import CREATED, SCHEDULED
from tests.load import cluster
from tests.load.cluster import Cluster

ROOT = Path(__file__).parents[2]
LIMIT = 60
BED = """
version: 1
bed: made-{pid}
realised_by: hardware
allow: {{load: {allowed}}}
access: {{credentials: {{kubernetes-load: "${{file:load.kubeconfig}}"}}}}
nodes: {{one: {{role: control, oobi: 127.0.0.1, ssh: false, kubernetes: control-plane}}}}
networks: {{oobi: {{cidr: 127.0.0.0/8}}}}
kubernetes: {{version: v1.34.4, api: "{url}", pods: 10.42.0.0/16, services: 10.43.0.0/16, dns: 10.43.0.10}}
load:
  limits: {{users: 9, requests: {requests}, time: 30s}}
  targets:
    made: {{profile: attachments, to: kubernetes, users: 5, pace: 20, factors: {{agents: 3, population: 7}}, timeout: {timeout}, warm_up: 1s, steady: {steady}, promise: {{rate: 15, within: {{p90: 900ms}}, created: {{p90: 500ms}}, scheduled: {{p50: 500ms}}}}}}
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Cluster]:
    """An API server that fulfils whatever is made."""
    with cluster.running(tmp_path) as found:
        (tmp_path / "load.kubeconfig").write_text(found.kubeconfig)
        yield found


@pytest.fixture
def start(api: Cluster, tmp_path: Path) -> Start:
    """Starts a run of the only target, as `python -m locustfiles` does."""

    def begin(**changed: str) -> subprocess.Popen[str]:
        words = {"allowed": "true", "requests": "5000", "timeout": "5s", "steady": "3s", **changed}
        (tmp_path / "bed.yaml").write_text(BED.format(pid=os.getpid(), url=api.url, **words))
        command = [sys.executable, "-m", "locustfiles", "made", "--bed", str(tmp_path / "bed.yaml")]
        command += ["--report-dir", str(tmp_path)]
        return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    return begin


def said(process: subprocess.Popen[str]) -> str:
    with process:
        return process.communicate(timeout=LIMIT)[0]


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_each_stage_is_measured_and_judged_and_nothing_is_left(start: Start, api: Cluster, tmp_path: Path) -> None:
    out = said(start())

    assert "passed: scheduled: p50" in out
    told = results.read(tmp_path / "load" / "made" / "result.json")
    created, scheduled = (told.phases[name].quantile(0.5) for name in (CREATED, SCHEDULED))
    assert created < scheduled < told.total.quantile(0.5)
    assert told.total.least > 30_000
    assert (told.failures, api.pods, api.nodes) == ({}, {}, {})
    assert {cost.said for cost in told.costs} == {NOWHERE}
    assert sum(name.startswith("plumbline-agent-") for name in api.made) == 3
    assert "population-6" in api.made


def test_what_is_not_fulfilled_in_time_has_failed(start: Start, api: Cluster, tmp_path: Path) -> None:
    api.work = lambda cluster, pod: cluster.fulfil(pod, fulfilled=0.0 if "population" in str(pod) else 30.0)

    out = said(start(timeout="1s"))

    assert re.search(r"failed: (\d+) of \1 failed", out)
    assert set(results.read(tmp_path / "load" / "made" / "result.json").failures) == {"not fulfilled in time"}
    assert not api.pods


@pytest.mark.parametrize("refused", ["watch=1", "limit=1"])
def test_what_nobody_watched_is_unknown(start: Start, api: Cluster, refused: str) -> None:
    api.refused = refused

    out = said(start())

    assert re.search(r"unknown: nothing was watched: .*50\d", out)
    assert "failed: " not in out


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_removes_what_it_has_made(start: Start, api: Cluster, how: signal.Signals) -> None:
    process = start(steady="20s")
    until(lambda: any(name.startswith("attachment-") for name in api.made))
    os.kill(children(process.pid)[0], how)
    said(process)

    assert (api.pods, api.nodes) == ({}, {})


def test_what_a_killed_run_has_left_is_removed_by_the_next(start: Start, api: Cluster) -> None:
    process = start(steady="20s")
    until(lambda: any(name.startswith("attachment-") for name in api.made))
    os.kill(children(process.pid)[0], signal.SIGKILL)
    said(process)
    left = set(api.pods)

    assert left
    assert said(start()).count("passed") == 5
    assert (api.pods, api.nodes) == ({}, {})


def test_it_makes_no_more_than_its_limit(start: Start, api: Cluster) -> None:
    out = said(start(requests="100"))

    assert "it was ended before its steady phase was over" not in out
    assert sum(name.startswith("attachment-") for name in api.made) <= 100


def test_nothing_is_made_where_load_is_not_allowed_or_nobody_fulfils(start: Start, api: Cluster) -> None:
    assert "this bed does not allow load" in said(start(allowed="false"))
    assert not api.made


def children(pid: int) -> list[int]:
    """Of all of its threads: the one that enters a namespace starts the run."""
    told = (file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for text in told for child in text.split()]
