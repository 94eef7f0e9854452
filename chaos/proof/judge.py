"""What the gate said, compared with what a fault file expects of it. Reads gate.json and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from chaos.proof.model import Root

Gate = Mapping[str, Any]
RED = ("failed", "unknown")


@dataclass(frozen=True)
class Expected:
    """What a fault file says of the gate: the layer and subjects of its first finding, who must fail, who may."""

    layer: str
    subjects: tuple[str, ...]
    red: tuple[str, ...]
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """How the gate stood up to a fault."""

    detected: bool
    localised: bool
    missed: tuple[str, ...]
    first: Root | None
    extra: tuple[Root, ...]
    red: tuple[str, ...]
    consequences: dict[str, int]
    roots: dict[str, int]


def judge(expected: Expected, gate: Gate) -> Judgement:
    """Detected: not go, and every expected check failed; one that could not look has proved nothing.

    Localised: the first finding is of the fault's layer, and one of its subjects is the fault's. Extra are roots that
    the fault file does not name; what is folded under a root follows from it and is counted only.
    """
    failed = {check["id"] for check in gate["checks"] if check["outcome"] == "failed"}
    roots = roots_of(gate)
    missed = tuple(id for id in expected.red if id not in failed)
    first = roots[0] if roots else None
    known = {*expected.red, *expected.also}
    return Judgement(
        detected=gate["verdict"] != "go" and not missed,
        localised=first is not None and first.layer == expected.layer and _meant(first, expected.subjects),
        missed=missed,
        first=first,
        extra=tuple(root for root in roots if root.check not in known),
        red=tuple(sorted(failed)),
        consequences=_layers(follow["check"] for finding in gate["findings"] for follow in finding["follows"]),
        roots=_layers(root.check for root in roots for _ in root.subjects),
    )


def roots_of(gate: Gate) -> tuple[Root, ...]:
    """The findings of a gate, in its order."""
    return tuple(
        Root(check=finding["check"], subjects=tuple(finding["subjects"]), outcome=finding["outcome"])
        for finding in gate["findings"]
    )


def alarms(gate: Gate) -> int:
    """How many red checks a gate has; each is a false alarm where no fault is in."""
    return sum(check["outcome"] in RED for check in gate["checks"])


def applicable(gate: Gate) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of the checks that apply to the bed, and of those that it cannot show on any of their subjects."""
    applying = {check["id"] for check in gate["checks"] if check["outcome"] != "not-applicable"}
    return frozenset(applying), frozenset({check["id"] for check in gate["checks"]} - applying)


def _meant(root: Root, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(subject, pattern) for subject in root.subjects for pattern in patterns)


def _layers(checks: Any) -> dict[str, int]:
    return dict(Counter(id.partition(".")[0] for id in checks))
