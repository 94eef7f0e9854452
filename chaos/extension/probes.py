"""Probes of an experiment: the gate, what the bed has noticed, whether it is whole, what was wrong; and the safeguard."""

from __future__ import annotations

import time
from collections.abc import Callable

from chaos.extension.running import Running, now
from chaos.history import checker
from chaos.history.model import operations
from chaos.proof.gate import NoGate, look

__all__ = ["gate", "noticed", "safeguard", "whole", "wrong"]
GATE_LIMIT = 300.0
_LIMIT = 60.0
_SPARE = 5.0
_LOOK = 0.5


def gate(suites: str = "suites", workers: str = "auto") -> str:
    """The verdict of the gate: go, no-go or unknown. After a fault it is asked again until its budget is over."""
    here = now()
    broken = any(moment.name == checker.INJECT for moment in here.told())
    limit = here.declared.limits(here.bed).get("steady", 0.0) if broken else 0.0
    deadline = time.monotonic() + limit
    while True:
        verdict = _verdict(here, "after" if broken else "before", suites, workers)
        if broken:
            here.note(checker.STEADY, holds=verdict == "go", said=verdict)
        if verdict == "go" or time.monotonic() >= deadline:
            return verdict


def _verdict(here: Running, when: str, suites: str, workers: str) -> str:
    from chaos.extension.fault import ROOT

    here.note("gate", said=when)
    folder = here.folder / f"gate-{when}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        looked = look(here.bed.path.resolve(), [ROOT / suites], folder, {}, workers=workers, limit=GATE_LIMIT)
    except NoGate as error:
        here.note("gate", holds=False, said=str(error)[:300])
        return "unknown"
    verdict = str(looked.report["verdict"])
    here.note("gate", holds=verdict == "go", said=verdict)
    return verdict


def noticed() -> float:
    """Waits until the bed itself has noticed what was injected; seconds. It fails where that never comes."""
    return _await(checker.NOTICED, "detect", lambda here: here.times.detect)


def whole() -> float:
    """Waits until all is as it has to be again; seconds since the fault, or since its undo. It fails where never."""
    return _await(checker.WHOLE, "mend", lambda here: here.times.mend if _looked_since(here) else None)


def _looked_since(here: Running) -> bool:
    """Whether a whole round of looks began after the last thing that changed the bed, or was noticed of it."""
    changes = (checker.INJECT, checker.NOTICED, checker.UNDOING, checker.UNDONE)
    return here.looked > max((moment.at for moment in here.told() if moment.name in changes), default=0.0)


def _await(what: str, budget: str, seen: Callable[[Running], float | None]) -> float:
    """Longer than the budget, so as to tell by how much it is missed."""
    here = now()
    limit = 2 * here.declared.limits(here.bed).get(budget, _LIMIT) + _SPARE
    deadline = time.monotonic() + limit
    while (took := seen(here)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the bed was not {what} within {limit:.0f} s")
        time.sleep(0.1)
    return round(took, 2)


def wrong() -> list[str]:
    """What the history and the times tell that is not as promised; empty before anything was recorded."""
    return list(now().judged().wrong)


def safeguard() -> str:
    """Runs in the background, and aborts all where what must stay unaffected fails for too long; why, or nothing."""
    from chaoslib.exit import exit_gracefully

    here = now()
    patience = here.declared.patience.total_seconds()
    while not here.over.wait(_LOOK):
        if said := _harm(here, patience):
            here.aborted = said
            here.note("abort", said=said)
            exit_gracefully()
            return said
    return ""


def _harm(here: Running, patience: float) -> str:
    """What has not succeeded for longer than the experiment has patience with it; reads do not make up for writes."""
    if here.recorder is not None and not here.recorder.alive():
        return "the recorder is gone"
    at = time.time()
    history = [o for o in operations(here.history) if o.client in here.declared.unaffected and o.kind != "final"]
    for name, kind in dict.fromkeys((o.client, o.kind) for o in history):
        own = [o for o in history if (o.client, o.kind) == (name, kind)]
        since = max((o.ended for o in own if o.outcome == "ok"), default=own[0].begun)
        if at - since > patience + 1.0 / here.declared.records[name].rate:
            return f"{name} was not to be affected, and none of its {kind}s has succeeded for {at - since:.0f} s"
    return ""
