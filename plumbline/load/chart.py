"""What the chart of a load run shows, in pixels: answers, times and the generator, second by second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from plumbline.load.result import Result, Sample, Second
from plumbline.report.axis import WIDTH, Column, ticks

LEFT, HEIGHT, GAP = 170, 64, 14
"""Of the names beside the plot, of each panel, and between panels."""
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300)


@dataclass(frozen=True)
class Line:
    """One figure over time, as an SVG polyline has its points; `style` is a class of the style sheet."""

    name: str
    style: str
    points: str


@dataclass(frozen=True)
class Panel:
    """Figures of one unit over each other; `top` says what the upper edge stands for."""

    name: str
    top: str
    columns: tuple[Column, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Chart:
    """All panels of a run, and from where to where its steady phase goes, in pixels."""

    panels: tuple[Panel, ...]
    steady: tuple[float, float]
    ticks: tuple[tuple[float, str], ...]


def chart(result: Result) -> Chart | None:
    """Of a run; None where not a second of it was seen."""
    if not result.by_second:
        return None
    begun, end = result.by_second[0].at, result.by_second[-1].at + 1
    scale = WIDTH / (end - begun)

    def x(at: float) -> float:
        return round(min(max(at - begun, 0.0), end - begun) * scale, 1)

    return Chart(
        panels=(
            _answers(result.by_second, x, scale),
            _times([second for second in result.by_second if second.answered], x),
            _generator(result.generator, x),
        ),
        steady=(x(result.began), x(result.began + result.seconds)),
        ticks=tuple((x(begun + second), f"{second} s") for second in ticks(end - begun, _STEPS)),
    )


def _answers(seconds: Sequence[Second], x: Callable[[float], float], scale: float) -> Panel:
    most = max(1, *(second.answered + second.failed for second in seconds))
    columns = tuple(
        Column(
            x(second.at), max(1.0, round(scale - 0.6, 1)),
            _height(second.answered / most), _height(second.failed / most),
            f"{second.answered} answered, {second.failed} failed",
        )
        for second in seconds
    )  # fmt: skip
    return Panel("requests a second", f"{most}", columns=columns)


def _times(seconds: Sequence[Second], x: Callable[[float], float]) -> Panel:
    most = max((second.p99 for second in seconds), default=1) or 1
    return Panel(
        "times",
        f"{most / 1000:g} ms",
        lines=(
            Line("p50", "middle", _points((x(s.at + 0.5), s.p50 / most) for s in seconds)),
            Line("p99", "worst", _points((x(s.at + 0.5), s.p99 / most) for s in seconds)),
        ),
    )


def _generator(samples: Sequence[Sample], x: Callable[[float], float]) -> Panel:
    """Of several generators the busiest counts: the others cannot do its part."""
    busiest: dict[int, Sample] = {}
    for sample in samples:
        at = int(sample.at)
        if at not in busiest or sample.cpu + sample.queued > busiest[at].cpu + busiest[at].queued:
            busiest[at] = sample
    shown = [busiest[at] for at in sorted(busiest)]
    return Panel(
        "generator",
        "100 %",
        lines=(
            Line("ran", "middle", _points((x(s.at), s.cpu) for s in shown)),
            Line("ran or waited", "worst", _points((x(s.at), s.cpu + s.queued) for s in shown)),
        ),
    )


def _points(pairs: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{at:g},{HEIGHT - _height(share):g}" for at, share in pairs)


def _height(share: float) -> float:
    return round(min(share, 1.0) * HEIGHT, 1)
