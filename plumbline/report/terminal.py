"""What a run prints: a table of layers, and the findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from plumbline.report.words import SYMBOLS
from plumbline.verdict import Finding, Run, layers
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
    for note in run.notes:
        console.print(Text(f"note: {note}", "dim"))
    findings = run.findings
    for number, finding in enumerate(findings[:SHOWN_FINDINGS], start=1):
        console.print()
        for text in _lines(number, finding):
            console.print(text, soft_wrap=True)
    if len(findings) > SHOWN_FINDINGS:
        console.print(f"\n… and {len(findings) - SHOWN_FINDINGS} more findings, all of them in the report")


def _lines(number: int, finding: Finding) -> Iterator[Text]:
    first = finding.first
    said = f"{number}. {SYMBOLS[first.outcome]} {first.outcome}, {finding.severity}: "
    yield Text.assemble((said, COLOURS[first.outcome]), (first.title, "bold"), (f"  {first.id}", "dim"))
    told = finding.told
    for result in told[:SHOWN_SUBJECTS]:
        wanted = "" if finding.alike or not result.expected else f"; expected {result.expected}"
        yield _pair(result.subject, result.found + wanted)
    if len(told) > SHOWN_SUBJECTS:
        yield _pair("", f"… and {len(told) - SHOWN_SUBJECTS} more like it")
    if finding.alike and first.expected:
        yield _pair("expected", first.expected)
    if first.cause not in ("", first.subject):
        yield _pair("because of", first.cause)
    if first.consequence:
        yield _pair("what follows", first.consequence)
    if first.remedy:
        yield _pair("remedy", first.remedy + ("" if finding.alike else "   (and so for the others)"))
    if finding.consequences:
        touched = ", ".join(sorted({r.layer for r in finding.consequences}))
        yield _pair("also red", f"{len(finding.consequences)} checks that stand on it ({touched})")


def _pair(name: str, value: str) -> Text:
    return Text.assemble((f"   {name:<14} ", "dim"), value)
