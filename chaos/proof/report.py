"""proof.json, proof.html, and what a proof prints."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chaos.proof.model import Proof, Row, goals
from plumbline.check import LAYERS
from plumbline.report.files import write_atomically
from plumbline.report.html import STYLE, rendered
from plumbline.report.words import duration

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "proof.schema.json"
SHOWN_MISSES = 30


def schema() -> str:
    """docs/proof.schema.json."""
    described: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Proof.model_json_schema(mode="serialization"),
        "title": "proof.json of plumbline",
    }
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def read(file: Path) -> Proof | None:
    """The proof that an earlier run left; None where there is none that can be read."""
    try:
        return Proof.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write(proof: Proof, folder: Path) -> Path:
    """Writes proof.json and proof.html, each in one step; the place of the latter."""
    page = folder / "proof.html"
    write_atomically(folder / "proof.json", proof.model_dump_json(indent=1) + "\n")
    write_atomically(page, html(proof))
    return page


def html(proof: Proof) -> str:
    """One file without outside resources: figures against goals, rows that miss, the matrix."""
    return rendered(
        "proof.html.j2",
        proof=proof,
        style=STYLE.read_text(encoding="utf-8"),
        word=word(proof),
        goals=goals(proof),
        misses=misses(proof),
        groups=[(layer, list(rows)) for layer, rows in groupby(ordered(proof.rows), key=lambda row: row.layer)],
        layers=columns(proof),
        why=why,
        took=duration(proof.seconds),
        named=_median(row.seconds.named for row in proof.rows if row.state == "judged"),
    )


def word(proof: Proof) -> str:
    """The verdict on the checks."""
    return "PROVED" if proof.held else "NOT PROVED" if proof.complete else "UNFINISHED"


def ordered(rows: tuple[Row, ...]) -> list[Row]:
    """Rows by layer, from the ground up, then by name."""
    return sorted(rows, key=lambda row: (rank(row.layer), row.fault))


def misses(proof: Proof) -> list[Row]:
    """Rows in which something is to be mended, the worst first."""
    poor = [row for row in ordered(proof.rows) if not row.hit]
    return sorted(poor, key=lambda row: (row.state == "judged", row.detected, row.localised))


def columns(proof: Proof) -> list[str]:
    """The layers that a fault or a red check is of."""
    seen = {layer for row in proof.rows for layer in (row.layer, *row.roots, *row.consequences)}
    return sorted(seen, key=rank)


def rank(layer: str) -> tuple[int, str]:
    """Sorts layers from the ground up."""
    return (LAYERS.index(layer) if layer in LAYERS else len(LAYERS), layer)


def why(row: Row) -> str:
    """In what way a row misses."""
    if row.state != "judged":
        return f"{row.state.replace('-', ' ')}: {row.error}"
    said = []
    if not row.detected:
        said.append(
            f"not detected: {', '.join(row.missed)} did not fail" if row.missed else "not detected: the verdict was go"
        )
    if not row.localised:
        said.append(f"first finding: {row.first}" if row.first else "no finding")
    if row.extra:
        said.append("not foreseen: " + "; ".join(map(str, row.extra)))
    return "; ".join(said)


def last_line(proof: Proof, page: str) -> str:
    """The one last line: verdict, bed, figures, time, report."""
    only = f" (only {proof.selection})" if proof.selection else ""
    figures = f"{proof.faults} faults, {proof.detected} detected, {proof.localised} localised"
    more = f"{proof.false_alarms} false alarms, {len(proof.checks_without_fault)} checks without a fault"
    return " · ".join((word(proof), proof.bed, f"{figures}, {more}{only}", duration(proof.seconds), page))


def print_proof(proof: Proof, console: Console) -> None:
    """A line a layer, the goals, and the rows that miss."""
    table = Table("layer", box=None, pad_edge=False, header_style="dim")
    for name in ("faults", "detected", "localised", "extra roots", "seconds to the cause"):
        table.add_column(name, justify="right")
    for layer, group in groupby(ordered(proof.rows), key=lambda row: row.layer):
        rows = list(group)
        table.add_row(
            layer,
            str(len(rows)),
            _of(sum(row.detected for row in rows), len(rows)),
            _of(sum(row.localised for row in rows), len(rows)),
            str(sum(len(row.extra) for row in rows) or "·"),
            _median(row.seconds.named for row in rows if row.state == "judged"),
        )
    console.print()
    console.print(table)
    console.print()
    for goal in goals(proof):
        sign, colour = ("✓", "green") if goal.held else ("✗", "bold red")
        console.print(
            Text.assemble((f"{sign} ", colour), f"{goal.name}: ", (goal.figure, "bold"), f"  goal {goal.wanted}")
        )
    for id in proof.checks_without_fault[:SHOWN_MISSES]:
        console.print(Text.assemble(("  no fault  ", "dim"), id))
    for row in misses(proof)[:SHOWN_MISSES]:
        console.print(Text.assemble(("  ✗ ", "bold red"), (row.fault, "bold"), f"  {why(row)}"), soft_wrap=True)


def _of(part: int, whole: int) -> Text:
    return Text(str(part), "green" if part == whole else "bold red")


def _median(seconds: Any) -> str:
    values = list(seconds)
    return f"{median(values):.1f}" if values else "·"


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8")
