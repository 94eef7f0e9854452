"""What the gate's own role may not do: asked of the API server itself, which answers without anything being done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plumbline.bed import Bed

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True)
class Right:
    """A verb on a resource, in one namespace or, where that is empty, in all."""

    verb: str
    resource: str
    namespace: str = ""
    group: str = ""

    @property
    def name(self) -> str:
        """As a reader says it, and the key of the answer."""
        return f"{self.verb} {self.resource}{f' in {self.namespace}' if self.namespace else ''}"

    def review(self) -> dict[str, Any]:
        """The question, as Kubernetes takes it."""
        resource, _, sub = self.resource.partition("/")
        asked = {"verb": self.verb, "resource": resource, "namespace": self.namespace, "group": self.group}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**asked, **({"subresource": sub} if sub else {})}},
        }


def forbidden(bed: Bed) -> tuple[Right, ...]:
    """Reading a secret that the bed does not name, and writing anything at all."""
    work = next((w.namespace for w in bed.workloads.values()), "default")
    return (
        Right("list", "secrets"),
        Right("get", "secrets", "kube-system"),
        Right("get", "secrets", work),
        Right("create", "secrets", work),
        Right("update", "configmaps", work),
        Right("create", "pods", work),
        Right("create", "pods/exec", work),
        Right("delete", "pods", work),
        Right("patch", "deployments", work, "apps"),
        Right("patch", "nodes"),
        Right("delete", "persistentvolumes"),
        Right("create", "clusterrolebindings", "", "rbac.authorization.k8s.io"),
        Right("impersonate", "users"),
    )


def ask(bed: Bed, post: Callable[[str, dict[str, Any]], Any]) -> dict[str, bool]:
    """Whether each of them is allowed, by name."""
    return {right.name: bool(post(REVIEWS, right.review())["status"]["allowed"]) for right in forbidden(bed)}
