"""Fills in the templates of files that the lab puts on nodes: `NAME.j2` in the folder `templates` of a package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render(package: Path, template: str, values: Mapping[str, Any]) -> str:
    """A template of the package that lies there; jinja2's UndefinedError where it names a value that is not given."""
    return _environment(package / "templates").get_template(f"{template}.j2").render(values)


@cache
def _environment(folder: Path) -> Environment:
    loader = FileSystemLoader(folder)
    return Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
