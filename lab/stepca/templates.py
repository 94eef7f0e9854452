"""Filling in the templates beside this file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.errors import LabError

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """A template, its name without .j2."""
    return _ENVIRONMENT.get_template(f"{template}.j2").render(values)


def calendar(every: timedelta) -> str:
    """A period as systemd's OnCalendar writes it (seed 001, fact 40: *:1/5). LabError where no calendar has it."""
    seconds = int(every.total_seconds())
    if seconds < 60 and 60 % seconds == 0:
        return f"*:*:0/{seconds}"
    if seconds % 60 == 0 and 60 % (seconds // 60) == 0:
        return f"*:{1 % (seconds // 60)}/{seconds // 60}"
    raise LabError(f"a timer cannot look every {seconds} s", remedy="use a part of a minute or of an hour, such as 15s")
