"""From a fresh machine to a first verdict: not measured here, but added up from what each step once took."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass

from lab import cni, images, kubernetes, workloads
from lab.cache import cache_dir
from lab.programs import PROGRAMS
from plumbline.bed import Bed

_ONCE = {"root file system of the nodes": 60.0, "images unpacked": 15.0, "nodes": 6.0, "workloads": 40.0}


@dataclass(frozen=True)
class Step:
    """A step of a first `make gate`: seconds that it took the last time, or None, and what a cold one is thought to take."""

    name: str
    last: float | None
    cold: float

    @property
    def seconds(self) -> float:
        """The longer of both: a build that found Go's own cache warm was no cold one."""
        return max(self.last or 0.0, self.cold)


def steps(bed: Bed) -> list[Step]:
    """Every step that a fresh machine goes through for this bed, after `make install`."""
    last = _durations()
    wanted = sorted(workloads.images(bed)) if bed.kubernetes else []
    recipes = [images.RECIPES[name] for name in wanted]
    names = {*kubernetes.PROGRAMS, *cni.PROGRAMS, *(program for recipe in recipes for program in recipe.programs)}
    rows = [row for row in PROGRAMS if bed.kubernetes and names & {row.name, *(output.name for output in row.outputs)}]
    cold = {f"build {row.name}": row.seconds for row in rows} | {f"image {r.name}": r.seconds for r in recipes} | _ONCE
    return [Step(name, last.get(name), estimate) for name, estimate in cold.items()]


def _durations() -> dict[str, float]:
    """Seconds that each step took the last time, as `lab.progress` remembers them."""
    with suppress(OSError, ValueError, AttributeError, TypeError):
        text = (cache_dir() / "durations.json").read_text(encoding="utf-8")
        return {str(name): float(value) for name, value in json.loads(text).items()}
    return {}
