"""What is to be proved, and how: what the command line said, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.fault import Fault
from chaos.proof.gate import LIMIT
from plumbline.bed import Bed
from plumbline.check import Case

BEDLESS = "inventory"
"""The layer whose faults and checks need no bed."""
HEALTHY = "healthy"
"""The folder of what the gate said of the bed without a fault."""
LOAD = "load"
"""The layer whose checks drive load, and which is only looked at for its own faults, and once without any."""


@dataclass(frozen=True)
class Plan:
    """What is to be proved, and where."""

    bed: Bed
    faults: Sequence[Fault]
    suites: Path
    folder: Path
    selection: str = ""
    jobs: int = 1
    workers: str = "auto"
    limit: float = LIMIT
    together: int = 1
    """How many faults that have nothing to do with each other are put into the bed at a time."""
    cases: Mapping[str, Sequence[Case]] = field(default_factory=dict)
    """What checks run on, by their ids, as far as that is known before they run."""
    whole_layers: frozenset[str] = frozenset()
    """Layers of which every fault runs, so that a check without one can be told."""
