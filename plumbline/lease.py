"""The Lease of Kubernetes by which a run of faults holds a bed against other machines, as the one who looks reads it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FOLDER = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


@dataclass(frozen=True)
class Told:
    """Who holds a bed by its Lease: the name of the machine, what tells it from others, the session, and until when."""

    host: str
    machine: str
    id: str
    until: datetime

    @property
    def foreign(self) -> bool:
        """Whether that is another machine than this one."""
        return (self.host, self.machine) != (socket.gethostname(), machine())

    @property
    def live(self) -> bool:
        """Whether its time is not over yet."""
        return datetime.now(UTC) < self.until

    def __str__(self) -> str:
        return f"{self.host}, faults {self.id}, until {self.until.isoformat(timespec='seconds')}"


def name(bed: str) -> str:
    """The name of a bed's Lease, in the namespace kube-system."""
    return f"plumbline-{bed}"


def path(bed: str) -> str:
    """Where the API server has it."""
    return f"{FOLDER}/{name(bed)}"


def read(found: Mapping[str, Any]) -> Told | None:
    """What a Lease says; None where plumbline did not write it."""
    try:
        spec = found["spec"]
        host, identity, id = spec["holderIdentity"].split("/")
        renewed = datetime.fromisoformat(spec["renewTime"])
        return Told(host, identity, id, renewed + timedelta(seconds=spec["leaseDurationSeconds"]))
    except (KeyError, TypeError, ValueError):
        return None


def machine() -> str:
    """What tells this machine from another of its name; it stays over a restart."""
    for file in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        if (told := _text(Path(file)))[:12]:
            return told[:12]
    return _text(Path("/proc/sys/kernel/random/boot_id"))[:12]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""
