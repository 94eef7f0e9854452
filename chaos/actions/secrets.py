"""kubernetes.secret: other values in a Secret. What was in it stays in the cluster, as a Secret beside it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from chaos.actions.objects import path_of
from chaos.call import JSON, ActionFailed, Arguments, Call, action
from plumbline.bed import Bed

if TYPE_CHECKING:
    from chaos.reach import Reach

_KEPT = "plumbline/kept"


class Kept(Arguments):
    """A Secret that is changed, with a copy beside it for as long as it is."""

    def place(self, bed: Bed) -> tuple[str, str]:
        """Namespace and name of the Secret."""
        raise NotImplementedError

    def changed(self, bed: Bed, reach: Reach, data: dict[str, str]) -> dict[str, str | None] | None:
        """New values by key (base64; None: the key is taken out), given the present ones. None: no Secret at all."""
        raise NotImplementedError

    @property
    def copy_name(self) -> str:
        """The Secret that holds what was."""
        text = type(self).__name__ + self.model_dump_json()
        return f"plumbline-undo-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        namespace, name = self.place(bed)
        if reach.get(path_of("Secret", name, namespace)) is None:
            raise ActionFailed("there is no such secret", place=f"{namespace}/{name}")
        return [Call("kubernetes.secret", {"secret": f"{namespace}/{name}", "undo": self.copy_name})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        namespace, name = self.place(bed)
        copy = reach.get(path_of("Secret", self.copy_name, namespace))
        if copy is None:
            now = reach.get(path_of("Secret", name, namespace))
            if now is None:
                raise ActionFailed("there is no such secret", place=f"{namespace}/{name}")
            copy = _keep(reach, self.copy_name, now)
        elif copy["metadata"]["annotations"].get("plumbline/done"):
            return
        new = self.changed(bed, reach, dict(copy.get("data") or {}))
        path = path_of("Secret", name, namespace)
        if new is None:
            reach.api("DELETE", path, missing=True)
        else:
            reach.patch(path, {"data": new})
        done = {"metadata": {"annotations": {"plumbline/done": "true"}}}
        reach.patch(path_of("Secret", self.copy_name, namespace), done)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        namespace, name = self.place(bed)
        copy = reach.get(path_of("Secret", self.copy_name, namespace))
        if copy is None or not copy["metadata"]["annotations"].get("plumbline/done"):
            return False
        now = reach.get(path_of("Secret", name, namespace))
        return bool((now or {}).get("data") != copy.get("data"))


def _keep(reach: Reach, copy: str, now: dict[str, JSON]) -> dict[str, JSON]:
    metadata = now["metadata"]
    kept = {key: metadata.get(key) or {} for key in ("labels", "annotations")}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": copy, "namespace": metadata["namespace"], "annotations": {_KEPT: json.dumps(kept)}},
        "type": "Opaque" if now.get("type") == "kubernetes.io/tls" else now.get("type"),
        "data": now.get("data") or {},
    }
    body["metadata"]["annotations"]["plumbline/type"] = str(now.get("type") or "Opaque")  # type: ignore[index]
    made = reach.api("POST", path_of("Secret", namespace=metadata["namespace"]), body, exists=True)
    return made or body


@action("kubernetes.secret")
class ChangedSecret(Kept):
    """A Secret with other values under some keys, without some keys, or none at all."""

    secret: str = Field(description="its name in the bed file, or namespace/name")
    values: dict[str, str] = Field(default={}, description="text by key")
    replace: dict[str, dict[str, str]] = Field(default={}, description="by key, texts and what stands for them")
    without: tuple[str, ...] = ()
    present: bool = True
    undo: str | None = Field(default=None, description="the Secret with what was; undo calls have it")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.values or self.replace or self.without or self.undo) and self.present:
            raise ValueError("one of values, replace, without and present: false is wanted")
        return self

    def place(self, bed: Bed) -> tuple[str, str]:
        if self.secret in bed.secrets:
            return bed.secrets[self.secret].namespace, self.secret
        namespace, slash, name = self.secret.partition("/")
        if not slash:
            raise ActionFailed("the bed has no such secret", place=self.secret)
        return namespace, name

    def changed(self, bed: Bed, reach: Reach, data: dict[str, str]) -> dict[str, str | None] | None:
        if not self.present:
            return None
        new: dict[str, str | None] = {key: _encoded(value) for key, value in self.values.items()}
        for key, texts in self.replace.items():
            value = base64.b64decode(data.get(key, "")).decode()
            for old, wanted in texts.items():
                value = value.replace(old, wanted)
            new[key] = _encoded(value)
        return {**new, **dict.fromkeys(self.without)}

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return [] if self.undo else super().reverse(bed, reach)

    def apply(self, bed: Bed, reach: Reach) -> None:
        if self.undo:
            self._back(bed, reach, self.undo)
        else:
            super().apply(bed, reach)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        if not self.undo:
            return super().holds(bed, reach)
        namespace, name = self.place(bed)
        copy = reach.get(path_of("Secret", self.undo, namespace))
        return copy is None and reach.get(path_of("Secret", name, namespace)) is not None

    def _back(self, bed: Bed, reach: Reach, undo: str) -> None:
        namespace, name = self.place(bed)
        path, beside = path_of("Secret", name, namespace), path_of("Secret", undo, namespace)
        copy = reach.get(beside)
        if copy is None:
            return
        now = reach.get(path)
        annotations = copy["metadata"]["annotations"]
        metadata = {"name": name, "namespace": namespace, **json.loads(annotations[_KEPT])}
        old = copy.get("data") or {}
        if now is None:
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": old}
            body["type"] = annotations.get("plumbline/type") or "Opaque"
            reach.api("POST", path_of("Secret", namespace=namespace), body, exists=True)
        else:
            gone = dict.fromkeys(set(now.get("data") or {}) - set(old))
            reach.patch(path, {"data": {**old, **gone}})
        reach.api("DELETE", beside, missing=True)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
