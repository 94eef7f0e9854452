"""A planned probe: what is asked, from where, and what it is good for."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from plumbline.bed import Bed
from plumbline.facts.cluster import Cluster, Pod
from plumbline.outcome import Unknown

DSCP = {"AF41": 34, "CS0": 0}
_SECRET_ARGS = frozenset({"community", "key", "headers", "send"})


@dataclass(frozen=True)
class Planned:
    """One probe. `source` and `target` are names of the bed: a node, workload, persona; `pod` is where it starts.

    `purpose` says which question of a suite it answers; suites find answers by purpose, source and target.
    """

    kind: str
    purpose: str
    node: str
    source: str
    target: str
    args: dict[str, Any] = field(compare=False)
    timeout: float = 2.0
    pod: str = ""
    netns: str = "host"
    during: str = ""

    @property
    def id(self) -> str:
        """Its name within a run."""
        return f"{self.kind}:{self.purpose}:{self.pod or self.node}>{self.target}"

    def request(self) -> dict[str, Any]:
        """As the node's program takes it."""
        return {
            "id": self.id, "kind": self.kind, "args": self.args, "timeout": self.timeout, "netns": self.netns,
            "during": self.during,
        }  # fmt: skip

    def public(self) -> dict[str, Any]:
        """As it is kept: without secret values, and without long texts."""
        args = {k: v for k, v in self.args.items() if k not in _SECRET_ARGS and k not in ("ca", "certificate")}
        return {
            "id": self.id, "kind": self.kind, "purpose": self.purpose, "node": self.node, "source": self.source,
            "target": self.target, "pod": self.pod, "args": args,
        }  # fmt: skip


@dataclass(frozen=True)
class World:
    """All that a plan is made from. `community` is the NGFW's, of SNMP, `administrator` the dashboard's name:password.

    These and `database_user` are empty where they are not known, and go to nodes over stdin alone.
    `started` is when the first of its probes can have been sent, in seconds of the epoch.
    """

    bed: Bed
    cluster: Cluster | None
    community: str = field(default="", repr=False)
    administrator: str = field(default="", repr=False)
    database_user: str = field(default="", repr=False)
    started: float = field(default_factory=time.time)

    def pods(self, workload: str) -> tuple[Pod, ...]:
        """The pods of a workload; none where they are not known, which the checks will find out for themselves."""
        with suppress(Unknown):
            return self.cluster.pods(workload) if self.cluster else ()
        return ()

    def probing(self, workload: str) -> tuple[Pod, ...]:
        """The running pods of a workload that sit on a node which can be logged in to."""
        return tuple(p for p in self.pods(workload) if p.phase == "Running" and self.reachable(p.node))

    @property
    def services(self) -> tuple[dict[str, Any], ...]:
        """The services of the cluster, as far as they are known."""
        with suppress(Unknown):
            return self.cluster.objects("services") if self.cluster else ()
        return ()

    def reachable(self, node: str) -> bool:
        """Whether anything can run on that node."""
        return node in self.bed.nodes and self.bed.nodes[node].ssh

    @property
    def hosts(self) -> list[str]:
        """Nodes that can be logged in to."""
        return [name for name, node in self.bed.nodes.items() if node.ssh]

    def bundle(self, authority: str | None) -> str:
        """The PEM of an authority, or empty where it is not known."""
        with suppress(Unknown):
            return (self.cluster.bundle(authority) or "") if self.cluster and authority else ""
        return ""


def of_pod(  # noqa: PLR0917
    pod: Pod, kind: str, purpose: str, target: str, args: dict[str, Any], timeout: float = 2.0
) -> Planned:
    """A probe that starts inside a pod."""
    return Planned(kind, purpose, pod.node, pod.workload, target, args, timeout, pod.full_name, pod.uid)
