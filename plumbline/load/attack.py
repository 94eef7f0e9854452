"""Whether a target was attacked as its bed file says: what is borne beside no attack says nothing of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from plumbline.bed.throughput import Target
from plumbline.load.result import Result
from plumbline.load.verdict import Judged

COVERED = 0.95
"""Share of a target's steady phase in which its attack has to be under way, at least: the two do not begin at once."""
SENT = 0.1
"""Share of an attack's planned requests that ended: of fewer its own machine sent next to none, or nobody was asked."""


def weak(name: str, attack: Result | str, declared: Target, during: Result) -> str:
    """Why it is not known that a target was attacked all the while; empty where it was.

    `attack` is what the attack told, or why it told nothing; `during` what the attacked one told.
    """
    if isinstance(attack, str):
        return f"attack {name}: {attack}"
    if attack.stopped:
        return f"attack {name}: {attack.stopped}"
    sent = attack.asked
    if sent < max(attack.seconds, SENT * (declared.pace or 0) * attack.seconds):
        return f"attack {name}: {sent} requests in {attack.seconds:g} s are none"
    seen = [second.at for second in attack.by_second]  # its warm-up attacks, too
    begun, end = min([attack.began, *seen]), max([attack.began + attack.seconds, *(at + 1 for at in seen)])
    together = min(end, during.began + during.seconds) - max(begun, during.began)
    if together < COVERED * during.seconds:
        return f"attack {name}: it lasted for {max(0.0, together):g} of {during.seconds:g} s"
    return ""


def doubted(judged: Iterable[Judged], why: str) -> Iterator[Judged]:
    """Promises of a target whose attack was `why` none: what is broken is broken all the same, and nothing else is known."""
    for one in judged:
        yield replace(one, outcome="unknown", found=f"{why}; {one.found}") if why and one.outcome != "failed" else one
