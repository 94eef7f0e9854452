"""All facts of a run, each source loaded once, when it is first asked for, and waited for while it is collected."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from plumbline.bed import Bed
from plumbline.facts.cluster import API, Cluster, Pod
from plumbline.facts.host_key import HostKey
from plumbline.facts.node import NodeFacts, PodFacts
from plumbline.facts.replies import Http, Reply, ScrapeTarget
from plumbline.facts.source import REFUSAL, Source
from plumbline.outcome import Unknown

_POLL_S = 0.02
_START_S = 15.0
_GRACE_S = 3.0
R = TypeVar("R", bound=Reply)


class Facts:
    """Reads what `plumbline.collect` writes into a folder, also while it is still at work."""

    def __init__(self, directory: Path, bed: Bed) -> None:
        self.directory = directory
        self._bed = bed
        self._sources: dict[str, Source] = {}
        self._nodes: dict[str, NodeFacts] = {}
        self._replies: dict[str, dict[str, Any]] = {}
        self._missing = ""

    def node(self, name: str) -> NodeFacts:
        """What a node said of itself. Unknown where it did not answer."""
        if name not in self._nodes:
            self._require_login(name)
            source = self._source(f"nodes/{name}.json", f"node:{name}")
            if source.outcome != "ok":
                raise Unknown(f"node {name}: {_said(source)}", cause=f"node:{name}")
            self._nodes[name] = NodeFacts(name, source.facts)
        return self._nodes[name]

    def host_key(self, node: str) -> HostKey:
        """The host key that a node showed. Unknown where the node could not be asked for it."""
        self._require_login(node)
        source = self._source("host_keys.json", f"node:{node}")
        shown = source.facts.get(node) or {"error": _said(source)}
        if shown["error"]:
            raise Unknown(f"the host key of {node} could not be read: {shown['error']}", cause=f"node:{node}")
        return HostKey(node, tuple(shown["certificates"]), tuple(shown["authorities"]))

    @cached_property
    def kubernetes(self) -> Cluster:
        """What the API server said. Unknown where it did not answer."""
        if self._bed.kubernetes is None:
            raise Unknown("the bed file declares no cluster")
        source = self._source("kubernetes.json", API)
        if source.outcome != "ok":
            raise Unknown(f"API server: {_said(source)}", cause=API)
        return Cluster(source.facts, self._bed)

    def service(self, name: str, cause: str) -> dict[str, Any]:
        """What a service outside the cluster said of itself. Unknown, for `cause`, where it did not answer."""
        source = self._source(f"{name}.json", cause)
        if source.outcome != "ok":
            raise Unknown(f"{name}: {_said(source)}", cause=cause)
        return source.facts

    def pod(self, pod: Pod) -> PodFacts:
        """What was found inside a pod, on its node. Unknown where the node did not answer, or the pod was gone."""
        found = self.node(pod.node).pod(pod.uid) if pod.node in self._bed.nodes else None
        if found is None:
            raise Unknown(
                f"no process of the pod {pod.full_name} ran on {pod.node or 'any node'}", cause=_cause(pod.workload)
            )
        return found

    def probes(
        self,
        kind: type[R],
        purpose: str,
        *,
        source: str | None = None,
        target: str | None = None,
        node: str | None = None,
    ) -> tuple[R, ...]:
        """The answers to all probes of a kind and purpose, from a source to a target (names of the bed).

        Unknown where there was none to be made, or one of their nodes did not answer; its cause is what was in the way.
        """
        return tuple(self._reply(kind, p) for p in self._planned(kind.kind, purpose, source, target, node))

    def probe(
        self,
        kind: type[R],
        purpose: str,
        *,
        source: str | None = None,
        target: str | None = None,
        node: str | None = None,
    ) -> R:
        """The first of `probes`."""
        return self._reply(kind, self._planned(kind.kind, purpose, source, target, node)[0])

    @cached_property
    def scrape_targets(self) -> tuple[ScrapeTarget, ...]:
        """What Prometheus says of each thing that it scrapes. Unknown where it does not say so."""
        page = self.probe(Http, "prometheus")
        declared = self._bed.services.prometheus
        cause = _cause(declared.workload if declared else "")
        if page.status != 200:
            raise Unknown(f"Prometheus does not list its targets: {page}, status {page.status}", cause=cause)
        try:
            return tuple(
                ScrapeTarget(
                    t["labels"]["job"],
                    t["labels"]["instance"],
                    t["health"] == "up",
                    t.get("lastError", ""),
                    t["health"] != "unknown",
                )
                for t in page.json()["data"]["activeTargets"]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Unknown(f"Prometheus's list of targets cannot be read: {error!r}", cause=cause) from error

    def raw(self, source: str) -> Source:
        """A source as it was collected: "nodes/ucs-1", "kubernetes", "probes/ucs-1"."""
        return self._source(f"{source}.json", "")

    def _planned(
        self, kind: str, purpose: str, source: str | None, target: str | None, node: str | None
    ) -> list[dict[str, Any]]:
        found = [
            p
            for p in self._plan.get((kind, purpose), ())
            if source in (None, p["source"]) and target in (None, p["target"]) and node in (None, p["node"])
        ]
        if not found:
            what = f"{kind} ({purpose}) from {source or node or 'anywhere'} to {target or 'anything'}"
            raise self._none_planned(what, [end for end in (source, target, node) if end])
        return found

    def _none_planned(self, what: str, ends: list[str]) -> Unknown:
        """Why a probe was not made: the API server did not say which pods there are, the node cannot be used, …"""
        for name in ends:
            if name in self._bed.nodes and not self._bed.nodes[name].ssh:
                return Unknown(f"{what}: nobody can log in to {name}", cause=f"node:{name}")
            for workload in self._workloads_of(name):
                if not any(p.phase == "Running" for p in self.kubernetes.pods(workload)):
                    return Unknown(f"{what}: no pod of {workload} is running", cause=f"workload:{workload}")
        if ends and ends[0] in self._bed.workloads:
            return Unknown(
                f"{what}: no pod of {ends[0]} runs on a node that can be logged in to", cause=f"workload:{ends[0]}"
            )
        if self._bed.kubernetes is not None:
            _ = self.kubernetes  # its own reason, where it is unknown, is a better one
        return Unknown(f"{what}: the bed gives no occasion for such a probe")

    def _workloads_of(self, name: str) -> list[str]:
        """The workloads whose pods a probe at this end needs: the one of that name, a persona's, those of a node."""
        if name in self._bed.personas:
            return [self._bed.personas[name].workload]
        if name in self._bed.workloads:
            return [name]
        return [w for w, spec in self._bed.workloads.items() if spec.on and name in self._bed.selected(spec.on)]

    @cached_property
    def _plan(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        if not self._started().get("active"):
            raise Unknown("no probe was sent: this run only reads")
        plan = self._json("plan.json")
        if plan.get("error"):
            raise Unknown(f"the probes could not be planned: {plan['error']}")
        found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for planned in plan["probes"]:
            found[planned["kind"], planned["purpose"]].append(planned)
        return found

    def _reply(self, kind: type[R], planned: dict[str, Any]) -> R:
        node = planned["node"]
        if node not in self._replies:
            source = self._source(f"probes/{node}.json", f"node:{node}")
            if source.outcome != "ok":
                raise Unknown(f"probes from node {node}: {_said(source)}", cause=f"node:{node}")
            self._replies[node] = source.facts.get("probes", {})
        answer = self._replies[node].get(planned["id"])
        if answer is None or answer["outcome"] == "error":
            why = answer["error"] if answer else "it has no answer"
            cause = _cause(planned["source"]) if planned["pod"] else f"node:{node}"
            raise Unknown(f"the probe {planned['id']} could not be made: {why}", cause=cause)
        about = {key: planned[key] for key in ("id", "purpose", "node", "source", "target", "pod", "args")}
        return kind(**about, **{key: answer[key] for key in ("outcome", "error", "seconds", "facts")})

    def _require_login(self, node: str) -> None:
        if node not in self._bed.nodes:
            raise Unknown(f"the bed file declares no node {node}")
        if not self._bed.nodes[node].ssh:
            raise Unknown(f"nobody can log in to {node}", cause=f"node:{node}")

    def _source(self, name: str, cause: str) -> Source:
        if name not in self._sources:
            self._wait(name, cause)
            try:
                self._sources[name] = Source.read(self.directory / name)
            except (OSError, ValueError) as error:
                raise Unknown(f"{name} cannot be read: {error}", cause=cause) from error
        return self._sources[name]

    def _json(self, name: str) -> dict[str, Any]:
        self._wait(name, "")
        return dict(json.loads((self.directory / name).read_bytes()))

    def _started(self) -> dict[str, Any]:
        """What the collector wrote down when it began; waits for that, but not for long."""
        path, refusal = self.directory / "collect.json", self.directory / REFUSAL
        end = time.monotonic() + _START_S
        while not path.exists() and not self._missing:
            if refusal.exists():
                self._missing = f"nothing was collected: {' '.join(json.loads(refusal.read_bytes()).split())}"
            elif time.monotonic() > end:
                self._missing = "nothing was collected: the collector did not start"
            else:
                time.sleep(_POLL_S)
        if self._missing:
            raise Unknown(self._missing)
        return dict(json.loads(path.read_bytes()))

    def _wait(self, name: str, cause: str) -> None:
        """Until a file is there, or its collector has ended without it, or the time is up."""
        path = self.directory / name
        if path.exists():
            return
        begun = self._started()
        while not path.exists():
            alive = os.path.exists(f"/proc/{begun['process']}")
            if not alive and not path.exists():
                raise Unknown(f"{name} was not collected: the collector has ended", cause=cause)
            if time.time() > begun["until"] + _GRACE_S:
                raise Unknown(f"{name} was not collected in time", cause=cause)
            time.sleep(_POLL_S)


def _said(source: Source) -> str:
    return f"{source.outcome}: {source.error}" if source.error else source.outcome


def _cause(workload: str) -> str:
    return f"workload:{workload}" if workload else ""
