"""A second asking: what did not answer in time is asked once more, alone and with more patience.

A machine that is busy for a moment is not a bed that is wrong. What is slow twice is; and an answer that came only the
second time says so (`attempts`), so that a report can tell it from one that came at once.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from plumbline.collect.planned import Planned
from plumbline.facts.source import Source

PATIENCE = 2.5
"""How many times longer the second answer may take."""
_ASKED_TWICE = frozenset({"tls", "http", "dns", "quic"})
"""Kinds whose silence is never what a bed declares, except for QUIC where the firewall drops it."""
_TIMEOUT = "timeout"


def slow(planned: list[Planned], source: Source) -> list[Planned]:
    """The probes that were sent and not answered in time."""
    answers = source.facts.get("probes", {})
    return [p for p in planned if p.kind in _ASKED_TWICE and answers.get(p.id, {}).get("outcome") == _TIMEOUT]


def mended(first: Source, second: Source) -> Source:
    """The first answers, with those of the second asking in their places; the first ones stand where that failed."""
    if second.outcome != "ok":
        return first
    later = {identity: {**answer, "attempts": 2} for identity, answer in second.facts.get("probes", {}).items()}
    probes = {**first.facts.get("probes", {}), **later}
    return replace(first, seconds=first.seconds + second.seconds, facts={**first.facts, "probes": probes})


def notes(out: Path) -> tuple[str, ...]:
    """For each node of a run's facts whose probes were answered the second time only: how many, as a sentence."""
    told = []
    for file in sorted(out.glob("probes/*.json")):
        with suppress(OSError, ValueError):
            answers = Source.read(file).facts.get("probes", {}).values()
            late = sum(answer.get("attempts") == 2 and answer.get("outcome") != _TIMEOUT for answer in answers)
            if late:
                told.append(f"{file.stem}: {late} of {len(answers)} probes were answered only when asked a second time")
    return tuple(told)
