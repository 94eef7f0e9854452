"""Timers that renew something, and the services that they start: what systemd knows of both."""

from __future__ import annotations

import glob
import os

from plumbline.remote.command import run
from plumbline.remote.types import Json

_KEYS = (
    "Id", "LoadState", "ActiveState", "ActiveEnterTimestamp", "InactiveExitTimestamp",
    "UnitFileState", "Result", "LastTriggerUSec", "TimersCalendar", "TimersMonotonic",
    "RandomizedDelayUSec", "AccuracyUSec", "Persistent", "Environment", "ExecCondition", "ExecStart", "ExecStartPost", "User",
)  # fmt: skip
_KEPT = ("STEPPATH", "CERT_LOCATION", "KEY_LOCATION", "EXPIRES_IN_THRESHOLD")


def instances(template: str) -> list[str]:
    """The instances of a template's timer (cert-renewer) that are enabled or loaded on this node."""
    enabled = glob.glob(f"/etc/systemd/system/*.wants/{template}@*.timer")
    loaded = run(
        "systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", f"{template}@*.timer"
    ).splitlines()
    names = {os.path.basename(path) for path in enabled} | {line.split()[0] for line in loaded if line.strip()}
    return sorted(name.removeprefix(f"{template}@").removesuffix(".timer") for name in names)


def describe(units: list[str]) -> dict[str, Json]:
    """By unit (without .timer and .service): {timer: {…}, service: {…}}, each property a list of its lines."""
    if not units:
        return {}
    names = [f"{unit}.{kind}" for unit in units for kind in ("timer", "service")]
    # not --timestamp=unix: systemd 252 writes the moment at which a timer triggered last in its usual way all the same
    output = run("env", "TZ=UTC", "systemctl", "show", "--no-pager", *(f"--property={k}" for k in _KEYS), "--", *names)
    blocks = [_block(text) for text in output.strip().split("\n\n")]
    pairs = dict(zip(names, blocks, strict=True))
    return {unit: {kind: pairs[f"{unit}.{kind}"] for kind in ("timer", "service")} for unit in units}


def _block(text: str) -> Json:
    found: Json = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "Environment":  # of what a unit is given, no more than is judged
            value = " ".join(word for word in value.split() if word.partition("=")[0] in _KEPT)
        found.setdefault(key, []).append(value)
    return found
