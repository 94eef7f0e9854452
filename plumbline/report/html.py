"""The parts of gate.html that are plumbline's own: the first screen, and the cells of the table below it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from plumbline.load import chart, table
from plumbline.load import result as load
from plumbline.load.verdict import Judged
from plumbline.report import axis
from plumbline.report.words import SYMBOLS, VERDICTS, counts_line, duration
from plumbline.verdict import Result, Run, layers, verdict
from plumbline.verdict.model import OUTCOMES, count

TEMPLATES = Path(__file__).parents[2] / "reports" / "templates"
STYLE = TEMPLATES / "gate.css"
HEADER = [
    '<th class="sortable" data-column-type="result">Outcome</th>',
    '<th class="sortable" data-column-type="layer">Layer</th>',
    '<th class="sortable" data-column-type="subject">Subject</th>',
    '<th class="sortable" data-column-type="check">Check</th>',
    '<th class="sortable" data-column-type="duration">Seconds</th>',
]
# The table's own script knows only pytest's outcomes; these are the names under which it filters and sorts ours.
SCRIPT_NAMES = {
    "failed": "Failed",
    "unknown": "Error",
    "waived": "XFailed",
    "not-applicable": "Skipped",
    "passed": "Passed",
}
SHOWN_CONSEQUENCES = 200


def rendered(template: str, **values: Any) -> str:
    """A template of reports/templates, filled in; what is not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def first_screen(run: Run) -> str:
    """Verdict, layers, findings."""
    return rendered(
        "summary.html.j2",
        run=run,
        verdict=verdict(run.results),
        word=VERDICTS[verdict(run.results)],
        counts=counts_line(count(run.results)),
        took=duration(run.seconds),
        layers={name: counts.as_dict() for name, counts in layers(run.results).items()},
        outcomes=OUTCOMES[::-1],
        symbols=SYMBOLS,
        findings=run.findings,
        waived=count(run.results).waived,
        most=SHOWN_CONSEQUENCES,
    )


def load_run(target: str, result: load.Result, judged: Sequence[Judged], *, attack: bool = False) -> str:
    """A load run with its promises and its chart: name of the target, what was measured, what became of it.

    Of an attack it is good that its requests are refused, and the chart shows them so.
    """
    return rendered(
        "load.html.j2",
        target=target,
        result=result,
        judged=judged,
        attack=attack,
        line=chart.chart(result),
        symbols=SYMBOLS,
        width=axis.WIDTH,
        left=chart.LEFT,
        height=chart.HEIGHT,
        gap=chart.GAP,
    )


def load_table(rows: Sequence[table.Row]) -> str:
    """Runs whose factors are varied, side by side: times of each stage, and what the control plane used meanwhile."""
    return rendered(
        "load_table.html.j2",
        rows=rows,
        factors=table.FACTORS,
        stages=table.STAGES,
        quantiles=table.QUANTILES,
        purposes=list(dict.fromkeys(purpose for row in rows for purpose in row.costs)),
        symbols=SYMBOLS,
    )


def row(result: Result, kept: dict[str, Any]) -> dict[str, Any]:
    """One row of the table; `kept` is what pytest-html had, of which extras of users' suites stay."""
    return {
        "extras": kept.get("extras", []),
        "result": SCRIPT_NAMES[result.outcome],
        "layer": result.layer,
        "subject": result.subject,
        "check": result.id,
        "duration": f"{result.seconds * 1000:.0f} ms",
        "testId": escape(result.nodeid),
        "resultsTableRow": [
            f'<td class="col-result"><b class="{result.outcome}">{SYMBOLS[result.outcome]} {result.outcome}</b></td>',
            f"<td>{escape(result.layer)}</td>",
            f"<td>{escape(result.subject)}</td>",
            f'<td title="{escape(result.id)}">{escape(result.name)}</td>',
            f'<td class="number">{result.seconds:.2f}</td>',
        ],
        "tableHtml": [_details(result)],
        "log": escape(result.log),
    }


def _details(result: Result) -> str:
    pairs = {
        "check": result.id,
        "expected": result.expected,
        "found": result.found,
        "because of": result.cause,
        "what follows": result.consequence if result.outcome in ("failed", "unknown") else "",
        "remedy": result.remedy if result.outcome in ("failed", "unknown") else "",
        "declared": result.declared,
        "source": result.source,
        "test": result.nodeid,
    }
    return (
        "<dl>" + "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in pairs.items() if value) + "</dl>"
    )
