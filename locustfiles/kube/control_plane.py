"""The nodes of the control plane, which are looked at twice in a run: what its processes have used in between."""

from __future__ import annotations

import tempfile
from pathlib import Path

from plumbline.bed import Bed
from plumbline.collect.access import Access
from plumbline.collect.ssh import Login, connections
from plumbline.facts.source import Source
from plumbline.load.costs import PURPOSES, Look, between
from plumbline.load.result import Cost

_LIMIT_S = 8.0


class ControlPlane:
    """Its nodes as the bed file has them, asked over SSH as the gate asks them: what reads only, and installs nothing."""

    def __init__(self, bed: Bed) -> None:
        self._bed, self._access = bed, Access.of(bed)
        control = {name: n for name, n in bed.kubernetes_nodes.items() if n.kubernetes == "control-plane"}
        self._nodes = [name for name, n in control.items() if n.ssh]
        self._looks: list[Look] = []

    def look(self) -> None:
        """Asks each node, one after the other; one that is silent says why."""
        request = {"deadline": _LIMIT_S, "processes": list(PURPOSES)}
        found: dict[str, Source] = {}
        with (
            tempfile.TemporaryDirectory(prefix="plumbline-load-") as folder,
            connections(self._access, Path(folder) / "ssh") as ssh,
        ):
            for node in self._nodes:
                found[node] = ssh.ask(Login.of(self._bed, self._access, node), request, _LIMIT_S)
        self._looks.append(found)

    def costs(self) -> tuple[Cost, ...]:
        """Between the first and the last look; nothing where there were not two."""
        return between(self._looks[0], self._looks[-1]) if len(self._looks) > 1 else ()
