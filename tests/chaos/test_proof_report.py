"""proof.json as its schema says, proof.html without outside resources, and the words of the terminal."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import jsonschema
from rich.console import Console

from chaos.proof.model import Healthy, Proof, Root, Row, Seconds
from chaos.proof.report import SCHEMA, html, last_line, misses, print_proof, read, schema, word, write

HIT = Row(
    fault="trunk-without-browsers",
    layer="network",
    subjects=("port:ucs-2/browsers",),
    detected=True,
    localised=True,
    expected=("network.vlan-crosses",),
    first=Root(check="network.vlan-crosses", subjects=("port:ucs-2/browsers",), outcome="failed"),
    red=("inspection.flow", "network.vlan-crosses"),
    roots={"network": 1},
    consequences={"inspection": 60},
    seconds=Seconds(named=12.0, gate=9.0, total=18.0),
)
MISS = HIT.model_copy(
    update={"fault": "slow-<clock>", "layer": "host", "detected": False, "localised": False, "missed": ("host.clock",)}
)


def proof(*rows: Row, complete: bool = True) -> Proof:
    return Proof(
        bed="lab",
        bed_file="inventories/lab.yaml",
        started="2026-01-01T00:00:00+00:00",
        complete=complete,
        faults=len(rows),
        detected=sum(row.detected for row in rows),
        localised=sum(row.localised for row in rows),
        checks=217,
        healthy=(Healthy(after="", verdict="go", checks=4430),),
        rows=rows,
    )


def test_the_schema_is_that_of_the_model() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema(), "python -m chaos.proof.report writes it anew"


def test_what_is_written_is_as_the_schema_says_and_can_be_read_again(tmp_path: Path) -> None:
    made = proof(HIT, MISS)

    write(made, tmp_path)

    jsonschema.validate(json.loads((tmp_path / "proof.json").read_text()), json.loads(schema()))
    assert read(tmp_path / "proof.json") == made


def test_a_proof_of_another_format_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text('{"format": 99}')

    assert read(tmp_path / "proof.json") is None
    assert read(tmp_path / "nothing.json") is None


def test_the_page_stands_alone_and_begins_with_figures_then_misses_then_the_matrix() -> None:
    page = html(proof(HIT, MISS))

    assert not re.search(r"(src|href)=", page)
    assert page.index("faults detected") < page.index("misses") < page.index("Layer × fault")
    assert "slow-&lt;clock&gt;" in page
    assert "<clock>" not in page


def test_a_proof_without_a_miss_says_so() -> None:
    assert misses(proof(HIT)) == []
    assert word(proof(HIT)) == "PROVED"
    assert "Every fault is named by its cause" in html(proof(HIT))


def test_a_proof_that_was_stopped_proves_nothing() -> None:
    assert word(proof(HIT, complete=False)) == "UNFINISHED"
    assert not proof(HIT, complete=False).held


def test_the_terminal_says_what_misses_and_ends_with_one_line() -> None:
    out = io.StringIO()
    print_proof(proof(HIT, MISS), Console(file=out, width=120))

    assert "host.clock did not fail" in out.getvalue()
    assert last_line(proof(HIT, MISS), "reports/proof.html").startswith("NOT PROVED · lab · 2 faults, 1 detected")
