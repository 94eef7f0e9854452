"""One server of the real program, on this machine's loopback: it takes the lab's configuration and becomes what it should."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import programs, stepca, vault
from lab.pki import Pki
from lab.vault.settle import Admin, _settle
from plumbline.bed import Bed, load
from plumbline.bed.model import Vault
from plumbline.collect import vault as collecting
from plumbline.collect.access import Access
from plumbline.facts.vault import VaultFacts
from plumbline.remote import audit
from plumbline.remote.types import Probe

BED = """
version: 1
bed: one-vault
realised_by: lab
nodes: {{one: {{role: server, oobi: 127.0.0.1}}}}
networks: {{oobi: {{cidr: 127.0.0.0/8}}}}
step_ca: {{node: one, domain: example.net, on: [one], root: {folder}/root.crt}}
service_certificates:
  vault: {{on: [one], unit: vault, certificate: {folder}/tls.crt, key: {folder}/tls.key, names: [vault.service.consul], port: {port}}}
vault:
  on: [one]
  cluster: goldentooth
  certificate: vault
  port: {port}
  cluster_port: {cluster_port}
  configuration: {folder}/vault.hcl
  environment: {folder}/vault.env
  seal: {{type: static}}
  storage: {{path: {folder}/data}}
  audit: {folder}/audit.log
  settings: {{log_level: info, telemetry.prometheus_retention_time: 24h}}
  engines: {{secret: {{type: kv, version: 2}}, pki: {{type: pki}}}}
  secrets: {{canary: {{path: secret/plumbline/canary, readable: true}}, private: {{path: secret/apps/private, readable: false}}}}
  issuing: {{engine: pki, name: canary.example.net}}
"""


@dataclass(frozen=True)
class Running:
    """The server, and what the gate shows to it."""

    bed: Bed
    vault: Vault
    admin: Admin
    gate: Path
    log: Path

    def asked(self) -> VaultFacts:
        source = collecting.ask(self.bed, Access(credentials={"vault": self.gate.read_text()}), True, 1.0)
        assert source.outcome == "ok", source.error
        return VaultFacts(source.facts, self.vault)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("vault")
    (folder / "data").mkdir(mode=0o700)
    port, cluster_port = _free(), _free()
    file = folder / "bed.yaml"
    file.write_text(BED.format(folder=folder, port=port, cluster_port=cluster_port))
    bed, pki = load(file), Pki(folder / "pki")
    assert bed.vault is not None
    for files in (stepca.files(bed, pki, folder)["one"], vault.files(bed, pki, folder)["one"]):
        for path, spec in files.items():
            if path.startswith(str(folder)):
                content = spec.content.encode() if isinstance(spec.content, str) else spec.content
                Path(path).write_bytes(content)
    name, _, key = (folder / "vault.env").read_text().strip().partition("=")
    program, log = programs.ensure([vault.PROGRAM])[vault.PROGRAM], folder / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [program, "server", f"-config={folder}/vault.hcl"], stdout=said, stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], name: key, "GOMAXPROCS": "1"},
        )  # fmt: skip
    try:
        admin = Admin(bed, bed.vault, vault.own_folder(folder), pki, time.monotonic() + 30)
        try:
            gate = Path(_settle(admin)["vault"])
        except BaseException:
            print(log.read_text())
            raise
        yield Running(bed, bed.vault, admin, gate, log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


def test_it_is_what_the_bed_file_says(server: Running) -> None:
    vault = server.asked()
    one = vault.server("one")

    assert one.state == "active"
    assert one.seal_type == "static"
    assert one.recovery
    assert one.storage == "raft"
    assert one.cluster[0] == "goldentooth"
    assert one.version == "2.7.2"
    assert one.leader == f"https://127.0.0.1:{server.vault.port}"
    assert one.active_for is not None
    assert one.active_for < 120
    for path, wanted in server.vault.settings.items():
        assert vault.setting(path) is not None, (path, wanted)


def test_the_gate_may_look_and_nothing_else(server: Running) -> None:
    vault = server.asked()

    assert vault.login.status == 200
    assert {path: vault.rights(path) for path in server.vault.allowed} == {
        path: frozenset(rights) for path, rights in server.vault.allowed.items()
    }
    assert {path: vault.rights(path) for path in server.vault.forbidden if vault.rights(path)} == {}
    assert vault.secret("one", "canary")[0].status == 200
    assert vault.secret("one", "private")[0].status == 403
    assert vault.anonymous("one") == 403
    assert vault.revoked("one") == 403
    assert vault.copied("one")[2]


def test_strangers_are_refused(server: Running) -> None:
    vault = server.asked()

    assert vault.stranger("one", "none") == (False, vault.stranger("one", "none")[1])
    assert not vault.stranger("one", "foreign")[0]


def test_engines_keep_and_make_secrets(server: Running) -> None:
    vault = server.asked()
    said, certificate = vault.issued

    assert vault.engines["secret"]["options"] == {"version": "2"}
    assert vault.engines["pki"]["type"] == "pki"
    assert (said.status, certificate[:27]) == (200, "-----BEGIN CERTIFICATE-----"), said
    assert vault.authority.startswith("-----BEGIN CERTIFICATE-----")
    assert vault.revocations.startswith("-----BEGIN X509 CRL-----")
    assert vault.metrics("one")[1] > 20
    assert vault.peers["one"]["voter"]


def test_a_request_is_written_down(server: Running) -> None:
    shown = server.bed.service_certificates["vault"]
    args = {
        "address": "127.0.0.1", "port": server.vault.port, "file": server.vault.audit, "marker": "plumbline-0123/one",
        "certificate_file": shown.certificate, "key_file": shown.key,
    }  # fmt: skip
    answer = audit.probe(Probe("a", "audit", args, timeout=2.0))
    elsewhere = audit.probe(Probe("a", "audit", {**args, "marker": "other", "file": "/nowhere"}, timeout=0.5))

    assert answer.facts["status"] == 403
    assert answer.facts["written"]
    assert (elsewhere.facts["written"], elsewhere.facts["size"]) == (False, None)


def test_a_second_settling_changes_nothing(server: Running) -> None:
    before = server.gate.read_text()
    _settle(server.admin)

    assert server.gate.read_text() == before
