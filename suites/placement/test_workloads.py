"""Every workload has its controller, which asks for the declared nodes and number, and gets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from plumbline import subjects
from plumbline.bed import Bed
from plumbline.bed.model import Workload
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.cluster import Controller, Pod
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.placement import cases

Declared = Thing[Workload]
BACK_OFF = timedelta(minutes=5)
"""The longest that Kubernetes waits before it starts a failing container again."""
OFTEN = 3
CALM = timedelta(minutes=10)
"""A container that has run for so long is started at once when it ends: Kubernetes counts its restarts anew."""


def controller(facts: Facts, workload: str) -> Controller:
    """The controller of a workload; Unknown where there is none."""
    known = facts.kubernetes.controller(workload)
    if known is None:
        raise Unknown(f"{workload} has no controller", cause=f"controller:{workload}")
    return known


def told(pod: Pod) -> str:
    """A pod, where it is and what is wrong with it."""
    return f"{pod.full_name} on {pod.node or 'no node'}: {pod.reason or pod.phase}"


@check(
    "placement.controller",
    severity="critical",
    remedy="kubectl get deployments,statefulsets,daemonsets -A | grep {name}; apply its manifest again",
    consequence="nothing of {name} runs, or what is left of it does not come back",
    source="seed 000, step 6",
)
@for_each("workload", cases.controllers)
def test_a_workload_has_a_controller(workload: Declared, facts: Facts) -> None:
    """There is a controller of the declared kind and name."""
    known = facts.kubernetes.controller(workload.name)

    assert known is not None, found(
        f"no {workload.spec.kind} {workload.spec.called(workload.name)} in {workload.spec.namespace}"
    )


@check(
    "placement.selector",
    severity="critical",
    remedy="patch spec.template.spec.nodeSelector of {name} to what the bed file says (seed 000, chapters 7.4 and 15)",
    consequence="pods of {name} run where they should not, and not where they should",
    source="seed 000, chapters 6, 7.4 and 13",
)
@for_each("workload", cases.selectors)
def test_a_workload_asks_for_its_nodes(workload: Declared, facts: Facts) -> None:
    """The node selector is the declared one, and no node is named beside it."""
    known = controller(facts, workload.name)
    named = known.raw["spec"]["template"]["spec"].get("nodeName")

    assert known.selector == workload.spec.on, found(f"nodeSelector {known.selector}", expected=workload.spec.on)
    assert not named, found(f"nodeName {named}", expected="no node is named")


@check(
    "placement.replicas",
    severity="critical",
    remedy="kubectl get hpa -A; kubectl -n NAMESPACE scale deployment {name} --replicas=N; look at its node selector",
    consequence="the bed carries less, or more, than it promises",
    source="seed 000, chapters 1 and 14",
)
@for_each("workload", cases.replicas)
def test_a_workload_wants_as_many_pods_as_declared(workload: Declared, facts: Facts, bed: Bed) -> None:
    """The controller wants the declared number, one within the scale, or one pod for each selected node."""
    wanted = controller(facts, workload.name).desired
    nodes = bed.selected(workload.spec.on)
    right = workload.spec.scale or {len(nodes) if workload.spec.kind == "DaemonSet" else workload.spec.replicas}

    assert wanted in right, found(f"{wanted} wanted", expected=f"{min(right)} to {max(right)}")


@check(
    "placement.node",
    severity="critical",
    remedy="kubectl get pods -A -o wide | grep {name}; kubectl get nodes --show-labels; delete the pods that are astray",
    consequence="{name} takes the room of others, and its traffic does not pass where it is measured",
    source="seed 000, chapters 12 and 13",
)
@for_each("workload", cases.placements)
def test_pods_are_on_the_selected_nodes(workload: Declared, facts: Facts, bed: Bed) -> None:
    """Each pod has been given a node, one of those that the bed file selects."""
    nodes = bed.selected(workload.spec.on)
    pods = facts.kubernetes.pods(workload.name)
    astray = [told(pod) for pod in pods if pod.node not in nodes]

    assert pods, found("no pods", expected=f"pods on {', '.join(nodes)}")
    assert not astray, found("; ".join(astray[:3]), expected=f"on {', '.join(nodes)}")


@check(
    "placement.daemon",
    severity="critical",
    remedy="kubectl get daemonsets -A | grep {node}; kubectl get pods -A -o wide | grep {node}; describe the pod",
    consequence="{item} misses what {node} does on every node of its kind",
    source="seed 000, chapters 7.4 and 13",
)
@for_each("daemon", cases.daemons)
def test_a_daemonset_has_a_pod_on_each_selected_node(daemon: cases.Daemon, facts: Facts) -> None:
    """The DaemonSet has one pod on the node, and it is Ready."""
    pods = [pod for pod in facts.kubernetes.pods(daemon.workload) if pod.node == daemon.node]

    assert len(pods) == 1, found(f"{len(pods)} pods on {daemon.node}", expected="one")
    assert pods[0].ready, found(told(pods[0]), expected="Ready")


@check(
    "placement.ready",
    severity="critical",
    remedy="kubectl get pods -A | grep {name}; kubectl describe the pod that is not ready; kubectl logs of it --previous",
    consequence="what {name} does for the bed is done by fewer, or by nobody",
    source="seed 000, chapter 12",
)
@for_each("workload", subjects.workloads)
def test_all_pods_of_a_workload_are_ready(workload: Declared, facts: Facts) -> None:
    """As many pods as wanted are there, of the present template, and every one is Ready."""
    known, pods = controller(facts, workload.name), facts.kubernetes.pods(workload.name)
    ill = [told(pod) for pod in pods if not pod.ready]
    counts = {"ready": known.ready, "there": known.current, "of the present template": known.updated}

    assert not ill, found("; ".join(ill[:3]), expected=f"{known.desired} of {known.desired} ready")
    assert set(counts.values()) | {len(pods)} == {known.desired}, found(
        ", ".join(f"{n} {what}" for what, n in counts.items()), expected=f"{known.desired} of each"
    )


@check(
    "placement.calm",
    severity="major",
    remedy="kubectl logs --previous of the pod; kubectl describe it: the reason and exit code of the last end",
    consequence="{name} is away again and again, and answers in between as if nothing were wrong",
    source="seed 000, chapter 13",
)
@for_each("workload", cases.containers)
def test_no_container_keeps_ending(workload: Declared, facts: Facts) -> None:
    """No container that was restarted three times has ended within the last five minutes after less than ten."""
    states = [
        (p, s) for p in facts.kubernetes.pods(workload.name) for s in p.raw["status"].get("containerStatuses", ())
    ]
    looping = [
        f"{pod.full_name} {state['name']}: {state['restartCount']} restarts, last {ended}"
        for pod, state in states
        if state["restartCount"] >= OFTEN and (ended := last_end(state)) is not None
    ]

    assert not looping, found("; ".join(looping[:3]), expected="no end within 5 min, after less than 10, of many")


def last_end(state: dict[str, object]) -> str | None:
    """When and why a container ended, where that is not longer ago than the longest back-off and it had not run for long.

    What ends with its node, once an hour, ran for long; what ends with a node that is started again and again did not.
    """
    last = state.get("lastState")
    ended = last.get("terminated") if isinstance(last, dict) else None
    if not ended:
        return None
    over = datetime.fromisoformat(ended["finishedAt"])
    began = datetime.fromisoformat(ended.get("startedAt") or ended["finishedAt"])
    never = began.year == 1970  # what could not even be started
    age = datetime.now(UTC) - over
    if age >= BACK_OFF or (over - began >= CALM and not never):
        return None
    return f"{age.seconds} s ago ({ended.get('reason')}, exit code {ended.get('exitCode')})"


@check(
    "placement.strangers",
    severity="major",
    remedy="kubectl get pods -A -o wide --field-selector spec.nodeName={name}; move them away, or declare them",
    consequence="the load that is measured on {name} is not that of the bed alone",
    source="seed 000, chapter 1",
)
@for_each("node", cases.data_plane_nodes)
def test_no_stranger_runs_on_a_data_plane_node(node: Thing[object], facts: Facts) -> None:
    """Every running pod on the node belongs to a declared workload, or to the cluster itself (kube-system)."""
    strangers = [
        pod.full_name
        for pod in facts.kubernetes.all_pods
        if pod.node == node.name and not pod.workload and pod.namespace != "kube-system"
        if pod.phase not in {"Succeeded", "Failed"} and not pod.ending
    ]

    assert not strangers, found(", ".join(strangers[:5]), expected="pods of declared workloads alone")


@check(
    "placement.environment",
    severity="major",
    remedy="kubectl -n web-agents rollout restart what {node} is (seed 000, chapter 14), so that it takes the new {item}",
    consequence="{node} works with a value that is no longer right, until it is started again",
    source="seed 000, chapter 14",
)
@for_each("environment", cases.environments)
def test_pods_run_with_the_present_secret(environment: cases.Environment, facts: Facts) -> None:
    """The variables of the running processes have the values that the secret has now."""
    secret = facts.kubernetes.secret(environment.namespace, environment.secret)
    if secret is None:
        cause = f"secret:{environment.namespace}/{environment.secret}"
        raise Unknown(f"there is no secret {environment.secret}", cause=cause)
    old, seen = [], set()
    for pod in facts.kubernetes.pods(environment.workload):
        carried = facts.pod(pod).environment
        seen |= carried.keys() & set(environment.keys)
        old += [f"{pod.name}: {k}" for k in environment.keys if k in carried and carried[k] != secret.digests.get(k)]

    assert seen, found(f"no process of {environment.workload} has any of {', '.join(environment.keys)}")
    assert not old, found(f"not the present value: {', '.join(old[:4])}", expected="what the secret holds")
