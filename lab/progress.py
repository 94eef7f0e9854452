"""Progress of named steps: what runs, for how long, and an estimate of what is left.

On a terminal the running steps stand in a live display; elsewhere each step is one line at its start and one at its
end, with a sign of life in between. How long a step took is remembered in the cache and is the next run's estimate.
"""

import itertools
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from lab.cache import cache_dir, locked

HEARTBEAT = 15.0
"""Seconds after which a run without a terminal says that it is still alive."""
_DECAY = 0.8
_REMEMBER_FROM = 0.05
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@dataclass(frozen=True)
class Step:
    """A step that runs: its name, when it began, and how many seconds it is thought to take (None: unknown)."""

    name: str
    began: float = field(default_factory=time.monotonic)
    estimate: float | None = None
    detail: str = ""

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float | None:
        """Seconds that are thought to be left; None where nothing is known or the estimate has run out."""
        return None if self.estimate is None or self.elapsed > self.estimate else self.estimate - self.elapsed


def seconds(value: float) -> str:
    """A duration for people: `0.4 s`, `12 s`, `6 min 25 s`."""
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Progress:
    """Shows the steps of a run. All its methods may be called from any thread; steps may run side by side."""

    def __init__(
        self, console: Console | None = None, *, memory: Path | None = None, heartbeat: float = HEARTBEAT
    ) -> None:
        self.console = console or Console(highlight=False)
        self._memory = memory
        self._heartbeat = heartbeat
        self._lock = threading.RLock()
        self._began = time.monotonic()
        self._running: dict[int, Step] = {}
        self._planned: dict[str, float] = {}
        self._numbers = itertools.count()
        self._live: Live | None = None
        self._said = time.monotonic()
        self._quiet = threading.Event()

    def plan(self, steps: Mapping[str, float]) -> None:
        """Announce steps to come (name → estimate in seconds), so that the estimate of what is left covers them."""
        known = self._durations()
        with self._lock:
            self._planned.update({name: known.get(name, estimate) for name, estimate in steps.items()})

    @contextmanager
    def step(self, name: str, estimate: float | None = None) -> Iterator[Step]:
        """Show the step `name` while the block runs; `estimate` (seconds) counts until its duration is known."""
        with self._lock:
            planned = self._planned.pop(name, None)
            number = next(self._numbers)
            step = self._running[number] = Step(name, estimate=self._durations().get(name, estimate or planned))
            self._show()
            if not self.console.is_terminal:
                about = f", about {seconds(step.estimate)}" if step.estimate else ""
                self._say(f"{name} …{about}{self._outlook()}")
        outcome = "failed after"
        try:
            yield step
            outcome = "done in"
        finally:
            with self._lock:
                del self._running[number]
                self._say(f"{name}: {outcome} {seconds(step.elapsed)}")
                self._hide()
            if outcome == "done in":
                self._remember(name, step.elapsed)

    def detail(self, name: str, text: str) -> None:
        """Say in a few words what the running step `name` is about just now."""
        with self._lock:
            for number, step in self._running.items():
                if step.name == name:
                    self._running[number] = replace(step, detail=text)

    def note(self, text: str) -> None:
        """Print one line between the steps."""
        with self._lock:
            self._say(text)

    def left(self) -> float | None:
        """Seconds that are thought to be left of the running and the planned steps; None where that is unknown."""
        # No lock here: the display's own thread asks while this class may be waiting for that thread.
        known = [left for step in tuple(self._running.values()) if (left := step.left) is not None]
        planned = tuple(self._planned.values())
        # Steps side by side end together; those still to come are counted one after the other.
        return max(known, default=0.0) + sum(planned) if known or planned else None

    def __rich__(self) -> Group:
        frame = _SPINNER[int(time.monotonic() * 8) % len(_SPINNER)]
        lines = [f"{frame} {self._line(step)}" for step in tuple(self._running.values())]
        total = Text(f"  {seconds(time.monotonic() - self._began)}{self._outlook()}", style="dim")
        return Group(*(Text(line, overflow="ellipsis", no_wrap=True) for line in lines), total)

    def _line(self, step: Step) -> str:
        remaining = step.left
        if remaining is not None:
            left = f", about {seconds(remaining)} left"
        else:
            left = f", longer than the {seconds(step.estimate)} expected" if step.estimate else ""
        return f"{step.name}{' · ' + step.detail if step.detail else ''}  {seconds(step.elapsed)}{left}"

    def _outlook(self) -> str:
        left = self.left()
        return f" · about {seconds(left)} left in all" if left and (self._planned or len(self._running) > 1) else ""

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        if self.console.is_terminal:
            self.console.print(text, markup=False)
        else:
            # Unwrapped and at once: a CI log has no width, and its reader waits.
            self.console.print(f"[{time.monotonic() - self._began:6.1f} s] {text}", markup=False, soft_wrap=True)
            with suppress(OSError, ValueError):
                self.console.file.flush()

    def _show(self) -> None:
        if len(self._running) > 1:
            return
        if self.console.is_terminal:
            self._live = Live(self, console=self.console, refresh_per_second=4, transient=True)
            self._live.start()
        else:
            self._quiet = threading.Event()
            threading.Thread(target=self._beat, args=(self._quiet,), name="progress", daemon=True).start()

    def _hide(self) -> None:
        if self._running:
            return
        self._quiet.set()
        if self._live:
            self._live.stop()
            self._live = None

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(self._heartbeat / 5):
            with self._lock:
                if not stop.is_set() and self._running and time.monotonic() - self._said >= self._heartbeat:
                    # The oldest step that runs is named; those inside it and beside it are behind the "+".
                    first, *others = self._running.values()
                    more = f" (+{len(others)}: {others[-1].name})" if others else ""
                    self._say(f"{self._line(first)}{more}{self._outlook()}")

    def _file(self) -> Path:
        return self._memory or cache_dir() / "durations.json"

    def _durations(self) -> dict[str, float]:
        try:
            return {str(name): float(value) for name, value in json.loads(self._file().read_text()).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _remember(self, name: str, took: float) -> None:
        if took < _REMEMBER_FROM:
            return
        # An estimate is a courtesy: a cache that cannot be written must not fail a step that went well.
        with suppress(OSError, RuntimeError), locked("durations", wait=5):
            file = self._file()
            file.parent.mkdir(parents=True, exist_ok=True)
            beside = file.with_name(f"{file.name}.tmp-{os.getpid()}")
            known = self._durations()
            # A run that found its work done already says little of the next that has to do it.
            known[name] = round(max(took, _DECAY * known.get(name, 0.0)), 1)
            beside.write_text(json.dumps(known, indent=1, sort_keys=True))
            beside.replace(file)
