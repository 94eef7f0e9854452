"""The bed of real hardware: a healthy one can be GO, for nothing is asked of it that nobody can answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.workloads.rendering import Material, render
from plumbline.bed import Bed, load
from plumbline.facts.cluster import Cluster
from plumbline.release import is_of
from suites.inspection import cases as inspection
from suites.placement import cases as placement

INVENTORIES = Path(__file__).parents[2] / "inventories"


@pytest.fixture(scope="module")
def bed() -> Bed:
    """Four servers and a firewall that nobody can log in to."""
    return load(INVENTORIES / "tlsstress.yaml")


@pytest.mark.parametrize(
    ("version", "declared", "good"),
    [
        ("v1.32.5+k3s1", "v1.32", True),
        ("v1.32.5+k3s1", "v1.32.5", True),
        ("v1.34.4", "v1.34.4", True),
        ("v1.34.40", "v1.34.4", False),
        ("v1.32.5", "v1.3", False),
        ("v1.32.0-rc.1", "v1.32.0", False),
    ],
)
def test_a_version_may_be_declared_by_how_it_begins(version: str, declared: str, good: bool) -> None:
    assert is_of(version, declared) is good


def test_a_firewall_that_nobody_can_log_in_to_is_asked_nothing_on_itself(bed: Bed) -> None:
    assert inspection.records("leg-2")(bed) == []
    assert placement.attached_readers(bed) == []


def test_whose_a_page_is_can_only_be_asked_where_pages_tell(bed: Bed) -> None:
    lab = load(INVENTORIES / "lab.yaml")

    assert inspection.pages(bed) == []
    assert len(inspection.pages(lab)) == len(inspection.parts("page")(lab)) == 60
    assert len(inspection.records("leg-2")(lab)) == 60
    assert len(placement.attached_readers(lab)) == 11


def test_personas_of_the_lab_name_themselves_where_the_bed_file_says() -> None:
    lab = load(INVENTORIES / "lab.yaml")
    other = lab.personas["persona-1"].model_copy(update={"header": "X-Whose"})
    lab = lab.model_copy(update={"personas": {**lab.personas, "persona-1": other}})

    assert "X-Whose persona-1" in str(render(lab, "persona-1", Material()))
    assert "X-Persona persona-2" in str(render(lab, "persona-2", Material()))


def test_an_object_is_found_by_the_name_that_helm_gave_it(bed: Bed) -> None:
    metadata = {"name": "kube-prometheus-stack-grafana", "namespace": "monitoring"}
    item = {"metadata": metadata, "spec": {"template": {"spec": {}}}}
    cluster = Cluster({"deployments": [item], "errors": {}}, bed)

    assert cluster.controller("grafana") is not None
    assert cluster.controller("reloader") is None
