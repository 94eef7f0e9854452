"""The experiment that runs in this process: the toolkit hands nothing from one activity to the next."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos import guard
from chaos.call import Call
from chaos.choose import chosen
from chaos.declared import INJECT, Declared, understood
from chaos.history import checker
from chaos.history.model import Moment, line, moments, operations
from chaos.history.recorder import Recorder
from chaos.reach import Reach
from chaos.session import UNDONE_SAID
from plumbline import places
from plumbline.bed import Bed, load

REPORTS = "PLUMBLINE_EXPERIMENT_REPORTS"
"""The environment variable that says where an experiment writes; default: reports/chaos/<experiment>."""
GO = "go"
_LOOK = 0.2


class NoExperiment(Exception):
    """An activity of an experiment that does not name the control chaos.extension.controls, or whose bed is refused."""


@dataclass
class Running:
    """One experiment on one bed. `stack` holds what is in the bed: closing it undoes that."""

    bed: Bed
    declared: Declared
    left_out: tuple[str, ...]
    folder: Path
    reach: Reach
    over: threading.Event = field(default_factory=threading.Event)
    stack: ExitStack = field(default_factory=ExitStack)
    recorder: Recorder | None = None
    environment: dict[str, str] = field(default_factory=dict)
    in_bed: bool = False
    still_in: str = ""
    aborted: str = ""
    stopped: bool = False
    """Whether the recorder was told to end."""
    looked: float = 0.0
    """When the last round of looks began that has ended; what was so before it may be so no more."""
    _watcher: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def history(self) -> Path:
        """What clients did."""
        return self.folder / "history.jsonl"

    @property
    def moments(self) -> Path:
        """What happened to the experiment."""
        return self.folder / "moments.jsonl"

    def note(self, name: str, holds: bool | None = None, said: str = "", at: float | None = None) -> None:
        """Writes down that something happened, now or at a time of before (seconds of the epoch)."""
        at = time.time() if at is None else at
        with self._lock, self.moments.open("a", encoding="utf-8") as file:
            file.write(line(Moment(at, name, holds, said)))
            file.flush()
            os.fsync(file.fileno())

    def hear(self, said: str) -> None:
        """What the session tells: the bed is as it was as soon as that is seen, and its watchdog ends later."""
        if said.endswith(UNDONE_SAID):
            self.note(checker.UNDONE)

    def told(self) -> list[Moment]:
        """What has happened so far."""
        return sorted(moments(self.moments), key=lambda moment: moment.at)

    def watch(self) -> None:
        """Looks from now on, until it is over, and writes down when a look gives something else."""
        looks = {checker.NOTICED: self.declared.watch.noticed, checker.WHOLE: self.declared.watch.whole}
        self._watcher = threading.Thread(target=self._look, args=(looks,), name="watch", daemon=True)
        self._watcher.start()

    def _look(self, looks: Mapping[str, Sequence[Call]]) -> None:
        last: dict[str, bool | None] = {}
        with Reach(self.bed) as reach:
            while True:
                begun = time.time()
                for name, calls in looks.items():
                    now, said = _hold(self.bed, reach, calls) if calls else (None, "")
                    if calls and (name not in last or last[name] is not now):
                        self.note(name, bool(now), said)
                        last[name] = now
                self.looked = begun
                if self.over.wait(_LOOK):
                    return

    @property
    def times(self) -> checker.Times:
        """How long what took so far."""
        return checker.times(self.told(), by_undo=self.declared.mended_by == "undo")

    def judged(self) -> checker.Judged:
        """What is wrong so far: nothing before anything was recorded."""
        if self.recorder is None:
            return checker.Judged({}, checker.Times())
        limits = self.declared.limits(self.bed)
        if not any(moment.name == checker.STEADY for moment in self.told()):
            limits.pop("steady", None)  # the gate is yet to be asked
        by_undo = self.declared.mended_by == "undo"
        promises = self.declared.promises(self.bed)
        return checker.judge(operations(self.history), self.told(), promises, limits, by_undo=by_undo)

    def undo(self) -> None:
        """Takes out what is in. What is raised where that fails is told in `still_in`, if anything is."""
        stack, self.stack = self.stack, ExitStack()
        try:
            stack.close()
        except BaseException as error:
            if places.leftovers(self.bed.bed):
                self.still_in = str(error) or type(error).__name__
            raise
        finally:
            self.in_bed = bool(places.leftovers(self.bed.bed))

    def stop(self) -> None:
        """Ends the recorder and the looks. A recorder that has ended before it was told to has not seen all."""
        self.over.set()
        if self.recorder is not None and not self.stopped:
            self.stopped, gone = True, not self.recorder.alive()
            self.note(checker.STOP)
            code = self.recorder.stop()
            said = "it ended before the experiment did" if gone else self.recorder.said() if code else ""
            self.note(checker.RECORDED, holds=not said, said=said)
        if self._watcher is not None:
            self._watcher.join(10.0)

    def close(self) -> None:
        """Undoes, ends, and lets go of everything; what fails is raised once all else is done."""
        try:
            self.undo()
        finally:
            with suppress(OSError):
                self.stop()
            self.reach.close()


_NOW: list[Running] = []


def begin(bed_file: str, experiment: Mapping[str, Any]) -> Running:
    """Begins an experiment of the toolkit; NotAllowed and the like where it may not run on this bed."""
    end()
    bed = load(Path(bed_file))
    declared, left_out = understood(bed, experiment.get("extensions"))
    folder = Path(os.environ.get(REPORTS) or Path("reports/chaos", declared.experiment)).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("history.jsonl", "moments.jsonl", "result.json"):
        (folder / name).unlink(missing_ok=True)
    reach = Reach(bed)
    made = Running(bed, declared, left_out, folder, reach)
    try:
        guard.refuse(bed, reach, declared, steps_of(bed, experiment))
    except BaseException:
        reach.close()
        raise
    _NOW.append(made)
    made.note("begin")
    return made


def steps_of(bed: Bed, experiment: Mapping[str, Any]) -> list[Call]:
    """All that an experiment injects."""
    found = []
    for activity in experiment.get("method", ()):
        provider = activity.get("provider", {})
        if (provider.get("module"), provider.get("func")) == INJECT:
            found += [Call.of(step) for step in chosen(bed, provider.get("arguments", {}).get("steps", ()))]
    return found


def now() -> Running:
    """The experiment that runs; NoExperiment where none does."""
    if not _NOW:
        raise NoExperiment("no experiment has begun: does it name the control chaos.extension.controls with its bed?")
    return _NOW[-1]


def running() -> Running | None:
    """The experiment that runs, or None."""
    return _NOW[-1] if _NOW else None


def end() -> None:
    """Ends the experiment that runs, if any, with all that it has in the bed."""
    while _NOW:
        _NOW.pop().close()


def _hold(bed: Bed, reach: Reach, calls: Sequence[Call]) -> tuple[bool | None, str]:
    """Whether all hold; None where nobody can tell of one, which is not yes."""
    for call in calls:
        try:
            if not call.holds(bed, reach):
                return False, str(call)
        except Exception as error:
            return None, f"{call}: {error}"[:200]
    return True, ""
