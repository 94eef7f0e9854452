"""Runs whose factors are varied, as one table: the factors, the times of each stage, what the control plane used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from plumbline.bed.throughput import Target
from plumbline.load.histogram import Histogram
from plumbline.load.result import CREATED, SCHEDULED, Cost, Result
from plumbline.load.verdict import Judged, Outcome

FACTORS = ("ops", "agents", "population", "API servers")
FULFILLED = "fulfilled"
STAGES = (CREATED, SCHEDULED, FULFILLED)
"""Each from the planned start of a request on."""
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Row:
    """One run. `times` are milliseconds by stage and quantile, `costs` are texts by purpose; `said` is how it ended."""

    name: str
    factors: tuple[int, ...]
    outcome: Outcome
    said: str
    times: tuple[str, ...] = ()
    costs: dict[str, str] = field(default_factory=dict)


def row(name: str, target: Target, result: Result | str, judged: Sequence[Judged]) -> Row:
    """The row of a target's run; `result` is a text where it came to no end."""
    assert target.factors is not None
    varied = (target.pace or 0, target.factors.agents, target.factors.population, target.factors.servers)
    if isinstance(result, str):
        return Row(name, varied, "unknown", result)
    said = f"{result.answered} fulfilled, {result.failed} failed in {result.seconds:g} s"
    return Row(name, varied, _worst(judged), said, _times(result), _costs(result.costs))


def _worst(judged: Sequence[Judged]) -> Outcome:
    outcomes = {one.outcome for one in judged}
    return "failed" if "failed" in outcomes else "unknown" if "unknown" in outcomes or not outcomes else "passed"


def _times(result: Result) -> tuple[str, ...]:
    stages = (result.phases.get(CREATED), result.phases.get(SCHEDULED), result.total)
    return tuple(_time(stage or Histogram(), share) for stage in stages for share in QUANTILES.values())


def _time(stage: Histogram, share: float) -> str:
    return f"{stage.quantile(share) / 1000:g}" if stage.counts else NOT_MEASURED


def _costs(costs: Sequence[Cost]) -> dict[str, str]:
    """By purpose; where several nodes have it, one after the other."""
    found: dict[str, str] = {}
    for cost in costs:
        several = sum(cost.purpose == other.purpose for other in costs) > 1
        text = f"{cost.node}: {_cost(cost)}" if several else _cost(cost)
        found[cost.purpose] = f"{found[cost.purpose]}; {text}" if cost.purpose in found else text
    return found


def _cost(cost: Cost) -> str:
    if cost.cpu is None or cost.memory is None:
        return f"{NOT_MEASURED}: {cost.said}"
    network = (
        f"{NOT_MEASURED}: {cost.said}"
        if cost.received is None or cost.sent is None
        else f"{cost.received / 1e3:.0f} in, {cost.sent / 1e3:.0f} out"
    )
    return f"{cost.cpu:.2f} · {cost.memory / 1e6:.0f} · {network}"
