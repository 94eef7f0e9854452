"""Filling in the templates beside this file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from lab import templates
from lab.errors import LabError


def render(template: str, **values: Any) -> str:
    """A template, its name without .j2."""
    return templates.render(Path(__file__).parent, template, values)


def calendar(every: timedelta) -> str:
    """A period as systemd's OnCalendar writes it (seed 001, fact 40: *:1/5). LabError where no calendar has it."""
    seconds = int(every.total_seconds())
    if seconds < 60 and 60 % seconds == 0:
        return f"*:*:0/{seconds}"
    if seconds % 60 == 0 and 60 % (seconds // 60) == 0:
        return f"*:{1 % (seconds // 60)}/{seconds // 60}"
    raise LabError(f"a timer cannot look every {seconds} s", remedy="use a part of a minute or of an hour, such as 15s")
