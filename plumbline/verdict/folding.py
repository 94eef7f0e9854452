"""Folding: twenty red checks with one cause are one finding.

A check has failed *because* of another when the other's subject is among the things that it stands on, directly or
through others. An unknown check that names a cause follows from whatever is known about that subject. Roots are what
nothing else explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plumbline.check import SEVERITIES
from plumbline.verdict.model import Result
from plumbline.verdict.verdict import rank


@dataclass(frozen=True)
class Finding:
    """One cause: the checks that show it (one check, on one or more subjects) and all that follows from it."""

    roots: tuple[Result, ...]
    consequences: tuple[Result, ...] = ()

    @property
    def first(self) -> Result:
        """The check that the finding is told by."""
        return self.roots[0]

    @property
    def alike(self) -> bool:
        """Whether what was expected and what to do is the same for all its roots."""
        return len({(r.expected, r.remedy) for r in self.roots}) == 1

    @property
    def told(self) -> list[Result]:
        """Its roots as they are shown: of several that say the same of one subject, as checks do that did not run, one."""
        distinct: dict[tuple[str, str, str], Result] = {}
        for root in self.roots:
            distinct.setdefault((root.subject, root.found, root.expected), root)
        return list(distinct.values())

    @property
    def severity(self) -> str:
        """The worst severity in it: a dead link is as bad as the worst thing that hangs on it."""
        return min((r.severity for r in (*self.roots, *self.consequences)), key=_severity)


def fold(results: Sequence[Result], roots: Mapping[str, Result] | None = None) -> list[Finding]:
    """The findings of a run: failed before unknown, then by severity, by how much follows, and from the ground up.

    `roots` are those of `roots_of`, where they are known.
    """
    roots = roots_of(results) if roots is None else roots
    groups: dict[tuple[str, ...], tuple[list[Result], list[Result]]] = {}
    for result in _red(results):
        root = roots[result.nodeid]
        members, consequences = groups.setdefault(_group(root), ([], []))
        (members if root is result else consequences).append(result)
    return sorted((Finding(tuple(members), tuple(after)) for members, after in groups.values()), key=_order)


def causes(results: Sequence[Result], roots: Mapping[str, Result] | None = None) -> dict[str, str]:
    """For each red check that follows from another: its node id, and the subject of the root."""
    roots = roots_of(results) if roots is None else roots
    return {r.nodeid: roots[r.nodeid].subject if roots[r.nodeid] is not r else r.cause for r in _red(results)}


def roots_of(results: Sequence[Result]) -> dict[str, Result]:
    """For each red check, by node id, the one that explains it, which may be itself."""
    red = _red(results)
    edges: dict[str, list[str]] = {}
    about: dict[str, list[Result]] = {}
    for result in red:
        edges.setdefault(result.subject, []).extend(result.needs)
        about.setdefault(result.subject, []).append(result)
    beneath = {r.nodeid: _beneath(r, edges) for r in red}
    nearest = {r.nodeid: _root(r, beneath, about) for r in red}
    return {nodeid: _last(root, nearest) for nodeid, root in nearest.items()}


def _red(results: Sequence[Result]) -> list[Result]:
    return [r for r in results if r.outcome in ("failed", "unknown")]


def closure(edges: Mapping[str, Sequence[str]], start: Sequence[str]) -> frozenset[str]:
    """Everything that can be reached from `start` along `edges`; cycles end by themselves."""
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        subject = waiting.pop()
        if subject not in seen:
            seen.add(subject)
            waiting.extend(edges.get(subject, ()))
    return frozenset(seen)


def _beneath(result: Result, edges: Mapping[str, Sequence[str]]) -> frozenset[str]:
    start = [*result.needs, *([result.cause] if result.cause else [])]
    own = frozenset() if result.cause == result.subject else frozenset({result.subject})
    return closure(edges, start) - own


def _root(result: Result, beneath: Mapping[str, frozenset[str]], about: Mapping[str, Sequence[Result]]) -> Result:
    """Goes down while something red lies beneath; failed explains better than unknown, and deep better than near."""
    seen = {result.nodeid}
    while True:
        below = [
            candidate
            for subject in sorted(beneath[result.nodeid])
            for candidate in about.get(subject, ())
            if candidate.nodeid not in seen and not _mutual(candidate, result, beneath)
        ]
        if not below:
            return result
        result = min(below, key=lambda r: (r.outcome != "failed", len(beneath[r.nodeid]), rank(r.layer), r.nodeid))
        seen.add(result.nodeid)


def _mutual(candidate: Result, result: Result, beneath: Mapping[str, frozenset[str]]) -> bool:
    """Of two things that stand on each other, or two open questions about one, the first explains the second.

    What has failed comes before what is unknown.
    """
    if candidate.subject == result.subject:
        return candidate.outcome == "unknown" and (result.outcome == "failed" or candidate.nodeid > result.nodeid)
    return result.subject in beneath[candidate.nodeid] and _place(candidate) > _place(result)


def _last(root: Result, nearest: Mapping[str, Result]) -> Result:
    """The root of a root is itself; where causes name each other in a ring, the first of the ring is."""
    ring: dict[str, Result] = {}
    while root.nodeid not in ring:
        ring[root.nodeid] = root
        root = nearest[root.nodeid]
    again = list(ring.values())[list(ring).index(root.nodeid) :]
    return min(again, key=_place)


def _place(result: Result) -> tuple[bool, str]:
    return result.outcome != "failed", result.nodeid


def _group(result: Result) -> tuple[str, ...]:
    """One check that fails alike on several subjects is one finding; so is all that one missing thing leaves open."""
    return ("unknown", result.cause) if result.outcome == "unknown" and result.cause else (result.outcome, result.id)


def _severity(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _order(finding: Finding) -> tuple[object, ...]:
    return (
        finding.first.outcome != "failed",
        _severity(finding.severity),
        -len(finding.roots) - len(finding.consequences),
        rank(finding.first.layer),
        finding.first.nodeid,
    )
