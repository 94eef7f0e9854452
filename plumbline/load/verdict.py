"""A run against what its target promises: kept, broken, or not known, with the interval in which the truth lies.

A figure has an interval of 95 % confidence. A promise is kept where the whole interval keeps it and broken where the
whole interval breaks it; where it lies across, nobody knows, and a longer steady phase tells. What the bed is not
blamed for is what the generator could not do: a promise that is not kept while the generator was saturated is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from plumbline.bed.throughput import Promise, Ratio, Target, share_of
from plumbline.load.histogram import Histogram, needed
from plumbline.load.intervals import by_second, proportion
from plumbline.load.result import CREATED, SCHEDULED, Result, Sample

Outcome = Literal["passed", "failed", "unknown"]

BUSY = 0.9
"""Share of the time in which a generator's thread had work, whether it ran or waited for a processor, from which on it
is the limit itself: for the rest it waited for the bed."""
STARVED = 0.5
"""Share of the time that it was ready to run while others had the processors, from which on answers waited for it so
long that their times tell of this machine."""
LATE = 0.01
"""Seconds that starts of an open loop may be late, with a user free, before the plan is not the plan any more."""
SILENT = 2.0
"""Seconds at the begin or the end in which a worker tells nothing of itself, from which on it was not there."""
MEGABITS = "Mbit/s"

REFUSALS = frozenset(
    {
        "status 429", "status 503", "connection refused", "connection reset", "closed without an answer",
        "connection lost while sending", "connection lost while receiving",
    }
)  # fmt: skip
"""Classes of failure by which a server turns a request away at once. One that is left waiting is not turned away."""

RFC_9411 = 0.00001
"""Share of failed transactions that RFC 9411 allows."""
NONE = "no request ended"


@dataclass(frozen=True)
class Judged:
    """One promise: what became of it, what was measured, what was promised."""

    what: str
    outcome: Outcome
    found: str
    expected: str


@dataclass(frozen=True)
class Short:
    """By how much a promise was missed, in seconds and in answers: whoever explains it has to explain as much."""

    seconds: float = 0.0
    answers: float = 0.0


def judge(result: Result, target: Target) -> Iterator[Judged]:
    """Every promise of the target. Of a run that did not come to its end nothing is known, and first why."""
    judged = [
        *rates(result, target.promise),
        *times(result, target.promise),
        *failures(result, target.promise, target.timeout),
    ]
    if result.stopped:
        yield Judged("run", "unknown", result.stopped, f"a steady phase of {target.steady.total_seconds():g} s")
        judged = [replace(one, outcome="unknown") for one in judged]
    yield from judged


def rates(result: Result, promise: Promise) -> Iterator[Judged]:
    """What is promised a second: answers, connections, Mbit/s. The spread of the seconds tells how sure it is."""
    seconds = result.whole_seconds()
    low, middle, high = by_second(seconds)
    scales = {
        "answers a second": (promise.rate, result.rate),
        "new connections a second": (promise.connections, result.connections),
        MEGABITS: (promise.megabits, result.megabits),
    }
    for what, (wanted, measured) in scales.items():
        if wanted is not None:
            if not seconds:
                yield Judged(what, "unknown", "not a whole second was measured", f"at least {wanted:g} {what}")
                continue
            if not middle:
                none = Judged(what, "failed", f"no {what}", f"at least {wanted:g} {what}")
                answers = 0.0 if what == MEGABITS else wanted * result.seconds
                yield settled(result, none, Short(result.seconds, answers))
                continue
            scale = measured / middle  # connections and bits come and go with the answers
            yield _at_least(result, what, wanted, (low * scale, measured, high * scale))


def ratio(result: Result, beside: Result | str, promised: Ratio) -> Judged:
    """How many of the answers a second of another target are borne; `beside` says why where that told no result.

    Its interval has those of both rates in it. What the other could have borne beyond its generator would make it less.
    """
    expected = f"at least {promised.rate * 100:g} % of the answers a second of {promised.of}"
    if isinstance(beside, str):
        return Judged("ratio", "unknown", f"{promised.of}: {beside}", expected)
    (_, own, high), (_, others, others_high) = by_second(result.whole_seconds()), by_second(beside.whole_seconds())
    if not others:
        return Judged("ratio", "unknown", f"{promised.of} had no answers", expected)
    if not result.whole_seconds():
        return Judged("ratio", "unknown", "not a whole second was measured", expected)
    if not own:
        short = Short(result.seconds, promised.rate * others * result.seconds)
        return settled(result, Judged("ratio", "failed", "no answers", expected), short)
    share, spread = own / others, math.hypot((high - own) / own, (others_high - others) / others)
    low, most = max(0.0, share * (1 - spread)), share * (1 + spread)
    found = f"{share * 100:.3g} % (between {low * 100:.3g} and {most * 100:.3g}): {own:.5g} of {others:.5g} a second"
    judged = Judged("ratio", _outcome(low >= promised.rate, most < promised.rate), found, expected)
    judged = settled(result, judged, short_by(result, most, promised.rate))
    spare = beside.answered * (low / promised.rate - 1) if promised.rate else math.inf
    why = saturated(beside.generator) or _spoilt(beside, spare)
    if judged.outcome == "passed" and why:
        return Judged("ratio", "unknown", f"generator saturated in {promised.of}: {why}; at most {found}", expected)
    return judged


def times(result: Result, promise: Promise) -> Iterator[Judged]:
    """What is promised of times, by phase and percentile."""
    for what, within, histogram in (
        ("whole request", promise.within, result.total),
        ("TLS handshake", promise.handshake, result.phases.get("tls", Histogram())),
        ("first byte", promise.first_byte, result.phases.get("first byte", Histogram())),
        (CREATED, promise.created, result.phases.get(CREATED, Histogram())),
        (SCHEDULED, promise.scheduled, result.phases.get(SCHEDULED, Histogram())),
    ):
        unanswered = result.unanswered if histogram is result.total else Histogram()
        yield from _times(result, what, within, histogram, unanswered)


def failures(result: Result, promise: Promise, timeout: timedelta = timedelta.max) -> Iterator[Judged]:
    """Failed requests, as a share of all; those of an attack have to be many. `timeout` is that of a request."""
    yield _failed(result, promise, timeout) if promise.refused is None else _refused(result, promise.refused)


def _failed(result: Result, promise: Promise, timeout: timedelta) -> Judged:
    """A promised share is judged by its interval; where none is promised, by RFC 9411, which counts and asks no more.

    None failed of eighteen is no proof of 1 %: it is what a bed that fails one in six may show. And nothing is kept where
    so many were due for longer than a request may take, and never begun, that it would not be kept had they failed.
    """
    limit = RFC_9411 if promise.failed is None else promise.failed
    expected = f"at most {limit * 100:.6g} % failed"
    own = sum(result.own.values())
    failed, every = result.failed - own, result.asked
    if every == 0:
        return Judged("failures", "unknown", f"generator saturated: {_listed(result.own)}" if own else NONE, expected)
    low, high = proportion(failed, every)
    found = f"{failed} of {every} failed ({failed / every * 100:.4g} %; between {low * 100:.2g} and {high * 100:.2g} %)"
    found += f": {_listed(result.failures)}" if failed else ""
    if low > limit:
        return Judged("failures", "failed", found, expected)
    if own:  # what could not be sent might have failed as well
        return Judged("failures", "unknown", f"generator saturated: {_listed(result.own)}; {found}", expected)
    if overdue := result.unanswered.beyond(timeout.total_seconds() * 1e6).count:
        found += f"; {overdue} were due for longer than a request may take, and had no answer at the end"
        failed, every = failed + overdue, every + overdue
        high = proportion(failed, every)[1]
    if (failed / every if promise.failed is None else high) <= limit:
        return Judged("failures", "passed", found, expected)
    if overdue:
        return Judged("failures", "unknown", found, expected)
    return Judged("failures", "unknown", f"{found}; too few requests to tell: a longer steady phase", expected)


def _refused(result: Result, wanted: float) -> Judged:
    """Of an attack: what is answered or left waiting was let in; what its own machine could not send is not counted."""
    expected = f"at least {wanted * 100:.6g} % refused"
    refused = sum(number for name, number in result.failures.items() if name in REFUSALS)
    every = result.asked
    if every == 0:
        return Judged("refusals", "unknown", "no request of the attack ended", expected)
    low, high = proportion(refused, every)
    found = (
        f"{refused} of {every} refused ({refused / every * 100:.4g} %; between {low * 100:.4g} and {high * 100:.4g} %)"
    )
    found += f": {_listed(result.failures)}" if result.failures else ""
    judged = Judged("refusals", _outcome(low >= wanted, high < wanted), found, expected)
    return settled(result, judged, Short(answers=(wanted - high) * every))


def saturated(samples: Sequence[Sample], *, of_times: bool = False, missed_by: float = 0.0) -> str:
    """Why the generator, and not the bed, may be the limit; empty where it is not.

    One of several generators that is saturated is enough: the others cannot do its part. Times suffer sooner than rates.
    Being late explains no more than itself: a promise that was missed by more seconds than that (`missed_by`) was missed.
    """
    if why := _away(samples):
        return why
    for name in dict.fromkeys(sample.generator for sample in samples):
        own = [sample for sample in samples if sample.generator == name]
        seconds = sum(sample.seconds for sample in own) or 1.0
        cpu = sum(sample.cpu * sample.seconds for sample in own) / seconds
        queued = sum(sample.queued * sample.seconds for sample in own) / seconds
        lag = sorted(sample.lag for sample in own)[int(len(own) * 0.9)]
        who = f"generator {name}" if name else "the generator"
        ran = f"it ran {cpu * 100:.0f} % and waited for a processor {queued * 100:.0f} % of the time"
        if cpu + queued >= BUSY:
            return f"{who} always had work: {ran}"
        if of_times and queued >= STARVED:
            return f"{who} let answers wait: {ran}"
        if lag > max(LATE, missed_by):
            return f"{who} began requests {lag * 1000:.0f} ms after their plan, with users free"
    return ""


def _away(samples: Sequence[Sample]) -> str:
    """Which of several workers died or came in between: meanwhile nobody sent its part. A run's own process is no worker."""
    names = dict.fromkeys(sample.generator for sample in samples)
    if "" in names:
        return ""
    began, ended = min((s.at - s.seconds for s in samples), default=0.0), max((s.at for s in samples), default=0.0)
    for name in names:
        own = [sample for sample in samples if sample.generator == name]
        away = max(min(s.at - s.seconds for s in own) - began, ended - max(s.at for s in own))
        if away > SILENT:
            return f"{name} was not there for {away:.0f} s"
    return ""


def _times(
    result: Result, what: str, within: Mapping[str, timedelta], histogram: Histogram, unanswered: Histogram
) -> Iterator[Judged]:
    """What has waited for longer than is promised has broken it, whether its answer came or the end of the run."""
    for name, limit in within.items():
        expected = f"{what}: {name} within {limit.total_seconds() * 1000:g} ms"
        limit_us, every = limit.total_seconds() * 1e6, Histogram()
        every.add(histogram)
        every.add(late := unanswered.beyond(limit_us))
        if not every.counts:
            yield Judged(what, "unknown", f"{what}: nothing was measured", expected)
            continue
        share = share_of(name)
        measured, (low, high) = every.quantile(share), every.interval(share)
        found = f"{what}: {name} {measured / 1000:g} ms ({_between(low, high)})"
        if math.isinf(high):
            found += f" of {every.count} answers, where it takes {needed(share)} to tell"
        if late.counts:
            found += f", with {late.count} that had waited for longer and had no answer at the end"
        judged = Judged(what, _outcome(high <= limit_us, low > limit_us), found, expected)
        yield settled(result, judged, Short((low - limit_us) / 1e6, math.inf), of_times=True)


def _between(low: float, high: float) -> str:
    """An interval of microseconds, in milliseconds."""
    return f"at least {low / 1000:g}" if math.isinf(high) else f"between {low / 1000:g} and {high / 1000:g}"


def _at_least(result: Result, what: str, wanted: float, interval: tuple[float, float, float]) -> Judged:
    low, measured, high = interval
    found = f"{measured:.5g} {what} (between {low:.5g} and {high:.5g})"
    judged = Judged(what, _outcome(low >= wanted, high < wanted), found, f"at least {wanted:g} {what}")
    return settled(result, judged, short_by(result, high, wanted))


def short_by(result: Result, high: float, wanted: float) -> Short:
    """Of a rate of at most `high`: so much later as many would have been answered, so many more would have kept it."""
    if wanted <= 0:  # as the low end of a wide interval may be: it cannot be missed
        return Short()
    answers = result.answered * (wanted / high - 1) if high > 0 else math.inf
    return Short((wanted - high) / wanted * result.seconds, answers)


def _outcome(kept: bool, broken: bool) -> Outcome:
    return "passed" if kept else "failed" if broken else "unknown"


def settled(result: Result, judged: Judged, short: Short | None = None, *, of_times: bool = False) -> Judged:
    """What was not kept is the generator's doing where it was saturated, or could not send what would have kept it."""
    short = short or Short()
    if judged.outcome == "passed":
        return judged
    if why := saturated(result.generator, of_times=of_times, missed_by=short.seconds) or _spoilt(result, short.answers):
        return Judged(judged.what, "unknown", f"generator saturated: {why}; {judged.found}", judged.expected)
    if judged.outcome == "unknown":
        return Judged(
            judged.what, "unknown", f"{judged.found}; too near to tell: a longer steady phase", judged.expected
        )
    return judged


def _spoilt(result: Result, missed: float) -> str:
    """What the generator's machine has failed, where that is as much as the missed answers; else empty."""
    own = sum(result.own.values())
    return _listed(result.own) if own and own >= missed else ""


def _listed(failures: Mapping[str, int]) -> str:
    worst = sorted(failures.items(), key=lambda item: -item[1])
    return ", ".join(f"{number} × {name}" for name, number in worst[:4]) + (", …" if len(worst) > 4 else "")
