"""What a timeline shows, in pixels: the fault, the states of probes and the rates of clients, one over the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos.history import checker
from chaos.history.model import Moment, Operation
from plumbline.report.axis import WIDTH, Column, ticks

LEFT = 130
"""Of the names beside the plot, in pixels."""
_STEPS = (5, 10, 20, 30, 60, 120, 300, 600)
_MOST_BINS = 180


@dataclass(frozen=True)
class Bar:
    """From x on, so wide; `state` is a class of the style sheet."""

    x: float
    width: float
    state: str
    said: str = ""


@dataclass(frozen=True)
class Timeline:
    """All rows of one experiment."""

    seconds: float
    fault: tuple[Bar, ...] = ()
    states: dict[str, tuple[Bar, ...]] = field(default_factory=dict)
    rates: dict[str, tuple[Column, ...]] = field(default_factory=dict)
    ticks: tuple[tuple[float, str], ...] = ()


def timeline(moments: Sequence[Moment], history: Sequence[Operation]) -> Timeline:
    """Of one experiment; empty where it never began to record."""
    begun = next((moment.at for moment in moments if moment.name == "record"), None)
    if begun is None:
        return Timeline(0.0)
    begun -= 1.0
    end = max(moments[-1].at, begun + 1.0)
    scale = WIDTH / (end - begun)

    def x(at: float) -> float:
        return round((min(max(at, begun), end) - begun) * scale, 1)

    def bar(since: float, until: float, state: str, said: str) -> Bar:
        return Bar(x(since), max(1.0, x(until) - x(since)), state, said)

    return Timeline(
        seconds=end - begun,
        fault=tuple(bar(*each, "fault", "the fault is in") for each in _in(moments, end)),
        states={
            name: tuple(bar(*each) for each in _states(moments, name, end))
            for name in (checker.NOTICED, checker.WHOLE, checker.STEADY)
            if any(moment.name == name for moment in moments)
        },
        rates=_rates(history, begun, end, scale),
        ticks=tuple((x(begun + second), f"{second} s") for second in ticks(end - begun, _STEPS)),
    )


def _in(moments: Sequence[Moment], end: float) -> list[tuple[float, float]]:
    """When the fault was in: without an undo only for the moment of the injection."""
    found = []
    for moment in moments:
        if moment.name == checker.INJECT:
            undone = next((m.at for m in moments if m.name == checker.UNDONE and m.at >= moment.at), end)
            found.append((moment.at, undone))
    return found


def _states(moments: Sequence[Moment], name: str, end: float) -> list[tuple[float, float, str, str]]:
    """From when until when a probe said what. That a bed has nothing to notice is as it should be."""
    no = "idle" if name == checker.NOTICED else "no"
    own = [moment for moment in moments if moment.name == name]
    until = [moment.at for moment in own[1:]] + [end]
    return [
        (moment.at, ends, "yes" if moment.holds else no, moment.said or ("yes" if moment.holds else "no"))
        for moment, ends in zip(own, until, strict=True)
    ]


def _rates(history: Sequence[Operation], begun: float, end: float, scale: float) -> dict[str, tuple[Column, ...]]:
    """By client, what ended in each bin of whole seconds."""
    size = max(1.0, (end - begun) / _MOST_BINS)
    found: dict[str, tuple[Column, ...]] = {}
    for client in dict.fromkeys(operation.client for operation in history):
        bins: dict[int, list[int]] = {}
        for operation in history:
            if operation.client == client and operation.kind != "final":
                counts = bins.setdefault(int((operation.ended - begun) / size), [0, 0])
                counts[operation.outcome != "ok"] += 1
        most = max((sum(counts) for counts in bins.values()), default=1)
        found[client] = tuple(
            Column(
                round(number * size * scale, 1), max(1.0, round(size * scale - 0.6, 1)), good / most, lost / most,
                f"{good / size:.1f}/s, {lost} lost",
            )
            for number, (good, lost) in sorted(bins.items())
        )  # fmt: skip
    return found
