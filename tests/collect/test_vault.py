"""What the gate finds out from Vault's servers, well and ill, and what it does not tell."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from plumbline.bed import Bed, load
from plumbline.collect import vault as collecting
from plumbline.collect.access import Access
from plumbline.collect.vault_client import Credentials, NoAnswer, greeting
from plumbline.facts.source import Source
from plumbline.facts.vault import VaultFacts
from plumbline.outcome import Unknown
from tests.collect.certificates import Authority, Leaf
from tests.collect.vaults import NODES, Cluster, serving

BED = Path(__file__).parents[1] / "lab" / "beds" / "vault.yaml"
CANARY, PRIVATE = "secret/data/plumbline/canary", "secret/data/apps/private"
Ask = Callable[..., tuple[Source, VaultFacts]]


@pytest.fixture(scope="module")
def leaves(authority: Authority) -> dict[str, Leaf]:
    return {node: authority.leaf(node, address) for node, address in NODES.items()}


@pytest.fixture
def ask(tmp_path: Path, authority: Authority, leaves: dict[str, Leaf]) -> Ask:
    """Serves a cluster for as long as it is asked."""

    def asked(
        cluster: Cluster, other: dict[str, Leaf] | None = None, away: str = "", credentials: str | None = None
    ) -> tuple[Source, VaultFacts]:
        with ExitStack() as stack:
            served = {node: leaf for node, leaf in {**leaves, **(other or {})}.items() if node != away}
            stack.enter_context(serving(cluster, served, authority, tmp_path))
            bed = _bed(tmp_path, cluster.port)
            own = authority.leaf("gate")
            told = {"certificate": own.certificate, "key": own.key, "ca": authority.certificate}
            text = credentials if credentials is not None else json.dumps({**told, "role_id": "r", "secret_id": "s"})
            source = collecting.ask(bed, Access(credentials={"vault": text}), True, 1.0)
        assert bed.vault is not None
        return source, VaultFacts(source.facts, bed.vault)

    return asked


def _bed(folder: Path, port: int) -> Bed:
    nodes = ", ".join(f"{node}: {{oobi: {address}}}" for node, address in NODES.items())
    file = folder / "bed.yaml"
    file.write_text(
        f"version: 1\nextends: {BED}\nnodes: {{{nodes}}}\nnetworks: {{oobi: {{cidr: 127.0.0.0/8}}}}\n"
        f"vault: {{port: {port}}}\nbudgets: {{vault_failover: 300ms}}\n"
    )
    return load(file)


def well() -> Cluster:
    bed = load(BED)
    assert bed.vault is not None
    return Cluster(policy={path: list(rights) for path, rights in bed.vault.allowed.items()})


def test_a_cluster_that_is_well(ask: Ask) -> None:
    cluster = well()
    source, vault = ask(cluster)

    assert source.outcome == "ok"
    assert [server.state for server in vault.servers] == ["active", "standby", "standby"]
    assert vault.active.node == "bettley"
    assert vault.active.active_for == pytest.approx(1_800_000_000 - 1_767_225_600, abs=2)
    assert vault.login.status == 200
    assert vault.rights(CANARY) == {"read"}
    assert vault.rights(PRIVATE) == frozenset()
    for node in NODES:
        assert vault.secret(node, "canary")[0].status == 200
        assert vault.secret(node, "private")[0].status == 403
        assert vault.anonymous(node) == vault.revoked(node) == 403
        assert vault.copied(node)[2]
        assert vault.stranger(node, "none")[0] is False
        assert vault.stranger(node, "foreign")[0] is False
        assert vault.metrics(node)[1] == 1
    assert not cluster.tokens, "every token was given back"


def test_nothing_secret_is_told(ask: Ask) -> None:
    source, _ = ask(well())
    told = json.dumps(source.facts)

    assert '"kept"' not in told
    assert "PRIVATE KEY" not in told
    assert '"t0"' not in told


def test_a_standby_that_is_sealed_is_a_fact(ask: Ask) -> None:
    cluster = well()
    cluster.sealed = {"dalt"}
    _, vault = ask(cluster)

    assert vault.server("dalt").sealed
    assert vault.secret("cargyll", "canary")[0].status == 200
    with pytest.raises(Unknown, match="sealed") as unknown:
        vault.secret("dalt", "canary")
    assert unknown.value.cause == "vault-seal:dalt"


def test_all_sealed_is_no_crash(ask: Ask) -> None:
    cluster = well()
    cluster.sealed, cluster.active = set(NODES), ""
    _, vault = ask(cluster)

    assert all(server.sealed for server in vault.servers)
    with pytest.raises(Unknown) as unknown:
        _ = vault.login
    assert unknown.value.cause == "vault-active:goldentooth"


def test_without_an_active_server_it_waits_for_as_long_as_the_bed_file_says(ask: Ask) -> None:
    cluster = well()
    cluster.active = ""
    _, vault = ask(cluster)

    assert 0.3 <= vault.waited < 3
    assert {server.state for server in vault.servers} == {"standby"}


def test_a_closed_port_is_told(ask: Ask) -> None:
    _, vault = ask(well(), away="dalt")

    assert vault.server("dalt").silence == "refused: its port is closed"
    with pytest.raises(Unknown) as unknown:
        _ = vault.server("dalt").sealed
    assert unknown.value.cause == "vault:dalt"


@pytest.mark.parametrize(
    ("kind", "said"),
    [("expired", "certificate has expired"), ("stranger", "unable to get local issuer"), ("name", "mismatch")],
)
def test_a_server_that_cannot_prove_who_it_is(ask: Ask, authority: Authority, kind: str, said: str) -> None:
    """F28: expired; F19: of another authority; a certificate without the server's address."""
    day = dt.timedelta(days=1)
    other = {
        "expired": authority.leaf("dalt", NODES["dalt"], start=-2 * day, end=-day),
        "stranger": Authority("other").leaf("dalt", NODES["dalt"]),
        "name": authority.leaf("dalt"),
    }[kind]
    _, vault = ask(well(), other={"dalt": other})

    assert said in vault.server("dalt").silence
    assert vault.active.node == "bettley"


def _end_early(server: socket.socket, taken: int) -> None:
    with server.accept()[0] as connection:
        connection.recv(taken)


@pytest.mark.parametrize("taken", [4096, 1])
def test_a_server_that_ends_the_connection_during_tls_is_said_to_refuse(taken: int) -> None:
    """It ends in peace (all was read), or with a reset (something was not)."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(_end_early, server, taken)
        with pytest.raises(NoAnswer, match="refuses the client certificate") as no_answer:
            greeting(ssl.create_default_context(), "127.0.0.1", server.getsockname()[1], 2.0)
    assert no_answer.value.outcome == "refused"


def test_a_login_that_is_refused_leaves_the_rest_unknown(ask: Ask) -> None:
    cluster = well()
    cluster.secret_id = "another"
    _, vault = ask(cluster)

    assert str(vault.login) == "status 400 invalid role or secret ID"
    with pytest.raises(Unknown) as unknown:
        vault.rights(CANARY)
    assert unknown.value.cause == "vault-gate:plumbline"


def test_the_right_that_is_missing_is_named(ask: Ask) -> None:
    cluster = well()
    del cluster.policy["sys/mounts"]
    _, vault = ask(cluster)

    assert vault.rights("sys/mounts") == frozenset()
    with pytest.raises(Unknown, match="permission denied") as unknown:
        _ = vault.engines
    assert unknown.value.cause == "vault-right:sys/mounts"


def test_a_server_that_asks_for_no_token_is_seen(ask: Ask) -> None:
    cluster = well()
    cluster.generous = True
    _, vault = ask(cluster)

    assert {vault.anonymous(node) for node in NODES} == {200}
    assert {vault.revoked(node) for node in NODES} == {200}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON object"),
        ("[]", "no JSON object"),
        ('{"certificate": "x", "key": "a secret", "ca": ""}', "lack ca, role_id, secret_id"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused_without_being_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        Credentials.of(text)
    assert "a secret" not in str(refused.value)


def test_no_credentials_and_wrong_ones_are_an_outcome(ask: Ask, authority: Authority) -> None:
    one, other = authority.leaf("gate"), authority.leaf("gate")
    told = {"certificate": one.certificate, "key": other.key, "ca": authority.certificate}
    text = json.dumps({**told, "role_id": "r", "secret_id": "s"})
    source, _ = ask(well(), credentials=text)

    assert source.outcome == "refused"
    assert "cannot be used" in str(source.error)
    assert collecting.ask(load(BED), Access(), True, 1.0).outcome == "refused"
