"""The last good run of the same load on the same bed and from the same kind of machine, and whether a run is worse.

Worse is what lies beyond the intervals of both runs, and beyond the noise that the bed file grants.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from plumbline.bed import Bed
from plumbline.bed.throughput import Target
from plumbline.load.histogram import needed
from plumbline.load.intervals import by_second
from plumbline.load.result import Result, find
from plumbline.load.verdict import Judged, Short, settled, short_by

FOLDER = "baselines"
AGED = 3600.0
"""Seconds after which a bed is another one than it was when the other target of a ratio was run."""
_SHARES = {"p50": 0.5, "p99": 0.99}


def machine(cpuinfo: str) -> str:
    """The kind of machine that load is sent from, as a file may be named; `cpuinfo` as in /proc/cpuinfo (proc(5))."""
    models = re.findall(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return re.sub(r"[^a-z0-9]+", "-", f"{os.cpu_count()} x {models[0] if models else 'unknown'}".lower()).strip("-")


def file(report_dir: Path, bed: str, target: str, kind: str) -> Path:
    """Where the last good run is kept: baselines/BED/TARGET/MACHINE.json among the reports."""
    return report_dir / FOLDER / bed / target / f"{kind}.json"


def declared(bed: Bed, target: str) -> str:
    """A digest of what the bed file says of a target's load, and of an attack beside it: other load is no comparison."""
    assert bed.load is not None
    spec = bed.load.targets[target]
    told = [bed.bed, spec, bed.load.targets.get(spec.during or "")]
    said = [
        one.model_dump(mode="json", exclude={"promise", "source"}) if isinstance(one, Target) else one for one in told
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def last_good(path: Path, now: Result) -> Result | None:
    """The last good run of the same load; None where there is none."""
    found = find(path)
    return found if found and found.declared == now.declared else None


def beside(path: Path, bed: Bed, target: str, now: Result) -> Result | str:
    """The run of another target, whose file this is, for a ratio; or why that is of no use."""
    found, first = find(path), f"python -m locustfiles {target} comes first"
    if found is None:
        return first
    if found.stopped:
        return f"{found.stopped}: {first}"
    if found.declared != declared(bed, target):
        return f"its last run was of another load: {first}"
    if (ago := now.began - found.began) > AGED:
        return f"its last run was {ago / 60:.0f} minutes before: {first}"
    return found


def rates(now: Result, good: Result, noise: float) -> Iterator[Judged]:
    """The rate of a run beside that of the last good one; `noise` as a share, 0.1 for 10 %."""
    if not now.whole_seconds():
        return
    (_, rate, high), (low, before, _) = by_second(now.whole_seconds()), by_second(good.whole_seconds())
    found = f"{rate:.5g} answers a second, {before:.5g} {_when(good)}: {_change(rate, before)}"
    wanted = low * (1 - noise)
    judged = _judged("answers a second", high < wanted, found, f"no fewer, but for {noise * 100:g} % of noise")
    yield settled(now, judged, short_by(now, high, wanted))


def times(now: Result, good: Result, noise: float) -> Iterator[Judged]:
    """The median and the 99th percentile beside those of the last good run, where both have enough answers to tell."""
    for name, share in _SHARES.items():
        if min(now.total.count, good.total.count) < needed(share):
            continue
        time, was = now.total.quantile(share) / 1000, good.total.quantile(share) / 1000
        least, most = now.total.interval(share)[0], good.total.interval(share)[1]
        found = f"{name} {time:g} ms, {was:g} ms {_when(good)}: {_change(time, was)}"
        judged = _judged(name, least > most * (1 + noise), found, f"no longer, but for {noise * 100:g} % of noise")
        yield settled(now, judged, Short((least - most * (1 + noise)) / 1e6, math.inf), of_times=True)


def _when(good: Result) -> str:
    return f"in the last good run ({datetime.fromtimestamp(good.began, UTC).strftime('%Y-%m-%d %H:%M UTC')})"


def _judged(what: str, worse: bool, found: str, expected: str) -> Judged:
    return Judged(what, "failed" if worse else "passed", found, expected)


def _change(now: float, before: float) -> str:
    return f"{(now / before - 1) * 100:+.0f} %" if before else "nothing to compare with"
