"""Locust over the engine, as a user starts it: statistics, CSV, workers, weights and tags, limits, refusal."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plumbline.load import result as results
from tests.load import servers
from tests.load.servers import Origin

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "tests" / "bed" / "small.yaml"
LIMIT = 60
FILE = """
import itertools
from locust import constant, tag, task
from locustfiles.engine.request import Settings, get
from locustfiles.engine.user import EngineUser

class Reader(EngineUser):
    settings = Settings(ca="{ca}", resolve={resolve})

    @tag("small")
    @task(3)
    def small(self):
        yield get("{url}/", "small")

    @tag("missing")
    @task(1)
    def missing(self):
        answer = yield get("{url}/missing", "missing")
        assert answer.status == 404

class Wrong(EngineUser):
    @task
    def page(self):
        raise KeyError("oops")
"""
BED = """
version: 1
extends: {small}
allow: {{load: {allowed}}}
personas: {{origin: {{address: {address}}}}}
load:
  limits: {{users: 9, requests: {requests}, time: 30s}}
  targets:
    kept: {{profile: {profile}, from: agent, to: personas, users: 3, warm_up: 1s, steady: {steady}, promise: {{rate: 20}}}}
"""
Locust = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def locust(tmp_path: Path) -> Locust:
    """Starts Locust in a folder of its own."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "locust", "--headless", "--exit-code-on-error", "0", *arguments]
        surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            command, cwd=tmp_path, env=surroundings, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    return start


@pytest.fixture
def file(tmp_path: Path, origin: Origin) -> str:
    """A plain locustfile."""
    path = tmp_path / "plain.py"
    path.write_text(FILE.format(ca=origin.ca, resolve=origin.resolve, url=origin.url))
    return str(path)


def said(process: subprocess.Popen[str]) -> str:
    """What it printed, once it has ended."""
    with process:
        try:
            return process.communicate(timeout=LIMIT)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def until(process: subprocess.Popen[str], words: str) -> None:
    """Waits for a line of what it prints; it prints all the time, and ends within its limits."""
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line)
        if words in line:
            return
    pytest.fail(f"it has ended without {words!r}: {''.join(told)}")


def rows(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open(encoding="utf-8") as opened:
        return {(row["Type"], row["Name"]): row for row in csv.DictReader(opened)}


def test_its_statistics_are_locusts(locust: Locust, file: str, tmp_path: Path) -> None:
    said(locust("-f", file, "-u", "4", "-r", "4", "-t", "4s", "--csv", "out", "Reader"))

    found = rows(tmp_path / "out_stats.csv")
    small, missing, every = found["GET", "small"], found["GET", "missing"], found["", "Aggregated"]
    assert int(small["Request Count"]) > 2 * int(missing["Request Count"]) > 0, "tasks are chosen by their weight"
    assert int(missing["Failure Count"]) == int(missing["Request Count"])
    assert int(every["Request Count"]) == int(small["Request Count"]) + int(missing["Request Count"])
    assert (
        int(found["tls", "small"]["Request Count"])
        + int(found.get(("tls", "missing"), {"Request Count": "0"})["Request Count"])
        == 4
    )
    assert "status 404" in (tmp_path / "out_failures.csv").read_text()


def test_the_run_time_begins_when_the_files_are_read(locust: Locust, file: str) -> None:
    with open(file, "a", encoding="utf-8") as script:
        script.write("import time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end:\n    pass\n")

    out = said(locust("-f", file, "-u", "1", "-t", "2s", "--json", "--skip-log-setup", "Reader"))

    entries: list[dict[str, Any]] = json.loads(out[out.index("[") :])
    assert max(entry["last_request_timestamp"] - entry["start_time"] for entry in entries) > 1


def test_tags_choose_tasks(locust: Locust, file: str) -> None:
    out = said(
        locust("-f", file, "-u", "1", "-t", "1s", "--json", "--skip-log-setup", "--tags", "small", "--", "Reader")
    )

    entries: list[dict[str, Any]] = json.loads(out[out.index("[") :])
    assert {entry["name"] for entry in entries} == {"small"}


def test_a_mistake_in_a_task_is_told_once_a_user(locust: Locust, file: str) -> None:
    out = said(locust("-f", file, "-u", "2", "-r", "2", "-t", "2s", "--only-summary", "Wrong"))

    assert out.count("a user of Wrong has ended by a mistake in its script: KeyError: 'oops'") == 2


@pytest.fixture
def bed(tmp_path: Path) -> Callable[..., str]:
    """Writes a bed file with one target."""

    def write(**changed: str) -> str:
        words = {
            "small": SMALL,
            "allowed": "true",
            "address": "127.77.0.1",
            "requests": "100000",
            "steady": "3s",
            "profile": "tls_inspection",
            **changed,
        }
        (tmp_path / "small.yaml").write_text(SMALL.read_text())
        (tmp_path / "bed.yaml").write_text(BED.format(**{**words, "small": "small.yaml"}))
        return str(tmp_path / "bed.yaml")

    return write


@pytest.fixture(scope="module")
def persona(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A persona where the bed file says that one is: port 443 of an address of the loopback."""
    if os.geteuid() != 0:
        pytest.skip("port 443 is for root")
    with servers.caddy(tmp_path_factory.mktemp("persona"), "127.77.0.1", 443) as running:
        yield running


def profile(*more: str, name: str = "tls_inspection") -> list[str]:
    return ["-f", str(ROOT / "locustfiles" / f"{name}.py"), "--result", "result.json", "--only-summary", *more]


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one process", "master and two workers"])
def test_a_target_is_run_and_told(
    locust: Locust, bed: Callable[..., str], persona: Origin, tmp_path: Path, processes: tuple[str, ...]
) -> None:
    said(locust(*profile("--bed", bed(), "--ca", persona.ca, *processes)))

    told = results.read(tmp_path / "result.json")
    assert (told.target, told.users, told.stopped, told.failures) == ("kept", 3, "", {})
    assert told.seconds >= 3
    assert told.answered == sum(told.whole_seconds()) > 60


def test_pages_are_opened_by_a_browser(
    locust: Locust, bed: Callable[..., str], persona: Origin, tmp_path: Path
) -> None:
    said(locust(*profile("--bed", bed(profile="browser", steady="5s"), "--ca", persona.ca, name="browser")))

    told = results.read(tmp_path / "result.json")
    assert (told.users, told.stopped, told.failures) == (3, "", {})
    assert told.answered > 3
    assert {sample.generator for sample in told.generator} == {"", "browser"}


def test_it_stops_by_itself_at_its_limit(
    locust: Locust, bed: Callable[..., str], persona: Origin, tmp_path: Path
) -> None:
    out = said(locust(*profile("--bed", bed(requests="50"), "--ca", persona.ca)))

    assert "its limit of 50 requests is reached" in out
    assert results.read(tmp_path / "result.json").stopped
    assert re.search(r"Aggregated +50 ", out)


def test_ctrl_c_ends_it_with_what_was_measured(
    locust: Locust, bed: Callable[..., str], persona: Origin, tmp_path: Path
) -> None:
    process = locust(*profile("--bed", bed(steady="20s"), "--ca", persona.ca))
    until(process, "All users spawned")
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    said(process)

    told = results.read(tmp_path / "result.json")
    assert told.stopped == "it was ended before its steady phase was over"
    assert sum(second.answered for second in told.by_second) > 20


def test_a_bed_that_does_not_allow_it_is_left_alone(locust: Locust, bed: Callable[..., str], tmp_path: Path) -> None:
    process = locust(*profile("--bed", bed(allowed="false")))
    out = said(process)

    assert process.returncode == 2
    assert "this bed does not allow load" in out
    assert not (tmp_path / "result.json").exists()
