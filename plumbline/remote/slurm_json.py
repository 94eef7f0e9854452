"""What Slurm's programs say in JSON, in the forms of 22.05 and of later releases, as one form.

Since 23.02 sinfo tells of states and no more of nodes, a state and its flags are one list, and a number may be
{set, infinite, number}.
"""

from __future__ import annotations

import json
from typing import Any

from plumbline.remote.types import Json

_BASE = frozenset({"UNKNOWN", "DOWN", "IDLE", "ALLOCATED", "ERROR", "MIXED", "FUTURE", "INVALID"})
"""States of a node; whatever else stands beside them is a flag."""


def nodes(text: str) -> list[Json] | None:
    """The nodes that are told of; None where the answer is of a form that tells of none. ValueError on rubbish."""
    told = json.loads(text).get("nodes")
    return None if told is None else [_node(each) for each in told]


def records(text: str) -> list[tuple[set[str], Json]]:
    """What accounting has of jobs: by which numbers a job may be asked for, and what became of it."""
    return [(_ids(each), _record(each)) for each in json.loads(text or "{}").get("jobs", ())]


def _node(told: Json) -> Json:
    said = told["state"]
    words = said if isinstance(said, list) else [said, *(told.get("state_flags") or ())]
    state = next((word for word in words if word.upper() in _BASE), words[0] if words else "")
    return {
        "name": told["name"],
        "state": state,
        "state_flags": [word for word in words if word != state],
        "reason": told.get("reason"),
        "reason_set_by_user": told.get("reason_set_by_user"),
        "real_memory": number(told["real_memory"]),
        "cpus": number(told["cpus"]),
        "slurmd_version": told.get("slurmd_version") or told.get("version"),
    }


def _record(told: Json) -> Json:
    state = (told.get("state") or {}).get("current", "")
    return {
        "state": (state[0] if state else "") if isinstance(state, list) else state,
        "exit": number((told.get("exit_code") or {}).get("return_code")),
        "account": told.get("account", ""),
        "nodes": told.get("nodes", ""),
        "cluster": told.get("cluster", ""),
    }


def _ids(told: Json) -> set[str]:
    array = told.get("array") or {}
    return {str(number(told.get("job_id"))), str(number(array.get("job_id")))}


def number(told: Any) -> Any:
    """A number, or None where it is not set."""
    if isinstance(told, dict):
        return told.get("number") if told.get("set", True) else None
    return told
