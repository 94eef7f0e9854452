"""gate.prom: a run as a textfile for the node exporter's collector."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from plumbline.verdict import Run, layers, verdict

_VERDICTS = ("go", "no-go", "unknown")


def gate_prom(run: Run) -> str:
    """The text of gate.prom."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    now = verdict(run.results)
    yield from _head("plumbline_verdict", "1 for the verdict of the last run")
    for name in _VERDICTS:
        yield f"plumbline_verdict{_labels(bed=run.bed, verdict=name)} {int(name == now)}"
    yield from _head("plumbline_checks", "checks of the last run")
    for layer, counts in layers(run.results).items():
        for outcome, number in counts.as_dict().items():
            yield f"plumbline_checks{_labels(bed=run.bed, layer=layer, outcome=outcome)} {number}"
    yield from _head("plumbline_check_red", "1 for each check that failed or is unknown")
    red = {(r.id, r.subject, r.severity, r.outcome) for r in run.results if r.outcome in ("failed", "unknown")}
    for check, subject, severity, outcome in sorted(red):
        labels = _labels(bed=run.bed, check=check, subject=subject, severity=severity, outcome=outcome)
        yield f"plumbline_check_red{labels} 1"
    yield from _head("plumbline_run_seconds", "how long the last run took")
    yield f"plumbline_run_seconds{_labels(bed=run.bed)} {run.seconds:g}"
    yield from _head("plumbline_run_timestamp_seconds", "when the last run started")
    yield f"plumbline_run_timestamp_seconds{_labels(bed=run.bed)} {datetime.fromisoformat(run.started).timestamp():.0f}"


def _head(name: str, help_text: str) -> tuple[str, str]:
    return (f"# HELP {name} {help_text}", f"# TYPE {name} gauge")


def _labels(**labels: str) -> str:
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in labels.values())
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(labels, quoted, strict=True)) + "}"
