"""What is on a node that runs a Vault server, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plumbline.facts.node import NodeFacts
from plumbline.facts.replies import Reply
from plumbline.outcome import Unknown


@dataclass(frozen=True)
class Process:
    """The server's process on a node."""

    user: str
    no_new_privileges: bool
    bounding: int
    effective: int


@dataclass(frozen=True)
class KeptFile:
    """A file of a server: whose it is, and what it allows."""

    owner: str
    mode: int


class VaultNode:
    """What is on a node that runs a server."""

    def __init__(self, node: NodeFacts, unit: str) -> None:
        self._node, self._unit, self._told = node.name, unit, node.of_service("vault")

    @property
    def process(self) -> Process:
        """The server's process. Unknown where none runs."""
        found = self._told["process"]
        if found is None:
            raise Unknown(f"no Vault runs on {self._node}", cause=f"service:{self._node}/{self._unit}")
        return Process(**found)

    def file(self, path: str) -> KeptFile | None:
        """A file that the bed file names; None where there is none."""
        found = self._told["files"].get(path)
        return KeptFile(found["owner"], found["mode"]) if found else None

    @property
    def keys(self) -> Mapping[str, str]:
        """Digests of what its seal will open with at the next start, by variable."""
        return dict(self._told["keys"])

    @property
    def loaded_keys(self) -> Mapping[str, str]:
        """Digests of what its running process was started with, by variable."""
        return dict(self._told["loaded_keys"])


class Audited(Reply):
    """A request to the server of a node, and whether the node's file of requests has it."""

    kind = "audit"

    @property
    def written(self) -> bool:
        """Whether it is written down."""
        return bool(self.facts.get("written"))

    @property
    def size(self) -> int | None:
        """Size of the file; None where there is none."""
        found = self.facts.get("size")
        return None if found is None else int(found)
