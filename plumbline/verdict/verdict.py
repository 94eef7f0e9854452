"""Go, no-go or unknown."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.check import LAYERS
from plumbline.verdict.model import Counts, Result, Verdict, count

LAYER_ORDER = ("gate", *LAYERS)


def verdict(results: Sequence[Result]) -> Verdict:
    """No-go if a check failed; unknown if one could not be answered, or none ran: nobody looked, nobody knows."""
    counts = count(results)
    if counts.failed:
        return "no-go"
    if counts.unknown or not (counts.passed + counts.waived):
        return "unknown"
    return "go"


def rank(layer: str) -> tuple[int, str]:
    """Sorts layers from the ground up; a user's own come last, by name."""
    return (LAYER_ORDER.index(layer) if layer in LAYER_ORDER else len(LAYER_ORDER), layer)


def layers(results: Sequence[Result]) -> dict[str, Counts]:
    """The counts of each layer that ran, from the ground up."""
    names = sorted({result.layer for result in results}, key=rank)
    return {name: count(r for r in results if r.layer == name) for name in names}
