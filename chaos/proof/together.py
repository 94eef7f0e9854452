"""Faults that have nothing to do with each other are put in together, so that one look at the bed serves them all.

Honest as long as no red check can be taken for another fault's: members share no check that may go red, nothing that
one of them hits stands on what another hits, and each is judged by its own findings alone. Whoever is not hit in
company is put in again by itself, and that row counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import chain

from chaos.call import Call
from chaos.fault import Fault, Until
from chaos.proof.judge import Gate
from plumbline.bed import Bed
from plumbline.needs import graph, needs

_EACH = timedelta(seconds=30)
"""How much longer a fault may have to be in for each further one that is put in beside it."""


_SHADES = frozenset({"network", "inspection"})
"""Layers of which the second tells nothing of a flow whose path the first finds broken."""
_NAMES = ("certificate", "authority", "secret", "workload", "unit", "path", "link", "name", "key")
"""Arguments of actions that name one thing."""


@dataclass(frozen=True)
class Extent:
    """How far a fault goes: checks that it may turn red, subjects that it hits, what those stand on, what it changes."""

    layer: str
    checks: frozenset[str]
    hit: frozenset[str]
    beneath: frozenset[str]
    changed: frozenset[str]
    alone: bool

    @classmethod
    def of(cls, bed: Bed, fault: Fault) -> Extent:
        """Its subjects are those that it names, and of the bed's those that its patterns mean."""
        meant = {subject for subject in graph(bed) if any(fnmatchcase(subject, p) for p in fault.subject)}
        hit = frozenset({*fault.subject, *meant})
        beneath = frozenset(under for subject in hit for under in needs(bed, subject))
        return cls(
            fault.layer, _may_be_red(fault), hit, beneath, frozenset(chain(*map(_changes, fault.inject))), fault.alone
        )

    def apart(self, other: Extent) -> bool:
        """Whether no check that one of them may turn red tells of the other, and neither changes what the other does."""
        if self.alone or other.alone or {self.layer, other.layer} == _SHADES:
            return False
        if self.checks & other.checks or self.hit & other.hit or self.changed & other.changed:
            return False
        return not (self.hit & other.beneath or other.hit & self.beneath)


def groups(bed: Bed, faults: Sequence[Fault], most: int) -> list[tuple[Fault, ...]]:
    """The faults in their order, each with up to `most` - 1 later ones that are apart from it and from each other.

    Those of layers that a group does not have yet come first: the less two faults have to do with each other, the better.
    And those that need time to come about go with their like, so that others are not in for longer than they are meant.
    """
    extents = {fault.fault: Extent.of(bed, fault) for fault in faults}
    waiting, found = list(faults), []
    while waiting:
        group = [waiting.pop(0)]
        for new in (True, False):
            for fault in sorted(waiting, key=lambda each: _takes_time(each) is not _takes_time(group[0])):
                others = [extents[member.fault] for member in group]
                known = fault.layer in {other.layer for other in others}
                if len(group) == most or (new and known):
                    continue
                if all(extents[fault.fault].apart(other) for other in others):
                    group.append(fault)
                    waiting.remove(fault)
        found.append(tuple(group))
    return found


def _takes_time(fault: Fault) -> bool:
    """Whether something has to come about by itself before the gate looks."""
    return fault.wait is not None


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
    """The fault, settled when Prometheus has asked all again: what it saw meanwhile it tells for one interval more."""
    asked, own = Call("prometheus.up"), fault.settle
    if bed.services.prometheus is None or (own and asked in own.holds):
        return fault
    settle = own.model_copy(update={"holds": (*own.holds, asked)}) if own else Until(holds=(asked,))
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
