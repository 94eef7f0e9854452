"""Names under load: what a question comes to, whom a target asks, and a run of Locust that is judged like any other."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from locustfiles import names
from locustfiles.failed import CallFailed
from locustfiles.names import Question
from plumbline.bed import load
from plumbline.load import result as results
from plumbline.load import verdict
from tests.load import names as server

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "tests" / "bed" / "small.yaml"
BED = """
version: 1
extends: small.yaml
allow: {load: true}
kubernetes: {dns: 127.77.0.53}
load:
  limits: {users: 9, requests: 100000, time: 30s}
  targets:
    names: {profile: dns_queries, from: agent, to: dns, users: 4, pace: 100, warm_up: 1s, steady: 3s, promise: {rate: 90, within: {p95: 900ms}}}
    keys:  {profile: tls_inspection, from: agent, to: dns, users: 4, promise: {rate: 90}}
"""
RIGHT = {"kubernetes.default.svc.cluster.local": "10.43.0.1", "origin.example.internal": "10.2.0.10"}


@pytest.fixture
def bed(tmp_path: Path) -> Path:
    """A bed file whose cluster answers on loopback."""
    (tmp_path / "small.yaml").write_text(SMALL.read_text())
    (tmp_path / "bed.yaml").write_text(BED)
    return tmp_path / "bed.yaml"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server that answers four names, each in its way."""
    said = {"good.x": "10.0.0.1", "wrong.x": "10.0.0.9", "silent.x": server.SILENT, "rubbish.x": server.RUBBISH}
    with server.serve("127.0.0.1", said) as listening:
        yield listening


def ask(port: int, name: str) -> None:
    """One question, whose right answer is 10.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        names.ask(sock, Question(name, "x", frozenset(["10.0.0.1"])), 0.2)


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("wrong.x", "wrong answer"),
        ("silent.x", "timeout: no answer"),
        ("rubbish.x", "not DNS"),
        ("other.x", "rcode NXDOMAIN"),
    ],
)
def test_how_a_question_fails(port: int, name: str, failure: str) -> None:
    ask(port, "good.x")
    with pytest.raises(CallFailed, match=f"^{failure}$"):
        ask(port, name)


def test_a_port_that_is_closed_is_told_from_silence() -> None:
    with pytest.raises(CallFailed, match=r"^connection refused$"):
        ask(1, "good.x")


def test_whom_a_target_asks_and_what_is_right(bed: Path) -> None:
    declared = load(bed)
    assert declared.load
    target = declared.load.targets["names"]

    assert names.servers(declared, target) == [("127.77.0.53", 53)]
    assert {one.name: set(one.addresses) for one in names.questions(declared, target)} == {
        name: {address} for name, address in RIGHT.items()
    }


def run(bed: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Locust on the profile, in a folder of its own."""
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "dns_queries.py"), "--headless"]
    command += ["--bed", str(bed), "--result", "result.json", "--only-summary", "--csv", "out", *more]
    around = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=bed.parent, env=around, text=True, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one process", "master and two workers"])
def test_a_run_is_told_and_judged_like_any_other(bed: Path, processes: tuple[str, ...]) -> None:
    if os.geteuid() != 0:
        pytest.skip("port 53 is for root")
    with server.serve("127.77.0.53", RIGHT, 53):
        said = run(bed, "--target", "names", *processes)

    assert said.returncode == 0, said.stderr
    declared, told = load(bed).load, results.read(bed.parent / "result.json")
    assert declared
    assert {one.outcome for one in verdict.judge(told, declared.targets["names"])} == {"passed"}, told.failures
    assert (told.target, told.users, told.failures, told.stopped) == ("names", 4, {}, "")
    assert told.answered == sum(told.whole_seconds())
    assert 0.01 < told.generator[-1].cpu < 1
    with (bed.parent / "out_stats.csv").open() as opened:
        rows = {(row["Type"], row["Name"]): int(row["Request Count"]) for row in csv.DictReader(opened)}
    assert rows["", "Aggregated"] == rows["A", "cluster.local"] + rows["A", "example.internal"] >= told.answered


def test_answers_that_do_not_come_are_failures_and_the_plan_is_kept(bed: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("port 53 is for root")
    with server.serve("127.77.0.53", {**RIGHT, "origin.example.internal": "10.2.0.99"}, 53):
        run(bed, "--target", "names")

    told = results.read(bed.parent / "result.json")
    assert set(told.failures) == {"wrong answer"}
    assert told.failed == pytest.approx(told.answered, rel=0.1)
    assert told.failed + told.answered == pytest.approx(100 * told.seconds, rel=0.1)


def test_a_profile_is_not_driven_against_what_it_does_not_know(bed: Path) -> None:
    said = run(bed, "--target", "keys", "-f", str(ROOT / "locustfiles" / "tls_inspection.py"))

    assert said.returncode == 2
    assert "the profile tls_inspection asks personas and services, and not dns" in said.stderr
