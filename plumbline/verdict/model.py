"""What a run found out, as data that crosses processes and goes into the reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["passed", "failed", "unknown", "waived", "not-applicable"]
Verdict = Literal["go", "no-go", "unknown"]
OUTCOMES: tuple[Outcome, ...] = ("failed", "unknown", "waived", "not-applicable", "passed")


@dataclass(frozen=True)
class Planned:
    """A check that was collected and selected, before it ran."""

    nodeid: str
    id: str
    layer: str
    subject: str
    severity: str = "major"
    kind: str = "read"
    title: str = ""
    case: str = ""
    declared: str = ""
    needs: tuple[str, ...] = ()
    remedy: str = ""
    consequence: str = ""
    source: str = ""


@dataclass(frozen=True)
class Result(Planned):
    """A check that ran, or should have."""

    outcome: Outcome = "unknown"
    seconds: float = 0.0
    expected: str = ""
    found: str = ""
    cause: str = ""
    log: str = ""

    @property
    def name(self) -> str:
        """The title with its case, as a person says it."""
        return f"{self.title} [{self.case}]" if self.case else self.title

    def as_dict(self) -> dict[str, Any]:
        """All fields as plain data that xdist can carry."""
        return asdict(self)


def result_from(data: dict[str, Any]) -> Result:
    """The result that `as_dict` wrote."""
    return Result(**{**data, "needs": tuple(data["needs"])})


@dataclass(frozen=True)
class Counts:
    """How many checks had which outcome."""

    passed: int = 0
    failed: int = 0
    unknown: int = 0
    waived: int = 0
    not_applicable: int = 0

    @property
    def total(self) -> int:
        """All checks together."""
        return self.passed + self.failed + self.unknown + self.waived + self.not_applicable

    def as_dict(self) -> dict[str, int]:
        """Counts under the names of the outcomes."""
        return {
            "passed": self.passed,
            "failed": self.failed,
            "unknown": self.unknown,
            "waived": self.waived,
            "not-applicable": self.not_applicable,
        }


def count(results: Iterable[Result]) -> Counts:
    """The counts of some results."""
    numbers = dict.fromkeys((o.replace("-", "_") for o in OUTCOMES), 0)
    for result in results:
        numbers[result.outcome.replace("-", "_")] += 1
    return Counts(**numbers)
