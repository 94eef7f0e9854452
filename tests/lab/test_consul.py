"""Consul's part of the lab: pure files by the bed file; and a bed of real agents, judged by its own gate (needs root)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import consul
from lab.consul import acl
from lab.disks import FileSpec
from lab.pki import Pki
from plumbline.bed import Bed, load

ROOT = Path(__file__).parents[2]
BED = Path(__file__).parent / "beds/consul.yaml"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="machines need root")


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(BED)


@pytest.fixture(scope="module")
def files(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, FileSpec]]:
    folder = tmp_path_factory.mktemp("consul")
    return consul.files(bed, Pki(folder / "pki"), folder)


def test_a_second_time_gives_the_same_files(bed: Bed, tmp_path: Path) -> None:
    first, again = (consul.files(bed, Pki(tmp_path / "pki"), tmp_path) for _ in range(2))

    assert first == again


def test_secrets_are_for_the_agent_alone(files: dict[str, dict[str, FileSpec]]) -> None:
    for of_node in files.values():
        config = of_node["/etc/consul.d/consul.hcl"]
        assert (config.mode, config.owner) == (0o640, "consul")
        secrets = re.findall(r'"([0-9a-f-]{36}|[\w+/]{43}=)"', str(config.content))
        assert len(secrets) == 4
        assert not [path for path, spec in of_node.items() if spec.mode & 4 and any(s in spec.content for s in secrets)]


def test_no_check_of_a_service_begins_as_passing(files: dict[str, dict[str, FileSpec]]) -> None:
    defined = [json.loads(s.content) for f in files.values() for p, s in f.items() if p.endswith(".json")]

    assert len(defined) == 8
    assert not [check for each in defined for check in each["service"]["checks"] if "status" in check]


def test_clients_ask_for_their_certificates_and_servers_have_theirs(files: dict[str, dict[str, FileSpec]]) -> None:
    server, client = (str(files[node]["/etc/consul.d/consul.hcl"].content) for node in ("bettley", "jast"))

    assert "allow_tls = true" in server
    assert "cert_file" in server
    assert re.search(r"auto_encrypt {\n  tls = true", client)
    assert "cert_file" not in client


def test_every_token_may_do_what_its_node_needs_and_no_more(bed: Bed) -> None:
    assert bed.consul
    tokens = {token.name: token.may for token in acl.tokens(bed.consul)}

    assert tokens["agent-jast"] == {"NodeIdentities": [{"NodeName": "jast", "Datacenter": "dc1"}]}
    assert tokens["services-jast"] == {"ServiceIdentities": [{"ServiceName": "ssh"}]}
    assert "global-management" not in json.dumps([*tokens.values()])


def test_a_bed_without_consul_has_nothing_of_it(bed: Bed, tmp_path: Path) -> None:
    other = bed.model_copy(update={"consul": None})

    assert consul.programs(other) == ()
    assert consul.files(other, Pki(tmp_path), tmp_path) == {}
    assert consul.units(other, "jast") == ()


@pytest.fixture(scope="module")
def lab() -> Iterator[None]:
    """The bed is up meanwhile."""
    _lab("up")
    try:
        yield
    finally:
        _lab("down")


def _lab(word: str) -> None:
    command = [sys.executable, "-m", "lab", word, "--bed", str(BED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_root
def test_the_gate_finds_it_well_over_its_own_api(lab: None, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-n2", "suites/consul", "--bed", str(BED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout.splitlines()[-1].startswith("GO · t-consul"), done.stdout[-3000:]
