"""What a rule says of a bed that contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Self

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

    def __bool__(self) -> bool:
        return bool(self.found)


Rule = Callable[[Bed], Iterator[Inconsistency]]
Contradiction = Callable[[str, str], Inconsistency]


@dataclass(frozen=True)
class Contradictions:
    """All that rules found in a bed, by rule and subject."""

    found: dict[tuple[str, str], tuple[Inconsistency, ...]]

    @classmethod
    def of(cls, items: Iterable[Inconsistency]) -> Self:
        """Sorted by what they are about."""
        found: dict[tuple[str, str], tuple[Inconsistency, ...]] = {}
        for item in items:
            found[item.rule, item.subject] = (*found.get((item.rule, item.subject), ()), item)
        return cls(found)

    def about(self, rule: str, subject: str) -> Inconsistency:
        """What a rule has against a subject, several as one; it is false where the rule has nothing."""
        items = self.found.get((rule, subject), ())
        if not items:
            return Inconsistency(rule, subject, "", "", "", "")
        return replace(items[0], found="; ".join(dict.fromkeys(f"{item.declared}: {item.found}" for item in items)))


def subject_of(bed: Bed, network: str) -> str:
    """How a network is called as a subject: vlan:browsers, or network:oobi where it has no VLAN."""
    return f"vlan:{network}" if network in bed.vlans else f"network:{network}"
