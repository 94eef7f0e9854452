"""The API server of a test: a dictionary of objects."""

from __future__ import annotations

from typing import Any

from lab.workloads.client import ApiError, Client, object_path

Manifest = dict[str, Any]
RUNNING = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}


class Cluster(Client):
    """An API server of a dictionary; `appears` adds what controllers would make once something is applied."""

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
        self.order: list[str] = []
        self.appears: dict[str, list[Manifest]] = {}
        self.refuses: dict[str, list[ApiError]] = {}
        self.deleted: list[str] = []

    def get(self, path: str) -> Manifest | None:
        return self.objects.get(path)

    def items(self, path: str) -> list[Manifest]:
        kind = path.rpartition("/")[2]
        return [item for place, item in self.objects.items() if place.split("/")[-2] == kind]

    def delete(self, path: str) -> None:
        self.deleted.append(path)

    def apply(self, manifest: Manifest) -> Manifest:
        name = manifest["metadata"]["name"]
        if self.refuses.get(name):
            raise self.refuses[name].pop()
        self.order.append(f"{manifest['kind']}/{name}")
        for item in [manifest, *self.appears.get(name, [])]:
            self.objects[object_path(item)] = item
        return manifest


def object_of(kind: str, name: str, api: str = "v1", **body: Any) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **body}
