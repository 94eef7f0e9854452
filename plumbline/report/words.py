"""How outcomes, verdicts and durations are said, the same in every report."""

from __future__ import annotations

from plumbline.verdict import Counts, Run, verdict
from plumbline.verdict.model import OUTCOMES

SYMBOLS = {"passed": "✓", "failed": "✗", "unknown": "?", "waived": "~", "not-applicable": "–"}
VERDICTS = {"go": "GO", "no-go": "NO-GO", "unknown": "UNKNOWN"}


def counts_line(counts: Counts) -> str:
    """'480 passed, 3 failed': what there is, worst first."""
    numbers = counts.as_dict()
    said = [f"{numbers[o]} {o.replace('-', ' ')}" for o in OUTCOMES if numbers[o]]
    return ", ".join(said) or "no checks"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def last_line(run: Run, counts: Counts, report: str) -> str:
    """The one last line: verdict, bed, counts, seconds, report."""
    only = f" (only {run.selection})" if run.selection else ""
    said = VERDICTS[verdict(run.results)]
    return " · ".join((said, run.bed, counts_line(counts) + only, duration(run.seconds), report))
