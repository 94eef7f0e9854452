"""Each server answers over TLS to those whom it knows and nobody else, is open, and is what the bed file says."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.model import Vault
from plumbline.check import check, for_each, found
from plumbline.facts.vault import VaultFacts
from suites.vault import cases


@check(
    "vault.answers",
    severity="critical",
    remedy="on {node}: journalctl -u vault -n 50; ss -ltn | grep 8200; openssl x509 -in /opt/vault/tls/tls.crt -noout -dates -issuer",
    consequence="no client reaches the server on {node}; the others lose it as a member",
    source="seed 001, facts 133 and 136, F19, F28",
)
@for_each("node", cases.servers)
def test_the_server_answers(node: str, vault: VaultFacts) -> None:
    """To a client with a certificate of the bed's authority the server proves to be itself, and answers."""
    silence = vault.server(node).silence

    assert not silence, found(silence, expected="an answer over TLS to a client of the bed's authority")


@check(
    "vault.client-certificate-wanted",
    severity="critical",
    remedy="on {node}: tls_require_and_verify_client_cert = true in /etc/vault.d/vault.hcl; systemctl restart vault",
    consequence="everybody on the network may try tokens",
    source="seed 001, fact 136 (L7348-7376)",
    kind="active",
)
@for_each("node", cases.trusts)
def test_a_client_without_a_certificate_is_refused(node: str, vault: VaultFacts) -> None:
    """A client that shows no certificate is not let in."""
    accepted, said = vault.stranger(node, "none")

    assert not accepted, found(f"let in: {said}", expected="refused by TLS")


@check(
    "vault.foreign-certificate-refused",
    severity="critical",
    remedy="on {node}: tls_require_and_verify_client_cert and tls_client_ca_file in /etc/vault.d/vault.hcl",
    consequence="a certificate that anybody has made opens the port",
    source="seed 001, F19 (L7602-7643)",
    kind="active",
)
@for_each("node", cases.trusts)
def test_a_client_of_another_authority_is_refused(node: str, vault: VaultFacts) -> None:
    """A client whose certificate is another authority's is not let in."""
    accepted, said = vault.stranger(node, "foreign")

    assert not accepted, found(f"let in: {said}", expected="refused by TLS")


@check(
    "vault.unsealed",
    severity="critical",
    remedy="on {node}: journalctl -u vault | grep -i seal; put the seal's key right; systemctl restart vault",
    consequence="the server on {node} holds data that it cannot read: it is no standby, and the next loss is an outage",
    source="seed 001, facts 133 and 134 (L7274-7318)",
)
@for_each("node", cases.seals)
def test_the_server_is_unsealed(node: str, vault: VaultFacts) -> None:
    """The server has a store, and can read it."""
    server = vault.server(node)

    assert server.initialised, found("not initialised", expected="initialised and unsealed")
    assert not server.sealed, found("sealed", expected="unsealed")


@check(
    "vault.seal-type",
    severity="major",
    remedy="on {node}: the stanza seal in /etc/vault.d/vault.hcl; vault status",
    consequence="after a restart somebody has to come with keys",
    source="seed 001, fact 134 (L7279-7306)",
)
@for_each("node", cases.told("seal-type", "vault.seal"))
def test_the_seal_opens_without_people(node: str, vault: VaultFacts, declared: Vault) -> None:
    """The seal is of the declared kind; the keys of people are for recovery only."""
    server = vault.server(node)

    assert server.seal_type == declared.seal.type, found(server.seal_type, expected=declared.seal.type)
    assert server.recovery, found("keys of people open it", expected="a recovery seal")


@check(
    "vault.storage",
    severity="critical",
    remedy="on {node}: the stanza storage in /etc/vault.d/vault.hcl",
    consequence="the server on {node} keeps what it is told where the others do not see it",
    source="seed 001, fact 135 (L7331-7337)",
)
@for_each("node", cases.told("storage", "vault.storage"))
def test_the_data_are_kept_where_they_should(node: str, vault: VaultFacts, declared: Vault) -> None:
    """The server's store is of the declared kind."""
    storage = vault.server(node).storage

    assert storage == declared.storage.type, found(storage, expected=declared.storage.type)


@check(
    "vault.version",
    severity="minor",
    remedy="on {node}: vault version; upgrade the standbys first, the active server last",
    consequence="two releases in one cluster: fine for an hour, not for a month",
    source="seed 001, L7540 (rolling updates)",
)
@for_each("node", cases.version)
def test_every_server_is_of_the_declared_version(node: str, vault: VaultFacts, declared: Vault) -> None:
    """The server is of the declared version."""
    version = vault.server(node).version

    assert version == declared.version, found(version, expected=declared.version)


@check(
    "vault.cluster",
    severity="critical",
    remedy="on {node}: vault status; a server that made a store of its own: stop it, move the store away, let it join",
    consequence="what is written to the server on {node} is not in Vault",
    source="seed 001, fact 133 (L7274)",
)
@for_each("node", cases.told("cluster", "vault.cluster"))
def test_every_server_belongs_to_the_cluster(node: str, vault: VaultFacts, declared: Vault) -> None:
    """The server is of the cluster that bears the declared name, and of the same as the active one."""
    name, identity = vault.server(node).cluster

    assert name == declared.cluster, found(f"cluster {name}", expected=declared.cluster)
    assert identity == vault.active.cluster[1], found(
        f"cluster {identity}", expected=f"{vault.active.cluster[1]}, as {vault.active.node} says"
    )


@check(
    "vault.leader-known",
    severity="major",
    remedy="api_addr in /etc/vault.d/vault.hcl of every server; systemctl restart vault, the active one last",
    consequence="clients that are sent on to the active server are sent to an address where nobody answers",
    source="seed 001, fact 133 (L7315-7320)",
)
@for_each("node", cases.told("leader", "vault.on"))
def test_every_server_names_the_active_one(node: str, vault: VaultFacts, declared: Vault, bed: Bed) -> None:
    """The server names as the active one the server that says so of itself, by the address of the bed file."""
    wanted = f"https://{bed.nodes[vault.active.node].oobi}:{declared.port}"
    leader = vault.server(node).leader

    assert leader == wanted, found(leader or "it knows of none", expected=f"{wanted} ({vault.active.node})")


@check(
    "vault.metrics",
    severity="minor",
    remedy="on {node}: unauthenticated_metrics_access = true, prometheus_retention_time in /etc/vault.d/vault.hcl",
    consequence="nobody sees that Vault is slow, sealed or without a leader until somebody complains",
    source="seed 001, fact 138 (L7354, L7457-7475)",
)
@for_each("node", cases.metrics)
def test_metrics_are_told_without_a_token(node: str, vault: VaultFacts) -> None:
    """A client with a certificate and no token is told the metrics."""
    said, series = vault.metrics(node)

    assert said.status == 200, found(said, expected="status 200")
    assert series > 0, found("an empty page", expected="values in Prometheus's form")
