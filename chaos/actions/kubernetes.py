"""kubernetes.patch, delete, create, scale, renew, and what is only looked at: pods, ready, node, object."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from chaos.actions.objects import KINDS, Object, cleaned, covers, inverse, path_of
from chaos.call import JSON, ActionFailed, Arguments, Call, Looking, Node, Slip, Workload, action
from plumbline.bed import Bed
from plumbline.facts import conditions

if TYPE_CHECKING:
    from chaos.reach import Reach

_STRATEGIC, _MERGE = "application/strategic-merge-patch+json", "application/merge-patch+json"
_GONE = 30.0


def _no_secret(name: str, kind: str | None) -> list[Slip]:
    said = "what is in a Secret must not stand in the ledger"
    return [Slip(name, "kind", said, "use kubernetes.secret or certificate.put")] if kind == "Secret" else []


@action("kubernetes.patch")
class Patch(Object):
    """An object, patched: a JSON merge patch, or with `strategic` one that finds containers and the like by name."""

    patch: dict[str, Any]
    strategic: bool = False
    subresource: Literal["status"] | None = None

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        return [*super().refused(name, bed), *_no_secret(name, self.kind)]

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        now = reach.get(self.path(bed))
        if now is None:
            raise ActionFailed("there is no such object", place=self.path(bed))
        back = inverse(self.patch, now)
        if covers(now, self.patch) and covers(self.patch, back):
            return []
        also = {"subresource": self.subresource} if self.subresource else {}
        return [Call("kubernetes.patch", {**self.identity(bed), "patch": back, **also})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        path = self.path(bed) + (f"/{self.subresource}" if self.subresource else "")
        reach.api("PATCH", path, self.patch, kind=_STRATEGIC if self.strategic else _MERGE)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return covers(reach.get(self.path(bed)), self.patch)


@action("kubernetes.delete")
class Delete(Object):
    """No such object. `finalizers: false` takes from it what it waits for, such as a claim that pods still use."""

    finalizers: bool = True

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        return [*super().refused(name, bed), *_no_secret(name, self.kind)]

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        now = reach.get(self.path(bed))
        return [Call("kubernetes.create", {"object": cleaned(now)})] if now else []

    def apply(self, bed: Bed, reach: Reach) -> None:
        path = self.path(bed)
        policy = {"propagationPolicy": "Background"}
        reach.api("DELETE", path, policy, missing=True)
        if not self.finalizers:
            reach.patch(path, {"metadata": {"finalizers": None}}, missing=True)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return reach.get(self.path(bed)) is None


@action("kubernetes.create")
class Create(Arguments):
    """An object as it is written here."""

    object: dict[str, Any]

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        kind = self.object.get("kind")
        if kind not in KINDS or not self.object.get("metadata", {}).get("name"):
            return [Slip(name, "object", "a known kind and metadata.name are wanted")]
        return _no_secret(name, kind)

    def _identity(self) -> dict[str, str]:
        metadata = self.object["metadata"]
        named = {"kind": self.object["kind"], "name": metadata["name"]}
        return {**named, "namespace": metadata["namespace"]} if KINDS[self.object["kind"]][2] else named

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        now = reach.get(path_of(**self._identity()))
        if now is not None:
            raise ActionFailed("there is one already", place=path_of(**self._identity()))
        return [Call("kubernetes.delete", self._identity())]

    def apply(self, bed: Bed, reach: Reach) -> None:
        identity = self._identity()
        end = time.monotonic() + _GONE
        while (now := reach.get(path_of(**identity))) and now["metadata"].get("deletionTimestamp"):
            if time.monotonic() > end:
                raise ActionFailed("the old one is still being deleted", place=path_of(**identity))
            time.sleep(0.2)
        body = {"apiVersion": KINDS[identity["kind"]][0].removeprefix("/apis/").removeprefix("/api/"), **self.object}
        reach.api("POST", path_of(identity["kind"], namespace=identity.get("namespace", "")), body, exists=True)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        now = reach.get(path_of(**self._identity()))
        return now is not None and not now["metadata"].get("deletionTimestamp")


@action("kubernetes.configmap")
class ConfigMap(Arguments):
    """Other texts under keys of a ConfigMap: `replace` has by key the old texts and what stands for them."""

    namespace: str
    name: str
    values: dict[str, str | None] = Field(default={}, description="by key; null takes a key out")
    replace: dict[str, dict[str, str]] = Field(default={})

    def _now(self, reach: Reach) -> dict[str, str]:
        found = reach.get(path_of("ConfigMap", self.name, self.namespace))
        if found is None:
            raise ActionFailed("there is no such ConfigMap", place=f"{self.namespace}/{self.name}")
        return dict(found.get("data") or {})

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        now = self._now(reach)
        back = {key: now.get(key) for key in (*self.values, *self.replace)}
        named = {"namespace": self.namespace, "name": self.name}
        return [Call("kubernetes.configmap", {**named, "values": back})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if self.holds(bed, reach):
            return
        now = self._now(reach)
        new = dict(self.values)
        for key, texts in self.replace.items():
            text = now.get(key, "")
            for old, wanted in texts.items():
                if old not in text:
                    raise ActionFailed(f"{key} has no {old!r}", place=f"{self.namespace}/{self.name}")
                text = text.replace(old, wanted)
            new[key] = text
        reach.patch(path_of("ConfigMap", self.name, self.namespace), {"data": new})

    def holds(self, bed: Bed, reach: Reach) -> bool:
        now = self._now(reach)
        said = all(now.get(key) == value for key, value in self.values.items())
        return said and all(
            wanted in now.get(key, "") and (old in wanted or old not in now.get(key, ""))
            for key, texts in self.replace.items()
            for old, wanted in texts.items()
        )


@action("kubernetes.scale")
class Scale(Arguments):
    """As many replicas of a workload, and as many pods that are ready."""

    workload: Workload
    replicas: int = Field(ge=0, le=1000)

    def _path(self, bed: Bed) -> str:
        declared = bed.workloads[self.workload]
        return path_of(declared.kind, self.workload, declared.namespace)

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        now = reach.get(self._path(bed))
        if now is None:
            raise ActionFailed("there is no such workload", place=self._path(bed))
        old = now["spec"].get("replicas", 1)
        return [Call("kubernetes.scale", {"workload": self.workload, "replicas": old})] if old != self.replicas else []

    def apply(self, bed: Bed, reach: Reach) -> None:
        reach.patch(self._path(bed), {"spec": {"replicas": self.replicas}})

    def holds(self, bed: Bed, reach: Reach) -> bool:
        now = reach.get(self._path(bed))
        pods = reach.pods(self.workload)
        return now["spec"].get("replicas", 1) == self.replicas == len(pods) and all(pod.ready for pod in pods)


@action("kubernetes.renew")
class Renew(Arguments):
    """New pods for a workload, or for those on one node; what a fault did inside of the old ones is gone with them."""

    workload: Workload
    on: Node | None = None
    undone: bool = Field(default=False, description="not now, but once the steps after this one are undone")

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        own = {"workload": self.workload} | ({"on": self.on} if self.on else {})
        return [Call("kubernetes.renew", own)] if self.undone else []

    def apply(self, bed: Bed, reach: Reach) -> None:
        for pod in reach.pods(self.workload, self.on or "") if not self.undone else ():
            path = path_of("Pod", pod.name, pod.namespace)
            reach.api("DELETE", path, {"gracePeriodSeconds": 1}, missing=True)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return self.undone or _settled(bed, reach, self.workload)


def _settled(bed: Bed, reach: Reach, workload: str) -> bool:
    """Whether the controller has all the pods that it wants, each of the present template and ready.

    The pods themselves are counted too: a controller tells of one that is being deleted for a moment yet.
    """
    declared = bed.workloads[workload]
    now = reach.get(path_of(declared.kind, workload, declared.namespace))
    if now is None or now["status"].get("observedGeneration", 0) < now["metadata"]["generation"]:
        return False
    status, pods = now["status"], reach.pods(workload)
    if declared.kind == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        told = {status.get("numberReady", 0), status.get("updatedNumberScheduled", 0)}
    else:
        wanted = now["spec"].get("replicas", 1)
        told = {status.get(key, 0) for key in ("readyReplicas", "updatedReplicas", "replicas")}
    return told == {wanted} and len(pods) == wanted and all(pod.ready for pod in pods)


@action("kubernetes.pods")
class Pods(Looking):
    """Whether a workload has so many pods that run (on a node), so many of them ready, or all that it wants."""

    workload: Workload
    on: Node | None = None
    running: int | None = Field(default=None, ge=0)
    ready: int | None = Field(default=None, ge=0)
    settled: bool = Field(default=False, description="as many as it wants, of its present template, all ready")

    def holds(self, bed: Bed, reach: Reach) -> bool:
        pods = reach.pods(self.workload, self.on or "")
        enough = self.running in (None, len(pods)) and self.ready in (None, sum(pod.ready for pod in pods))
        return enough and (not self.settled or _settled(bed, reach, self.workload))


@action("kubernetes.ready")
class Ready(Looking):
    """Whether every pod of the namespaces that the bed file names is ready, but for those that have done their work."""

    def holds(self, bed: Bed, reach: Reach) -> bool:
        own = {workload.namespace for workload in bed.workloads.values()}
        return all(pod.ready for pod in reach.every_pod() if pod.namespace in own)


@action("kubernetes.node")
class NodeState(Looking):
    """Whether the cluster calls a node Ready."""

    node: Node
    ready: bool = True

    def holds(self, bed: Bed, reach: Reach) -> bool:
        return conditions.has(reach.get(path_of("Node", self.node)) or {}, "Ready") is self.ready


@action("kubernetes.object")
class Look(Object, Looking):
    """Whether an object is there and has what is asked for (null: has it not); with `present: false`, is not there."""

    has: dict[str, JSON] = Field(default={})
    present: bool = True

    def holds(self, bed: Bed, reach: Reach) -> bool:
        now = reach.get(self.path(bed))
        return covers(now, self.has) if now is not None and self.present else (now is not None) is self.present
