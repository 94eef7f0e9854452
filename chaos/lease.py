"""The Lease of Kubernetes by which a run of faults holds a bed against other machines.

On one machine the kernel's lock is enough (plumbline.hold). The Lease carries who holds the bed and for how long; it
is given back with the last undo, and where nobody gives it back it tells which machine left a fault in.
"""

from __future__ import annotations

import socket
from datetime import UTC, datetime

from chaos.call import JSON, ActionFailed
from chaos.reach import Reach
from plumbline import lease as reading
from plumbline.bed import Bed
from plumbline.hold import Held

SPARE = 60.0
"""Seconds that a Lease lasts longer than the fault: its undo needs some too."""


class LeftElsewhere(Exception):
    """Another machine put a fault in, and its time is over without its undo. Exit code 11."""

    exit_code = 11


def take(bed: Bed, reach: Reach, id: str, seconds: float) -> None:
    """Takes the bed's Lease for a session. Held where another machine has it, LeftElsewhere where one never gave it back.

    ActionFailed where the API server does not answer: then nobody knows who else holds the bed.
    """
    if bed.kubernetes is None:
        return
    wanted = _written(bed, id, seconds)
    while True:
        if reach.api("POST", reading.FOLDER, wanted, exists=True) is not None:
            return
        found = reach.get(reading.path(bed.bed))
        if found is None:
            continue
        told = reading.read(found)
        if told is not None and told.foreign and told.live:
            raise Held(f"the bed is held from another machine: {told}")
        if told is not None and told.foreign:
            raise LeftElsewhere(left_elsewhere(bed, told))
        wanted["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
        reach.api("PUT", reading.path(bed.bed), wanted)
        return


def release(bed: Bed, reach: Reach, id: str) -> None:
    """Gives the Lease back, if it is this session's; whether the API server answers is not the undo's concern."""
    if bed.kubernetes is None:
        return
    try:
        found = reach.get(reading.path(bed.bed))
        told = reading.read(found) if found else None
        if told is not None and not told.foreign and told.id == id:
            reach.api("DELETE", reading.path(bed.bed), missing=True)
    except ActionFailed:
        return


def left_elsewhere(bed: Bed, told: reading.Told) -> str:
    """What to say of a Lease that is over and was never given back."""
    return (
        f"a fault of another machine may still be in: {told}\n"
        f"remedy: `python -m chaos ledger undo` on {told.host}; once that machine is gone and the bed is mended: "
        f"kubectl -n kube-system delete lease {reading.name(bed.bed)}"
    )


def _written(bed: Bed, id: str, seconds: float) -> dict[str, JSON]:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": reading.name(bed.bed), "namespace": "kube-system"},
        "spec": {
            "holderIdentity": f"{socket.gethostname()}/{reading.machine()}/{id}",
            "leaseDurationSeconds": round(seconds + SPARE),
            "acquireTime": now,
            "renewTime": now,
        },
    }
