"""What one sees while a game-day runs: the bed, the plan, the running fault, probe states, rates, seconds since."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chaos.gameday.report import Day, Played
from chaos.history import checker
from chaos.history.model import Moment, Operation, moments, operations

RECENT = 5.0
"""Seconds over which rates are shown."""
_SIGNS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "still in": ("✗", "red"), "aborted": ("■", "yellow")}
_STATES = {checker.NOTICED: "the bed has noticed", checker.WHOLE: "the bed is whole", "gate": "the gate says go"}


def screen(day: Day, running: Played | None, said: str) -> Group:
    """The whole screen; `said` is what happens between experiments."""
    parts: list[Panel | Text] = [_plan(day, running)]
    if running is not None:
        told = moments(running.folder / "moments.jsonl")
        parts.append(_running(running, told, operations(running.folder / "history.jsonl"), time.time()))
    parts.append(Text(said or "a or Ctrl-C: abort, and undo what is in", style="dim"))
    return Group(*parts)


def _plan(day: Day, running: Played | None) -> Panel:
    table = Table.grid(padding=(0, 2))
    for played in day.played:
        sign, colour = _SIGNS.get(played.word, ("·", "dim"))
        if running is not None and played.ready is running.ready:
            sign, colour = "▶", "bold cyan"
        table.add_row(
            Text(sign, style=colour),
            played.ready.experiment.name,
            played.ready.item.owner,
            Text(played.ready.item.expect, style="dim"),
        )
    return Panel(table, title=f"{day.plan.title} · bed {day.bed}", title_align="left")


def _running(played: Played, told: Sequence[Moment], history: Sequence[Operation], now: float) -> Panel:
    table = Table.grid(padding=(0, 2))
    injected = next((m for m in told if m.name == checker.INJECT), None)
    undone = next((m for m in told if m.name == checker.UNDONE), None)
    if injected is None:
        fault = Text("no fault is in", style="dim")
    elif undone is None:
        fault = Text(f"in for {now - injected.at:.0f} s: {injected.said}", style="bold red")
    else:
        fault = Text(f"out for {now - undone.at:.0f} s", style="green")
    table.add_row("fault", fault)
    if told:
        table.add_row("now", f"{told[-1].name} {told[-1].said} · {now - told[-1].at:.0f} s ago")
    for name, text in _STATES.items():
        last = next((m for m in reversed(told) if m.name == name and m.holds is not None), None)
        state = (
            Text("–", style="dim")
            if last is None
            else Text("yes", style="green")
            if last.holds
            else Text("no", style="yellow")
        )
        table.add_row(text, state)
    for client, told_of in checker.check(history).items():
        recent = [o for o in history if o.client == client and o.ended > now - RECENT and o.kind != "final"]
        good = sum(o.outcome == "ok" for o in recent) / RECENT
        lost = sum(o.outcome != "ok" for o in recent) / RECENT
        rates = Text(f"{good:4.1f}/s", style="green") + Text(f"  {lost:4.1f}/s lost", style="red" if lost else "dim")
        table.add_row(client, rates + Text(f"  {told_of.lost} of {told_of.operations} lost in all", style="dim"))
    return Panel(table, title=played.ready.experiment.title, title_align="left", border_style="cyan")


def new(folder: Path, after: int) -> list[Moment]:
    """Moments of a running experiment that were not told yet, for a terminal that is none."""
    return moments(folder / "moments.jsonl")[after:]
