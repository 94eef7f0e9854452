"""What a run prints: a table of layers, and the findings."""

from __future__ import annotations

from typing import TextIO

from plumbline.report.words import SYMBOLS
from plumbline.verdict import Finding, Run, fold, layers
from plumbline.verdict.model import OUTCOMES

COLOURS = {
    "passed": "green",
    "failed": "bold red",
    "unknown": "bold yellow",
    "waived": "magenta",
    "not-applicable": "dim",
}
SHOWN_FINDINGS = 20
SHOWN_SUBJECTS = 4


def print_run(run: Run, out: TextIO, *, colour: bool, width: int) -> None:
    """Prints the layers and the findings of a run."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=out, force_terminal=colour, no_color=not colour, width=width, highlight=False)
    table = Table("layer", box=None, pad_edge=False, header_style="dim")
    for outcome in OUTCOMES[::-1]:
        table.add_column(outcome.replace("-", " "), justify="right")
    for name, counts in layers(run.results).items():
        numbers = counts.as_dict()
        table.add_row(
            name, *(Text(str(numbers[o] or "·"), COLOURS[o] if numbers[o] else "dim") for o in OUTCOMES[::-1])
        )
    console.print()
    console.print(table)
    findings = fold(run.results)
    for number, finding in enumerate(findings[:SHOWN_FINDINGS], start=1):
        console.print()
        _print_finding(console.print, Text, number, finding)
    if len(findings) > SHOWN_FINDINGS:
        console.print(f"\n… and {len(findings) - SHOWN_FINDINGS} more findings, all of them in the report")


def _print_finding(say: object, text: object, number: int, finding: Finding) -> None:
    first = finding.first
    line = text(f"{number}. {SYMBOLS[first.outcome]} {first.outcome}, {finding.severity}: ", COLOURS[first.outcome])  # type: ignore[operator]
    line.append(f"{first.title}  ", "bold")
    line.append(first.id, "dim")
    say(line)  # type: ignore[operator]
    for result in finding.roots[:SHOWN_SUBJECTS]:
        _say_pair(say, text, result.subject, result.found)
    if len(finding.roots) > SHOWN_SUBJECTS:
        _say_pair(say, text, "", f"… and {len(finding.roots) - SHOWN_SUBJECTS} more like it")
    pairs = {
        "expected": first.expected,
        "because of": first.cause,
        "what follows": first.consequence,
        "remedy": first.remedy,
    }
    for name, value in pairs.items():
        if value:
            _say_pair(say, text, name, value)
    if finding.consequences:
        touched = sorted({r.layer for r in finding.consequences})
        _say_pair(say, text, "also red", f"{len(finding.consequences)} checks that stand on it ({', '.join(touched)})")


def _say_pair(say: object, text: object, name: str, value: str) -> None:
    line = text(f"   {name:<14} ", "dim")  # type: ignore[operator]
    line.append(value, "default")
    say(line, soft_wrap=True)  # type: ignore[operator]
