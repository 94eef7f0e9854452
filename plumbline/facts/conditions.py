"""Conditions of an object: what its controller says of it (Kubernetes API conventions, typical status properties)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def condition(item: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """The condition of this kind, such as Ready; None where nobody has set it, or has set any (`conditions: null`)."""
    return next((one for one in item.get("status", {}).get("conditions") or () if one["type"] == kind), None)


def has(item: Mapping[str, Any], kind: str) -> bool:
    """Whether the condition is True; it is not where it is unknown, or where nobody has set it."""
    found = condition(item, kind)
    return found is not None and found["status"] == "True"
