"""Servers of the real program, on this machine's loopback, with the configuration that a lab gives them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import programs, stepca, vault
from lab.pki import Pki
from lab.vault.settle import Admin, _settle
from plumbline.bed import Bed, load
from plumbline.bed.model import Vault
from plumbline.collect import vault as collecting
from plumbline.collect.access import Access
from plumbline.facts.vault import VaultFacts

BED = """
version: 1
bed: one-vault
realised_by: lab
nodes: {{{nodes}}}
networks: {{oobi: {{cidr: 127.0.0.0/8}}}}
step_ca: {{node: one, domain: example.net, on: [{names}], root: {folder}/root.crt}}
service_certificates:
  vault: {{on: [{names}], unit: vault, certificate: {folder}/tls.crt, key: {folder}/tls.key, names: [vault.service.consul], port: {port}}}
vault:
  on: [{names}]
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
  load: secret/plumbline/load
"""


@dataclass(frozen=True)
class Running:
    """The servers, and what the gate shows to them."""

    bed: Bed
    vault: Vault
    admin: Admin
    gate: Path

    def asked(self) -> VaultFacts:
        source = collecting.ask(self.bed, Access(credentials={"vault": self.gate.read_text()}), True, 1.0)
        assert source.outcome == "ok", source.error
        return VaultFacts(source.facts, self.vault)


@contextmanager
def running(folder: Path, *nodes: str) -> Iterator[Running]:
    """A server for each node, each with an address of its own, all of them members of one cluster that is settled."""
    port, cluster_port, pki = _free(), _free(), Pki(folder / "pki")
    words = {
        "nodes": ", ".join(f"{n}: {{role: server, oobi: 127.0.0.{at}}}" for at, n in enumerate(nodes, 1)),
        "names": ", ".join(nodes),
        "port": port,
        "cluster_port": cluster_port,
    }
    with ExitStack() as stack:
        beds = {}
        for node in nodes:
            own = folder / node
            (own / "data").mkdir(mode=0o700, parents=True)
            (own / "bed.yaml").write_text(BED.format(folder=own, **words))
            beds[node] = load(own / "bed.yaml")
            stack.enter_context(_server(beds[node], node, own, folder, pki))
        first = beds[nodes[0]]
        assert first.vault is not None
        admin = Admin(first, first.vault, vault.own_folder(folder), pki, time.monotonic() + 30)
        try:
            gate = Path(_settle(admin)["vault"])
        except BaseException:
            print(*((folder / node / "log").read_text() for node in nodes))
            raise
        yield Running(first, first.vault, admin, gate)


@contextmanager
def _server(bed: Bed, node: str, own: Path, folder: Path, pki: Pki) -> Iterator[None]:
    """The program of one node, with its files in a folder of its own and the seal's key that all of them share."""
    for files in (stepca.files(bed, pki, folder)[node], vault.files(bed, pki, folder)[node]):
        for path, spec in files.items():
            if path.startswith(str(own)):
                content = spec.content.encode() if isinstance(spec.content, str) else spec.content
                Path(path).write_bytes(content)
    name, _, key = (own / "vault.env").read_text().strip().partition("=")
    program = programs.ensure([vault.PROGRAM])[vault.PROGRAM]
    with (own / "log").open("wb") as said:
        process = subprocess.Popen(
            [program, "server", f"-config={own}/vault.hcl"], stdout=said, stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], name: key, "GOMAXPROCS": "1"},
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])
