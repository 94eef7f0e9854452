"""A second asking: what did not answer in time is asked once more, alone and with more patience.

A machine that is busy for a moment is not a bed that is wrong. What is slow twice is; and an answer that came only the
second time says so (`attempts`), so that a report can tell it from one that came at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from plumbline.collect.planned import Planned
from plumbline.facts.source import Source

PATIENCE = 2.5
"""How many times longer the second answer may take."""
_SILENCE = frozenset(
    {
        "apart",
        "around",
        "around-neighbour",
        "duplicate",
        "foreign",
        "from-oobi",
        "quic",
        "refused",
        "snmp-wrong",
        "to-oobi",
    }
)
"""Purposes of probes whose silence may be what a bed declares."""
_TIMEOUT = "timeout"


def patiently(ask: Callable[[float], Source]) -> Source:
    """What a source says; one that did not answer in time is asked once more. `ask` is given the patience to have."""
    first = ask(1.0)
    if first.outcome != _TIMEOUT:
        return first
    second = ask(PATIENCE)
    error = f"{second.error}; asked twice" if second.outcome == _TIMEOUT else second.error
    return replace(second, error=error, seconds=first.seconds + second.seconds, attempts=2)


def slow(planned: list[Planned], source: Source) -> list[Planned]:
    """The probes that were sent and not answered in time, or not in full: large frames that vanished without a word.

    Where there are such, so are those that should not be answered: on a node that is late, silence is no proof.
    """
    answers = source.facts.get("probes", {})
    late = [p for p in planned if p.purpose not in _SILENCE and _lacking(answers.get(p.id, {}))]
    silent = [p for p in planned if p.purpose in _SILENCE and _lacking(answers.get(p.id, {}))]
    return [*late, *silent] if late else []


def _lacking(answer: dict[str, Any]) -> bool:
    return answer.get("outcome") == _TIMEOUT or (
        answer.get("outcome") == "too-big" and bool(answer["facts"]["largest"])
    )


def mended(first: Source, second: Source) -> Source:
    """The first answers, with those of the second asking in their places; the first ones stand where that failed."""
    if second.outcome != "ok":
        return first
    probes = dict(first.facts.get("probes", {}))
    for identity, answer in second.facts.get("probes", {}).items():
        told = answer.get("facts") or answer["outcome"] != _TIMEOUT  # one that was cut off tells less than the first
        probes[identity] = {**(answer if told else probes.get(identity, answer)), "attempts": 2}
    return replace(first, seconds=first.seconds + second.seconds, facts={**first.facts, "probes": probes})


def notes(out: Path) -> tuple[str, ...]:
    """What of a run's facts was answered the second time only, as a sentence for each source and each node's probes."""
    told = []
    # what is no source, such as the plan, has no attempts
    for file in (*sorted(out.glob("*.json")), *sorted(out.glob("nodes/*.json"))):
        with suppress(OSError, ValueError):
            source = Source.read(file)
            if source.attempts > 1 and source.outcome != _TIMEOUT:
                told.append(f"{file.stem}: answered only when asked a second time, after {source.seconds:.0f} s")
    for file in sorted(out.glob("probes/*.json")):
        with suppress(OSError, ValueError):
            answers = Source.read(file).facts.get("probes", {}).values()
            late = sum(answer.get("attempts") == 2 and answer.get("outcome") != _TIMEOUT for answer in answers)
            if late:
                told.append(f"{file.stem}: {late} of {len(answers)} probes were answered only when asked a second time")
    return tuple(told)
