"""Waiting for what only time shows in a bed whose workloads have been ready once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from lab.errors import LabError
from lab.workloads.settling import outstanding, replace_outdated, wait_settled
from plumbline.bed import load
from tests.lab.cluster import RUNNING, Cluster, Manifest, object_of

LAB = Path(__file__).parents[2] / "inventories/lab.yaml"


def _canary(revision: int) -> Manifest:
    return object_of("Certificate", "canary-tls", "cert-manager.io/v1", spec={"secretName": "canary-tls"}) | {
        "metadata": {"name": "canary-tls", "namespace": "web-agents"},
        "status": {"revision": revision},
    }


@pytest.fixture
def young() -> Cluster:
    """A lab whose pods have just become ready: the canary is not renewed, Prometheus has found nothing."""
    cluster = Cluster()
    cluster.apply(_canary(revision=1))
    return cluster


def _scraped(cluster: Cluster, **jobs: int) -> None:
    up = [{"labels": {"job": job}, "health": "up"} for job, count in jobs.items() for _ in range(count)]
    page = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/targets?state=active"
    cluster.objects[page] = {"data": {"activeTargets": up}}


def test_a_young_bed_has_not_settled(young: Cluster) -> None:
    left = list(outstanding(load(LAB), young))

    assert left == [
        "certificate canary not renewed yet",
        "Prometheus has 0 of 30 targets of caddy",
        "Prometheus has 0 of 1 targets of snmp",
    ]


def test_a_bed_has_settled_once_the_canary_is_renewed_and_all_is_scraped(young: Cluster) -> None:
    young.apply(_canary(revision=2))
    _scraped(young, caddy=30, snmp=1)

    wait_settled(load(LAB), young, time.monotonic())


def test_a_bed_that_does_not_settle_is_named(young: Cluster) -> None:
    young.apply(_canary(revision=2))
    _scraped(young, caddy=29, snmp=1)

    with pytest.raises(LabError, match="29 of 30 targets of caddy"):
        wait_settled(load(LAB), young, time.monotonic())


def _in(namespace: str, kind: str, name: str, api: str = "v1", **metadata: Any) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace, **metadata}}


def _pod(name: str, ready: bool, **metadata: Any) -> Manifest:
    """A pod of persona-1 in the lab's bed."""
    pod = _in("persona-1", "Pod", name, labels={"app.kubernetes.io/name": "persona-1", "app": "web"}, **metadata)
    return pod | {"status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


@pytest.mark.parametrize(
    ("pods", "status", "left"),
    [
        ([_pod("new", True)], RUNNING, []),
        ([_pod("old", True, deletionTimestamp="now")], RUNNING, ["pod old is being replaced", "0 of 1 pods ready"]),
        ([_pod("new", False)], RUNNING, ["0 of 1 pods ready"]),
        ([_pod("old", True), _pod("new", True)], RUNNING, ["2 of 1 pods ready"]),
        ([_pod("old", True)], RUNNING | {"updatedReplicas": 0}, ["1 of 1 pods ready"]),
    ],
    ids=["all is well", "old pod leaves", "its status is of before", "both", "its template has changed"],
)
def test_a_workload_that_is_between_two_pods_has_not_settled(
    young: Cluster, pods: list[Manifest], status: Manifest, left: list[str]
) -> None:
    young.apply(_canary(revision=2))
    _scraped(young, caddy=30, snmp=1)
    labels = {"app.kubernetes.io/name": "persona-1"}
    deployment = _in("persona-1", "Deployment", "persona-1", "apps/v1")
    young.apply(deployment | {"spec": {"replicas": 1, "selector": {"matchLabels": labels}}, "status": status})
    for pod in pods:
        young.apply(pod)

    assert [said.removeprefix("persona-1: ") for said in outstanding(load(LAB), young)] == left


def _persona(cluster: Cluster, *, revision: int, written: str, created: str) -> None:
    """persona-1 with a certificate that was issued so often and written then, and a pod of that age."""
    fields = [{"time": written}]
    certificate = _in("persona-1", "Certificate", "persona-tls", "cert-manager.io/v1")
    cluster.apply(certificate | {"status": {"revision": revision}})
    cluster.apply(_in("persona-1", "Secret", "persona-tls", managedFields=fields))
    cluster.apply(_in("persona-1", "Pod", "persona-1-x", creationTimestamp=created))


@pytest.mark.parametrize(
    ("revision", "created", "replaced"),
    [
        (2, "2026-01-01T00:00:01Z", ["persona-1"]),
        (2, "2026-01-01T00:00:03Z", []),
        (1, "2026-01-01T00:00:01Z", []),
    ],
    ids=["older than its certificate", "younger", "issued once"],
)
def test_a_pod_that_read_an_earlier_certificate_is_replaced(revision: int, created: str, replaced: list[str]) -> None:
    cluster = Cluster()
    _persona(cluster, revision=revision, written="2026-01-01T00:00:02Z", created=created)

    assert replace_outdated(load(LAB), cluster) == replaced
    assert cluster.deleted == [f"/api/v1/namespaces/persona-1/pods/{name}-x" for name in replaced]
