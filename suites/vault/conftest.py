"""What the suite of this folder speaks with."""

from __future__ import annotations

import pytest

from plumbline.bed import Bed
from plumbline.bed.model import Vault
from plumbline.facts import Facts
from plumbline.facts.vault import VaultFacts, gate_subject


@pytest.fixture(scope="session")
def declared(bed: Bed) -> Vault:
    """What the bed file says of Vault."""
    assert bed.vault is not None
    return bed.vault


@pytest.fixture(scope="session")
def vault(facts: Facts, declared: Vault) -> VaultFacts:
    """What Vault's servers said to the gate. Unknown where the gate has nothing to show to them."""
    return VaultFacts(facts.service("vault", gate_subject(declared)), declared)
