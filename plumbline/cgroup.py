"""The processes below a control group (cgroups(7)), of version 1 or 2."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def processes(folder: Path) -> Iterator[int]:
    """The process identifiers in the control group `folder` and in all below it; none where there is no such group."""
    for place, _, _ in os.walk(folder):
        with suppress(OSError):  # a group may go while it is read
            yield from map(int, (Path(place) / "cgroup.procs").read_text().split())
