"""What must lie on the nodes before the pods of a bed can be scheduled to them."""

from __future__ import annotations

from lab.disks import FileSpec
from plumbline.bed import Bed

_MARK = ".volume"


def files(bed: Bed) -> dict[str, dict[str, FileSpec]]:
    """The folder of every local volume, on the nodes that it is pinned to, by node and path."""
    result: dict[str, dict[str, FileSpec]] = {}
    for name, storage in bed.storage.items():
        if storage.path and storage.node:
            for node in bed.selected(storage.node):
                # A folder of a node is made with its first file.
                result.setdefault(node, {})[f"{storage.path}/{_MARK}"] = FileSpec(f"{name}\n")
    return result
