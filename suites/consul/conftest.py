"""What the suite of this folder speaks with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plumbline.bed import Bed
from plumbline.facts import Facts

if TYPE_CHECKING:
    from plumbline.facts.consul import Consul


@pytest.fixture(scope="session")
def consul(bed: Bed, facts: Facts) -> Consul:
    """What Consul's agents and servers said in this run; an accessor raises Unknown where its source is missing."""
    from plumbline.facts.consul import Consul

    return Consul(facts, bed)
