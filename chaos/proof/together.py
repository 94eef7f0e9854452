"""Faults that have nothing to do with each other are put in together, so that one look at the bed serves them all.

Honest as long as no red check can be taken for another fault's: members share no check that may go red, nothing that
one of them hits, and nothing that its checks look at, stands on what another hits, and each is judged by its own findings
alone. Whoever is not hit in company is put in again by itself, and that row counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import chain

from chaos.call import Call
from chaos.fault import Fault, Until
from chaos.proof.judge import Gate
from plumbline.bed import Bed
from plumbline.check import Case
from plumbline.needs import graph, needs

_EACH = timedelta(seconds=30)
"""How much longer a fault may have to be in for each further one that is put in beside it."""


_SHADES = frozenset({"network", "inspection"})
"""Layers of which the second tells nothing of a flow whose path the first finds broken."""
_NAMES = ("certificate", "authority", "secret", "workload", "unit", "path", "link", "name", "key")
"""Arguments of actions that name one thing."""


@dataclass(frozen=True)
class Extent:
    """How far a fault goes: checks that it may turn red, subjects that it hits, what it changes.

    And what is beneath: what those subjects stand on, and what its checks look at, since they are red for it only if
    nothing else is. `waits` and `settles` are what must hold once it is in, and again once it is out.
    """

    layer: str
    checks: frozenset[str]
    hit: frozenset[str]
    beneath: frozenset[str]
    changed: frozenset[str]
    waits: frozenset[str]
    settles: frozenset[str]
    alone: bool

    @property
    def takes_time(self) -> bool:
        """Whether something has to come about by itself before the gate looks."""
        return bool(self.waits)

    @classmethod
    def of(cls, bed: Bed, fault: Fault, cases: Mapping[str, Sequence[Case]]) -> Extent:
        """Its subjects are those that it names, and of the bed's those that its patterns mean."""
        meant = {subject for subject in graph(bed) if any(fnmatchcase(subject, p) for p in fault.subject)}
        hit = frozenset({*fault.subject, *meant})
        beneath = frozenset(under for subject in hit for under in needs(bed, subject))
        looked = chain(*(_meant(cases.get(check, ()), fault) for check in fault.red))
        beneath |= {under for case in looked for under in (case.subject, *case.needs)} - hit
        changed = frozenset(chain(*map(_changes, fault.inject)))
        waits, settles = _held(fault.wait), _held(fault.settle)
        return cls(fault.layer, _may_be_red(fault), hit, beneath, changed, waits, settles, fault.alone)

    def apart(self, other: Extent) -> bool:
        """Whether no check that one of them may turn red tells of the other, and neither changes what the other does."""
        if self.alone or other.alone or {self.layer, other.layer} == _SHADES:
            return False
        if self.layer == other.layer and (self.takes_time or other.takes_time):
            return False  # the other may be in the way of what the one waits for: they are of one service
        if self.checks & other.checks or self.hit & other.hit or self.changed & other.changed:
            return False
        if self.waits & other.settles or other.waits & self.settles:
            return False  # what is to hold again only when the one is out cannot come about for the other
        return not (self.hit & other.beneath or other.hit & self.beneath)


def groups(
    bed: Bed, faults: Sequence[Fault], most: int, cases: Mapping[str, Sequence[Case]] | None = None
) -> list[tuple[Fault, ...]]:
    """Groups of up to `most` that are apart from each other; in each, and of the groups, the faults in their order.

    Whoever is apart from the fewest is grouped first, since the others find company later too. Those of layers that a
    group does not have yet come first: the less two faults have to do with each other, the better. And those that need
    time to come about go with their like, so that others are not in for longer than they are meant. `cases` are what
    checks run on, by their ids, as far as that is known.
    """
    extents = [Extent.of(bed, fault, cases or {}) for fault in faults]
    near = [{j for j, other in enumerate(extents) if j != i and not own.apart(other)} for i, own in enumerate(extents)]
    waiting, found = sorted(range(len(faults)), key=lambda i: -len(near[i])), []
    while waiting:
        group = [waiting.pop(0)]
        for new in (True, False):
            for i in sorted(waiting, key=lambda i: extents[i].takes_time is not extents[group[0]].takes_time):
                known = extents[i].layer in {extents[member].layer for member in group}
                if len(group) < most and not (new and known) and near[i].isdisjoint(group):
                    group.append(i)
                    waiting.remove(i)
        found.append(sorted(group))
    return [tuple(faults[i] for i in group) for group in sorted(found)]


def _meant(cases: Sequence[Case], fault: Fault) -> list[Case]:
    """Those of a check's cases that the fault is about: of its subjects, or all where none is."""
    own = [case for case in cases if any(fnmatchcase(case.subject, pattern) for pattern in fault.subject)]
    return own or list(cases)


def _held(until: Until | None) -> frozenset[str]:
    return frozenset(map(str, until.holds)) if until else frozenset()


def merged(faults: Sequence[Fault]) -> Fault:
    """One fault that is all of these, put in in their order; a single one as it is."""
    first, *others = faults
    if not others:
        return first
    longest = max(fault.time_to_live for fault in faults)
    return first.model_copy(
        update={
            "fault": f"{first.fault}-and-{len(others)}-more",
            "summary": "; ".join(fault.summary for fault in faults),
            "inject": tuple(step for fault in faults for step in fault.inject),
            "effect": tuple(step for fault in faults for step in fault.effect),
            "wait": _all_of([fault.wait for fault in faults if fault.wait]),
            "settle": _all_of([fault.settle for fault in faults if fault.settle]),
            "time_to_live": longest + len(others) * _EACH,
        }
    )


def settling(bed: Bed, fault: Fault) -> Fault:
    """The fault, settled when what looks at the bed from time to time has looked again.

    Kubelets ask agents, which ask others, and Prometheus asks all: what they saw meanwhile they tell for a while more.
    """
    asked = [Call("kubernetes.ready")] if bed.kubernetes else []
    asked += [Call("prometheus.up")] if bed.services.prometheus else []
    before = fault.settle.holds if fault.settle else ()
    if not (more := tuple(call for call in asked if call not in before)):
        return fault
    settle = fault.settle.model_copy(update={"holds": (*before, *more)}) if fault.settle else Until(holds=more)
    return fault.model_copy(update={"settle": settle})


def own(gate: Gate, beside: Sequence[Fault]) -> Gate:
    """What of a gate's findings does not belong to the faults beside, with all that is folded under them."""
    if not beside:
        return gate
    theirs = frozenset[str]().union(*map(_may_be_red, beside))
    findings = [finding for finding in gate["findings"] if finding["check"] not in theirs]
    about = {(f["check"], subject) for f in findings for subject in f["subjects"]}
    about |= {(follow["check"], follow["subject"]) for f in findings for follow in f["follows"]}
    checks = [check for check in gate["checks"] if (check["id"], check["subject"]) in about]
    return {**gate, "findings": findings, "checks": checks}


def _changes(call: Call) -> set[str]:
    """What a call changes, as far as its arguments name it; a call that names no single thing changes its node's whole."""
    told = call.arguments
    where = told.get("node") or told.get("namespace") or ""
    units = [*told.get("restart", ()), *told.get("reload", ()), *told.get("units", ())]
    named = [*(told[name] for name in _NAMES if told.get(name)), *units]
    return {f"{where}/{name}" for name in named} or {f"{call.action} {where}"}


def _may_be_red(fault: Fault) -> frozenset[str]:
    return frozenset({*fault.red, *fault.also})


def _all_of(parts: Sequence[Until]) -> Until | None:
    if not parts:
        return None
    return Until(holds=tuple(step for part in parts for step in part.holds), limit=max(part.limit for part in parts))
