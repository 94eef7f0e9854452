"""reports/gameday.html: one file without outside resources."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chaos.extension.result import Result, read
from chaos.gameday.plan import Plan, Ready
from chaos.gameday.timeline import LEFT, Timeline, timeline
from chaos.history.model import Moment, moments, operations
from plumbline.report.axis import WIDTH
from plumbline.report.files import write_atomically
from plumbline.report.html import STYLE, rendered
from plumbline.report.words import duration

ROW, RATE = 22, 46
"""Heights of a row of states and of a row of rates, in pixels."""


@dataclass(frozen=True)
class Played:
    """One experiment of a game-day as it went; `code` is what it ended with, None where it never began."""

    ready: Ready
    folder: Path
    code: int | None = None

    @property
    def result(self) -> Result | None:
        """What it left behind."""
        return read(self.folder) if self.code is not None else None

    @property
    def moments(self) -> list[Moment]:
        """What happened, in order."""
        return (
            sorted(moments(self.folder / "moments.jsonl"), key=lambda moment: moment.at)
            if self.code is not None
            else []
        )

    @property
    def timeline(self) -> Timeline:
        """What is drawn."""
        return timeline(self.moments, operations(self.folder / "history.jsonl"))

    @property
    def word(self) -> str:
        """How it went."""
        if self.code is None:
            return "not run"
        return {0: "passed", 11: "still in", 130: "aborted"}.get(self.code, "failed")


@dataclass
class Day:
    """A whole game-day."""

    plan: Plan
    bed: str
    played: list[Played]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def passed(self) -> bool:
        """Whether every experiment ran and went as it should."""
        return all(each.code == 0 for each in self.played)

    def last_line(self, page: Path) -> str:
        """The one line that a game-day ends with."""
        good = sum(each.code == 0 for each in self.played)
        word = "PASSED" if self.passed else "FAILED"
        return f"{word} · {self.bed} · {good} of {len(self.played)} experiments as they should · {page}"


def write(day: Day, page: Path) -> Path:
    """Writes the page in one step; its place."""
    took = (datetime.now(UTC) - day.started).total_seconds()
    text = rendered(
        "gameday.html.j2", day=day, style=STYLE.read_text(encoding="utf-8"), took=duration(took), left=LEFT, width=WIDTH,
        row=ROW, rate=RATE, clock=_clock,
    )  # fmt: skip
    write_atomically(page, text)
    return page


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-5]
