"""A whole run, and what is worked out from it once for all of its reports."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from plumbline.verdict.folding import Finding, causes, fold, roots_of
from plumbline.verdict.model import Result


@dataclass(frozen=True)
class Run:
    """A whole run, as every report tells it."""

    bed: str
    title: str
    bed_file: str
    started: str
    seconds: float
    results: tuple[Result, ...]
    selection: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def findings(self) -> list[Finding]:
        """What is wrong, the worst first."""
        return fold(self.results, self._roots)

    @cached_property
    def causes(self) -> dict[str, str]:
        """For each red check that follows from another: its node id, and the subject of the root."""
        return causes(self.results, self._roots)

    @cached_property
    def _roots(self) -> dict[str, Result]:
        return roots_of(self.results)
