"""Runs of varied factors side by side: each a row, with its times by stage, and its costs or why there are none."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.bed.throughput import Target
from plumbline.load.histogram import of_microseconds
from plumbline.load.result import CREATED, SCHEDULED, Cost, Result
from plumbline.load.table import row
from plumbline.load.verdict import Judged
from plumbline.report import html

TARGET = Target.model_validate(
    {
        "profile": "attachments",
        "to": "kubernetes",
        "users": 5,
        "pace": 20,
        "factors": {"agents": 9, "population": 40},
        "promise": {},
    }
)
RESULT = Result(
    "t", 100, 10, 5, of_microseconds([30_000] * 9 + [90_000]),
    {CREATED: of_microseconds([5_000] * 10), SCHEDULED: of_microseconds([20_000] * 10)},
    costs=(Cost("etcd", "one", 0.251, 55_000_000, 1000.0, 20_000.0), Cost("agents", said="no such process")),
)  # fmt: skip
KEPT: Sequence[Judged] = [Judged("rate", "passed", "20 a second", "at least 10")]


def test_a_row_has_factors_times_by_stage_and_costs() -> None:
    told = row("made-20-9-40", TARGET, RESULT, KEPT)

    assert (told.factors, told.outcome) == ((20, 9, 40, 1), "passed")
    assert told.times == ("5", "5", "5", "20", "20", "20", "30", "30", "90")
    assert told.costs == {"etcd": "0.25 · 55 · 1 in, 20 out", "agents": "not measured: no such process"}


def test_several_nodes_of_one_purpose_are_told_apart() -> None:
    result = Result("t", 100, 10, 5, costs=tuple(Cost("etcd", n, 0.1, 1_000_000, said="no ss") for n in ("a", "b")))

    assert row("t", TARGET, result, KEPT).costs == {
        "etcd": "a: 0.10 · 1 · not measured: no ss; b: 0.10 · 1 · not measured: no ss"
    }


def test_a_run_without_an_end_has_its_row_too() -> None:
    rows = [row("one", TARGET, RESULT, KEPT), row("two", TARGET, "nobody <fulfils>", [])]
    page = html.load_table(rows)

    assert rows[1].outcome == "unknown"
    assert "nobody &lt;fulfils&gt;" in page
    assert page.count("<tr>") == 2 + 2 + 1 + 1
