"""Faults for a bed, the undo that outlives whoever injected them, and the proof that every check can go red."""

from __future__ import annotations

from typing import Any


def discover(discover_system: bool = True) -> Any:
    """What Chaos Toolkit asks of an extension: its actions and probes."""
    from chaoslib.discovery.discover import discover_actions, discover_probes, initialize_discovery_result

    found = initialize_discovery_result("plumbline", "0.1.0", "plumbline")
    found["activities"] += discover_actions("chaos.extension.actions")
    found["activities"] += discover_probes("chaos.extension.probes")
    return found
