"""A chart of a run: every second has its column, failures stand on answers, and the steady phase is marked."""

from __future__ import annotations

from dataclasses import replace

from plumbline.load.chart import HEIGHT, chart
from plumbline.load.histogram import Histogram, of_microseconds
from plumbline.load.result import Result, seconds_of
from plumbline.load.verdict import Judged
from plumbline.report import html
from plumbline.report.axis import WIDTH
from tests.load.test_verdict import CALM

RUN = Result(
    "t", 102.0, 3.0, 10,
    by_second=seconds_of([(at, of_microseconds([1000 * at] * 8), 2 if at == 104 else 0) for at in range(100, 105)]),
    generator=tuple(replace(CALM, at=float(at)) for at in range(100, 105)),
)  # fmt: skip


def test_columns_lines_and_the_steady_phase_are_to_scale() -> None:
    drawn = chart(RUN)

    assert drawn
    answers, times, generator = drawn.panels
    assert [(column.good, column.lost) for column in answers.columns][-2:] == [(51.2, 0.0), (51.2, 12.8)]
    assert drawn.steady == (WIDTH * 2 / 5, WIDTH)
    assert times.top == "104 ms"
    assert generator.lines[0].points.startswith(f"0,{HEIGHT * 0.7:g} ")


def test_a_second_without_an_answer_has_no_time() -> None:
    assert seconds_of([(7, Histogram(), 3)])[0].p99 == 0
    assert chart(replace(RUN, by_second=())) is None


def test_it_stands_in_the_report_with_its_promises() -> None:
    page = html.load_run("kept", RUN, [Judged("rate", "failed", "8 <a second>", "10 a second")])

    assert "8 &lt;a second&gt;" in page
    assert page.count("<polyline") == 4
    assert page.count('class="lost"') == 1


def test_what_is_refused_of_an_attack_is_not_drawn_as_lost() -> None:
    page = html.load_run("flood", RUN, [], attack=True)

    assert page.count('class="refused"') == 1
    assert page.count('class="lost"') == 5
