"""One server of the real program, on this machine's loopback: it takes the lab's configuration and becomes what it should."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.vault.settle import _settle
from plumbline.remote import audit
from plumbline.remote.types import Probe
from tests.lab import vault_program
from tests.lab.vault_program import Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with vault_program.running(tmp_path_factory.mktemp("vault"), "one") as running:
        yield running


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
