"""result.json: what became of an experiment, for whoever reports it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from chaos.extension.running import Running
from chaos.history import checker
from chaos.history.checker import Promise, Told
from chaos.history.model import operations


class Client(BaseModel):
    """What one record tells. `gap` in seconds, `since` in seconds of the epoch."""

    operations: int
    lost: int
    gap: float
    since: float
    missing: int
    returned: int
    stale: int
    unsaved: int = 0
    unaffected: bool
    most_gap: float | None = None
    recovered: float | None = None
    """Seconds from what `mend` counts from until it succeeded again; only where `most_recover` is a budget of that."""
    most_recover: float | None = None

    @classmethod
    def of(cls, told: Told, promise: Promise, recovered: float | None) -> Client:
        """From what the checker says."""
        return cls(
            operations=told.operations, lost=told.lost, gap=round(told.gap.seconds, 2), since=told.gap.since,
            missing=len(told.missing), returned=len(told.returned), stale=len(told.stale),
            unsaved=len(told.unsaved), unaffected=promise.unaffected, most_gap=promise.gap, most_recover=promise.recover,
            recovered=_rounded(recovered) if promise.recover is not None else None,
        )  # fmt: skip


class Result(BaseModel):
    """An experiment that has ended. It passed where nothing is wrong and nothing is still in."""

    model_config = ConfigDict(extra="forbid")

    experiment: str
    title: str
    bed: str
    touches: str
    started: str
    seconds: float
    status: str
    """Of the toolkit: completed, failed, aborted or interrupted."""
    deviated: bool
    detect: float | None = None
    mend: float | None = None
    steady: float | None = None
    budgets: dict[str, float] = {}
    clients: dict[str, Client] = {}
    wrong: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    still_in: str = ""
    aborted: str = ""

    @property
    def passed(self) -> bool:
        """Whether the bed did what was expected of it, and is whole."""
        return self.status == "completed" and not (self.deviated or self.wrong or self.still_in or self.aborted)


def read(folder: Path) -> Result | None:
    """The result that an experiment left in its folder, or None."""
    try:
        return Result.model_validate_json((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def written(here: Running, experiment: Mapping[str, Any], journal: Mapping[str, Any]) -> str:
    """The result of an experiment that ends, from its journal and its history."""
    judged, promises, history = here.judged(), here.declared.promises(here.bed), operations(here.history)
    told_of, by_undo = here.told(), here.declared.mended_by == "undo"
    result = Result(
        experiment=here.declared.experiment,
        title=str(experiment.get("title", "")),
        bed=here.bed.bed,
        touches=here.declared.touches,
        started=str(journal.get("start", "")),
        seconds=round(float(journal.get("duration") or 0.0), 1),
        status=str(journal["status"]),
        deviated=bool(journal["deviated"]),
        **{name: _rounded(getattr(judged.times, name)) for name in ("detect", "mend", "steady")},
        budgets=here.declared.limits(here.bed),
        clients={
            name: Client.of(told, promises[name], checker.recovered(own, told_of, by_undo=by_undo))
            for name, told in judged.told.items()
            for own in [[o for o in history if o.client == name]]
        },
        wrong=(*judged.wrong, *_failures(journal)),
        left_out=here.left_out,
        still_in=here.still_in,
        aborted=here.aborted,
    )
    return result.model_dump_json(indent=1) + "\n"


def _failures(journal: Mapping[str, Any]) -> list[str]:
    """Activities that failed, and probes of the steady state that were not within their tolerance."""
    said = [
        f"{run['activity']['name']}: {' '.join(map(str, run.get('exception', ['it did not say why'])[-1:])).strip()}"
        for run in (*journal.get("run", ()), *journal.get("rollbacks", ()))
        if run.get("status") == "failed"
    ]
    for when in ("before", "after"):
        state = (journal.get("steady_states") or {}).get(when) or {}
        for run in state.get("probes", ()):
            if not run.get("tolerance_met", True) and run["activity"]["name"] != "wrong":
                said.append(f"{run['activity']['name']}, {when}: {run.get('output')}")
    return said


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
