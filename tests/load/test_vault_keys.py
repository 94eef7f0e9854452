"""Values in Vault under load: three servers of the real program, asked by the gate's own role, and left as they were."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.load import result as results
from tests.lab import vault_program
from tests.lab.vault_program import Running

ROOT = Path(__file__).parents[2]
LOAD = """
version: 1
extends: {bed}
realised_by: hardware
allow: {{load: true}}
access: {{credentials: {{vault: "${{file:{gate}}}"}}}}
load:
  limits: {{users: 9, requests: 100000, time: 30s}}
  targets:
    values: {{profile: control_plane, to: vault, users: 3, pace: 60, warm_up: 2s, steady: 4s, promise: {{rate: 50}}}}
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that is active and two standbys."""
    with vault_program.running(tmp_path_factory.mktemp("vault"), "one", "two", "three") as running:
        yield running


def run(running: Running, folder: Path, gate: Path) -> subprocess.CompletedProcess[str]:
    """Locust on the profile, with the credentials in a file."""
    (folder / "one.yaml").write_text(running.bed.path.read_text())
    (folder / "bed.yaml").write_text(LOAD.format(bed="one.yaml", gate=gate))
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "control_plane.py"), "--headless"]
    command += ["--bed", "bed.yaml", "--result", "result.json", "--only-summary", "--csv", "out"]
    around = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=around, text=True, capture_output=True, timeout=60, check=False)


@pytest.fixture(autouse=True)
def nothing_is_left(servers: Running) -> Iterator[None]:
    """No test leaves a key."""
    yield
    assert listed(servers) == 404


def listed(running: Running) -> int:
    """The status of a list of all keys below the folder for load: 404 where there are none."""
    server, (_, metadata) = running.admin.servers()["one"], running.vault.load_paths()
    return server.ask("GET", f"{metadata}?list=true", token=running.admin.token).status


def test_values_are_written_and_read_by_way_of_each_server_and_none_is_left(servers: Running, tmp_path: Path) -> None:
    said = run(servers, tmp_path, servers.gate)

    assert said.returncode == 0, said.stderr
    told = results.read(tmp_path / "result.json")
    assert (told.failures, told.stopped) == ({}, "")
    assert told.answered == sum(told.whole_seconds()) > 0
    with (tmp_path / "out_stats.csv").open() as opened:
        rows = {(row["Type"], row["Name"]): int(row["Request Count"]) for row in csv.DictReader(opened)}
    assert abs(rows["POST", "write"] - rows["GET", "read"]) <= 3
    assert rows["tls", "write"] > 3, "three users, and more servers than one"
    assert "Traceback" not in said.stderr
    assert json.loads(servers.gate.read_text())["secret_id"] not in said.stdout + said.stderr


def test_who_is_not_let_in_is_told_and_asks_nothing(servers: Running, tmp_path: Path) -> None:
    wrong = tmp_path / "gate.json"
    wrong.write_text(servers.gate.read_text().replace('"secret_id": "', '"secret_id": "x'))
    said = run(servers, tmp_path, wrong)

    assert said.returncode == 2
    assert "load: Vault does not let the gate in: 127.0.0.3: status 400" in said.stderr
    assert not (tmp_path / "result.json").exists()
