"""What the suite of this folder speaks with."""

from __future__ import annotations

import pytest

from plumbline.bed import Bed
from plumbline.bed.model import Slurm
from plumbline.facts import Facts
from plumbline.facts.slurm import SlurmFacts
from plumbline.outcome import Unknown


@pytest.fixture(scope="session")
def declared(bed: Bed) -> Slurm:
    """What the bed file declares of Slurm."""
    if bed.slurm is None:
        raise Unknown("the bed file declares no Slurm")
    return bed.slurm


@pytest.fixture(scope="session")
def slurm(bed: Bed, facts: Facts, declared: Slurm) -> SlurmFacts:
    """What Slurm said of itself."""
    return SlurmFacts(facts, bed)
