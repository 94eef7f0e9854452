"""What the bed file says of Vault fits together. No bed is needed to know."""

from __future__ import annotations

from plumbline.bed.consistency import cases
from plumbline.bed.consistency.found import Contradiction
from plumbline.check import check, for_each, found


@check(
    "inventory.vault-even-quorum",
    severity="major",
    remedy="add a server to vault.on, or take one out",
    consequence="of four servers no more may be lost than of three, and more of them can be",
    source="seed 001, L1547 (quorum)",
)
@for_each("cluster", cases.vaults)
def test_an_odd_number_of_servers(cluster: str, contradiction: Contradiction) -> None:
    """Vault has an odd number of servers."""
    wrong = contradiction("vault-even-quorum", cluster)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.vault-without-certificate",
    severity="critical",
    remedy="give the certificate to every node of vault.on",
    consequence="a server without a certificate does not start",
    source="seed 001, fact 136 (L7348-7376)",
)
@for_each("cluster", cases.vaults)
def test_every_server_has_a_certificate(cluster: str, contradiction: Contradiction) -> None:
    """Vault's certificate is declared on every node where Vault is."""
    wrong = contradiction("vault-without-certificate", cluster)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.vault-unnamed",
    severity="critical",
    remedy="add the name that clients use to the certificate, and the port where it is served",
    consequence="clients refuse Vault, since its certificate is for another name; or another port is judged in its place",
    source="seed 001, fact 136 (L7366-7376)",
)
@for_each("cluster", cases.vaults)
def test_the_certificate_has_the_name_that_clients_use(cluster: str, contradiction: Contradiction) -> None:
    """Vault's certificate names Vault, and is looked at on Vault's port."""
    wrong = contradiction("vault-unnamed", cluster)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.vault-engine-missing",
    severity="major",
    remedy="declare the engine, or mend the path",
    consequence="{name} is looked for where nothing can be",
    source="seed 001, L7535 (KV, PKI)",
)
@for_each("kept", cases.vault_engines)
def test_what_is_kept_has_an_engine(kept: str, contradiction: Contradiction) -> None:
    """Each secret, and the issuing role, belong to an engine of the right kind."""
    wrong = contradiction("vault-engine-missing", kept)

    assert not wrong, found(wrong.found, expected=wrong.expected)
