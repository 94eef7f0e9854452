"""Actions of an experiment: what is recorded, broken and mended. All of it ends with the experiment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from chaos.call import Call
from chaos.choose import chosen
from chaos.extension.running import now
from chaos.fault import Steps
from chaos.history import checker
from chaos.history.recorder import Recorder
from chaos.lease import LeftElsewhere
from chaos.session import session
from chaos.undo import StillIn
from plumbline.bed.types import Duration

__all__ = ["end", "inject", "record", "undo"]
MOST = 1800.0
"""Seconds that clients are recorded at most."""


def record(calm: str = "3s") -> list[str]:
    """Begins to record what clients do, and goes on once all was well for a while; the names of the records."""
    here = now()
    here.recorder = Recorder.start(here.bed, here.declared.records, here.history, MOST)
    here.watch()
    here.note("record")
    here.over.wait(_seconds(calm))
    return list(here.declared.records)


def inject(steps: Sequence[dict[str, Any]], time_to_live: str = "120s") -> str:
    """Puts calls of actions in, in order, as a fault file does; their undo is on disk before. The session's id."""
    here = now()
    calls = tuple(Call.of(step) for step in chosen(here.bed, list(steps)))
    what = Steps(
        here.declared.experiment, here.declared.touches, calls, timedelta(seconds=_seconds(time_to_live)), here.bed.path
    )
    here.note("injecting")
    try:
        injected = here.stack.enter_context(session(here.bed, what, told=here.hear))
    except (StillIn, LeftElsewhere) as error:
        here.still_in, here.in_bed = str(error), isinstance(error, StillIn)
        raise
    here.in_bed = True
    shift = time.time() - time.monotonic()
    here.environment = injected.environment
    here.note(checker.INJECT, said="; ".join(map(str, calls)), at=injected.since + shift)
    here.note(checker.EFFECTIVE, at=injected.effective + shift)
    return injected.id


def undo() -> None:
    """Takes out what is in; what is out already stays out."""
    here = now()
    if here.in_bed:
        here.note(checker.UNDOING)
        here.undo()
        if not here.in_bed and not any(moment.name == checker.UNDONE for moment in here.told()):
            here.note(checker.UNDONE)  # there was nothing to take out


def end(calm: str = "3s") -> dict[str, int]:
    """Goes on recording for a while, then ends it; how many operations of each client were seen."""
    here = now()
    time.sleep(_seconds(calm))
    here.stop()
    return {name: told.operations for name, told in here.judged().told.items()}


def _seconds(text: str) -> float:
    return TypeAdapter[timedelta](Duration).validate_python(text).total_seconds()
