"""What every part of the graph is written with."""

from __future__ import annotations

from collections.abc import Iterator

Edges = dict[str, tuple[str, ...]]
Parts = Iterator[tuple[str, list[str]]]
"""Subjects, each with some of the subjects directly beneath it; a subject may come more than once."""
PROFILE_VALUES = ("swap", "transparent_hugepages", "cpu_governor", "clock_offset")
API = "kubernetes:api"
