"""Tolerances of an experiment: what its steady state is, where a plain value such as `go` does not say it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["nothing"]


def nothing(value: Sequence[str]) -> bool:
    """Nothing is wrong."""
    return not value
