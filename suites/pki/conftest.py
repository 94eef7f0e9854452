"""What the suite of this folder speaks with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from plumbline.bed import Bed
from plumbline.facts import Facts
from plumbline.facts.pki import Pair, PkiFacts
from plumbline.facts.renewers import Renewer
from suites.pki.cases import Served


@pytest.fixture(scope="session")
def pki(facts: Facts) -> Callable[[str], PkiFacts]:
    """What a node has of the authority and of certificates."""
    return lambda node: PkiFacts(facts.node(node))


@pytest.fixture(scope="session")
def pair(pki: Callable[[str], PkiFacts]) -> Callable[[Served], Pair]:
    """The files of a certificate."""
    return lambda served: pki(served.node).pair(served.name)


@pytest.fixture(scope="session")
def renewer(pki: Callable[[str], PkiFacts]) -> Callable[[Served], Renewer]:
    """What renews a certificate."""
    return lambda served: pki(served.node).renewer(served.spec.unit)


@pytest.fixture(scope="session")
def lateness(bed: Bed) -> timedelta:
    """How long a renewal may take from the moment at which the timer should have looked (budgets.renewal)."""
    return bed.budgets.get("renewal", timedelta(minutes=1))


@pytest.fixture(scope="session")
def clock_offset(bed: Bed) -> timedelta:
    """How far a node's clock may be off (budgets.clock)."""
    return bed.budgets.get("clock", timedelta(seconds=1))


@pytest.fixture(scope="session")
def units_on(bed: Bed) -> Callable[[str], set[str]]:
    """The units of a node whose certificates are renewed."""
    return lambda node: {c.unit for c in bed.service_certificates.values() if node in c.on}


@pytest.fixture(scope="session")
def up_for(facts: Facts) -> Callable[[str], timedelta]:
    """How long a node has been up."""
    return lambda node: timedelta(seconds=facts.node(node).up_for_s)
