"""What a rule says of a bed that contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from plumbline.bed.model import Bed


@dataclass(frozen=True)
class Inconsistency:
    """Two things in a bed file that cannot both be true. `declared` is the place, `remedy` what to change there."""

    rule: str
    subject: str
    declared: str
    expected: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.declared}: {self.subject}: expected {self.expected}, found {self.found}; {self.remedy}"


Rule = Callable[[Bed], Iterator[Inconsistency]]


def subject_of(bed: Bed, network: str) -> str:
    """How a network is called as a subject: vlan:browsers, or network:oobi where it has no VLAN."""
    return f"vlan:{network}" if network in bed.vlans else f"network:{network}"
