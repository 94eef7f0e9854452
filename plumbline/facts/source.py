"""One source of facts: what came of asking it, and how it is kept in a file."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

REFUSAL = "refused.json"
"""Why nothing is collected at all, beside the facts that were not."""
Outcome = Literal["ok", "unreachable", "timeout", "rubbish", "refused", "unusable"]
"""Unusable is what the runner would have asked with, such as its kubeconfig: nobody was asked."""


@dataclass(frozen=True)
class Source:
    """The outcome of one source; `facts` are empty unless it is ok, `seconds` is how long it took, in all `attempts`."""

    outcome: Outcome
    error: str | None = None
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    attempts: int = 1

    def write(self, path: Path) -> None:
        """Writes it whole or not at all, readable by the owner alone."""
        data = {
            "outcome": self.outcome,
            "error": self.error,
            "seconds": round(self.seconds, 3),
            "attempts": self.attempts,
            "facts": self.facts,
        }
        write_json(path, data)

    @classmethod
    def read(cls, path: Path) -> Source:
        """The source of a file. Raises OSError, or ValueError where it is none."""
        data = json.loads(path.read_bytes())
        try:
            return cls(data["outcome"], data["error"], data["seconds"], data["facts"], data.get("attempts", 1))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is no source of facts: {error}") from error


def write_json(path: Path, data: Any) -> None:
    """Writes JSON atomically."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(data))  # dumps, since dump writes in pieces without the accelerated encoder
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
