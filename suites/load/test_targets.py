"""What the bed file promises under load, each target run once: warm-up, steady phase, verdict with its interval."""

from __future__ import annotations

import pytest

from plumbline.bed.model import Target
from plumbline.check import check, for_each
from plumbline.subjects import Thing
from suites.load import cases
from suites.load.conftest import Runs, settle

pytestmark = pytest.mark.timeout(1800)


@check(
    "load.rate",
    severity="critical",
    kind="active",
    remedy="python -m locustfiles {name}: which phase grows with the load? then look at the node that is busiest meanwhile",
    consequence="a test that needs this load measures the bed, and not what is to be tested on it",
    source="seed 000, chapter 12; RFC 9411, chapter 7",
)
@for_each("target", cases.borne)
def test_the_promised_rate_is_borne(target: Thing[Target], runs: Runs) -> None:
    """Answers, connections and Mbit a second are as many as promised, and no fewer than in the last good run."""
    settle(target.name, runs.rates(target))


@check(
    "load.times",
    severity="critical",
    kind="active",
    remedy="python -m locustfiles {name}: connect, tls or first byte? the first is the network's, the last the server's",
    consequence="what is measured under this load has the bed's own delays in it",
    source="RFC 9411, chapter 7",
)
@for_each("target", cases.borne)
def test_answers_come_in_time(target: Thing[Target], runs: Runs) -> None:
    """Percentiles of request, handshake and first byte keep to what is promised, and are no longer than before."""
    settle(target.name, runs.times(target))


@check(
    "load.ratio",
    severity="critical",
    kind="active",
    remedy="python -m locustfiles {name}: what does the firewall's processor do meanwhile? which policy inspects this flow?",
    consequence="inspection costs more than the bed promises, and a test of it finds its limit too soon",
    source="seed 000, chapter 12",
)
@for_each("target", cases.compared)
def test_inspection_leaves_the_promised_share_of_the_rate(target: Thing[Target], runs: Runs) -> None:
    """The rate is at least the promised share of another target's, whose requests are not inspected."""
    settle(target.name, runs.ratios(target))


@check(
    "load.spread",
    severity="major",
    remedy="kubectl describe hpa; does the Service keep clients with one pod (sessionAffinity), or do clients keep their connections?",
    consequence="more pods are no more power: one of them does all the work until it falls",
    source="seed 003, Kubernetes Horizontal Pod Autoscaling",
)
@for_each("target", cases.shared)
def test_pods_share_the_load(target: Thing[Target], runs: Runs) -> None:
    """There are as many pods as promised at the end of the steady phase, and each has a fair part of the load."""
    settle(target.name, runs.spreads(target))


@check(
    "load.failures",
    severity="critical",
    kind="active",
    remedy="reports/load/{name}/locust_failures.csv tells who failed, and how",
    consequence="failures of the bed are counted against what is tested on it",
    source="RFC 9411, chapter 7: failed transactions below 0.001 %",
)
@for_each("target", cases.targets)
def test_next_to_nothing_fails(target: Thing[Target], runs: Runs) -> None:
    """The share of failed requests is at most the promised one; of an attack, as many as promised are turned away."""
    settle(target.name, runs.failures(target))
