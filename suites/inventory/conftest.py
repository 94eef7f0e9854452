"""What the suite of this folder speaks with."""

from __future__ import annotations

import pytest

from plumbline.bed import Bed
from plumbline.bed.consistency import inconsistencies
from plumbline.bed.consistency.found import Contradiction, Contradictions


@pytest.fixture(scope="session")
def contradiction(bed: Bed) -> Contradiction:
    """What a rule has against a subject; what it finds is empty where it has nothing."""
    return Contradictions.of(inconsistencies(bed)).about
