"""What is made in the cluster for one run: what it reads, one pod for Locust's master, one for each worker.

Workers are on the nodes of the target's workload, and attached to its network. They bring Python and its packages; code and bed
file are those of whoever starts the run, so that master and workers are never of two kinds.
"""

from __future__ import annotations

import base64
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locustfiles import headless
from plumbline.bed import Bed
from plumbline.bed.cluster import NETWORKS
from plumbline.bed.model import Target
from plumbline.bed.show import show
from plumbline.load.rights import WORKERS as NAMESPACE

CONFIGMAPS, PODS = (f"/api/v1/namespaces/{NAMESPACE}/{kind}" for kind in ("configmaps", "pods"))
OURS = "app.kubernetes.io/name=plumbline-load"
"""The label by which the next run finds what a killed one has left."""
START_S = 120
"""Seconds that all pods have to start, and all workers to find their master."""
LEFT_S = 300
"""Seconds after which a pod ends by itself, beside what its run takes: the runner may be dead by then."""
_ROOT = Path(__file__).parent.parent.parent
_READ, _WORK = "/run/plumbline", "/work"
_CODE, _BED, _CA = "code.tar.gz", "bed.yaml", "ca.pem"
_PARTS = ("locustfiles", "plumbline")
_MINE = {".py", ".yaml"}
_NOT_THEIRS = {"access": {"credentials", "kubeconfig"}}
"""Of the bed file: what names files and variables of the runner, who alone reads them."""


@dataclass(frozen=True)
class Pods:
    """The objects of one run of a target. `own` is what their names begin with."""

    bed: Bed
    name: str
    own: str

    @property
    def target(self) -> Target:
        """What is driven."""
        assert self.bed.load is not None
        return self.bed.load.targets[self.name]

    @property
    def master_name(self) -> str:
        """The pod whose log has the result at its end."""
        return f"{self.own}-master"

    def configuration(self, ca: str) -> dict[str, Any]:
        """What all of them read: code, bed file, and whom their users trust (PEM)."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": self._metadata(self.own),
            "data": {_BED: show(self.bed, _NOT_THEIRS), **({_CA: ca} if ca else {})},
            "binaryData": {_CODE: base64.b64encode(code()).decode("ascii")},
        }

    def master(self, trusting: bool) -> dict[str, Any]:
        """Runs no user itself, and tells the result."""
        more = ["--master", "--expect-workers", str(self.target.workers), "--expect-workers-max-wait", str(START_S)]
        words = [*self._locust(trusting), *headless.files(headless.FOLDER), *more, "--enable-rebalancing"]
        return self._pod(self.master_name, ["python3", "-m", "locustfiles.pods.inside", *words], "Never")

    def worker(self, number: int, master: str, trusting: bool) -> dict[str, Any]:
        """One of those who have the users; it is started again where it dies. `master` is the address of its pod."""
        pod = self._pod(
            f"{self.own}-worker-{number}",
            [*self._locust(trusting), "--worker", "--master-host", master],
            "OnFailure",
        )
        if attach := self.bed.workloads[self.target.from_ or ""].attach:
            pod["metadata"]["annotations"] = {NETWORKS: f"{self.bed.attachments[attach].namespace}/{attach}"}
        return pod

    def _locust(self, trusting: bool) -> list[str]:
        ca = f"{_READ}/{_CA}" if trusting else ""
        profile = f"locustfiles/{self.target.profile}.py"
        return headless.command("python3", profile, f"{_READ}/{_BED}", self.name, ca)

    def _pod(self, name: str, words: list[str], restart: str) -> dict[str, Any]:
        assert self.bed.load is not None
        begin = f'python3 -m tarfile -e {_READ}/{_CODE} . && exec "$@"'
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": self._metadata(name),
            "spec": {
                "nodeSelector": dict(self.bed.workloads[self.target.from_ or ""].on),
                "restartPolicy": restart,
                "activeDeadlineSeconds": int(self.target.time.total_seconds()) + LEFT_S,
                "terminationGracePeriodSeconds": 20,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "containers": [
                    {
                        "name": "locust",
                        "image": self.bed.load.image,
                        "command": ["sh", "-c", begin, "sh", *words],
                        "workingDir": _WORK,
                        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                        "volumeMounts": [
                            {"name": "read", "mountPath": _READ, "readOnly": True},
                            {"name": "work", "mountPath": _WORK},
                        ],
                    }
                ],
                "volumes": [{"name": "read", "configMap": {"name": self.own}}, {"name": "work", "emptyDir": {}}],
            },
        }

    def _metadata(self, name: str) -> dict[str, Any]:
        label, value = OURS.split("=")
        return {"name": name, "namespace": NAMESPACE, "labels": {label: value}}


def code() -> bytes:
    """The code of profiles and of what they stand on, as a tar file of a third of a megabyte."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for part in _PARTS:
            for file in sorted((_ROOT / part).rglob("*")):
                if file.suffix in _MINE:
                    tar.add(file, file.relative_to(_ROOT))
    return buffer.getvalue()
