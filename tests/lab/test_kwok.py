"""Agents that nobody boots: what the lab lays down for them, and the rights of who makes and who plays them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import kwok
from lab.pki import Pki
from lab.programs.table import GO_SETS
from plumbline.bed import Bed, load
from plumbline.load import rights

INVENTORIES = Path(__file__).parents[2] / "inventories"


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(INVENTORIES / "lab.yaml")


def objects(bed: Bed, kind: str) -> dict[tuple[str, str], dict[str, Any]]:
    made = [one for one in kwok.manifests(bed) if one["kind"] == kind]
    return {(one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in made}


def test_the_first_node_of_the_control_plane_plays_agents_by_their_mark(bed: Bed, tmp_path: Path) -> None:
    (node,) = kwok.files(bed, Pki(tmp_path), tmp_path).items()
    configuration, *stages = yaml.safe_load_all(str(node[1][kwok.CONFIG].content))

    assert (node[0], kwok.units(bed, "ucs-1"), kwok.units(bed, "ucs-2")) == ("ucs-1", ("kwok",), ())
    assert configuration["options"]["manageNodesWithLabelSelector"] == rights.MARK
    assert [stage["spec"]["resourceRef"]["kind"] for stage in stages] == ["Node", "Pod"]
    assert node[1][kwok.KUBECONFIG].mode == 0o600


def test_a_bed_that_makes_no_attachments_has_none_of_it(tmp_path: Path) -> None:
    other = load(INVENTORIES / "goldentooth.yaml")

    assert (kwok.programs(other), kwok.manifests(other), kwok.files(other, Pki(tmp_path), tmp_path)) == ((), [], {})


def test_whoever_makes_attachments_writes_in_one_namespace_and_nothing_but_agents_beyond_it(bed: Bed) -> None:
    roles, everywhere = objects(bed, "Role"), objects(bed, "ClusterRole")

    assert {namespace for namespace, name in roles if name == rights.MAKER} == {rights.NAMESPACE}
    assert everywhere["", rights.MAKER]["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["create", "delete", "list"]}
    ]
    assert everywhere["", rights.PLAYER]["rules"][1:] == [
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]}
    ]


def test_policies_hold_both_to_agents(bed: Bed) -> None:
    policies = {name: one["spec"] for (_, name), one in objects(bed, "ValidatingAdmissionPolicy").items()}
    agents, attachments = policies["plumbline-load-agents"], policies["plumbline-load-attachments"]

    assert all(user in agents["matchConditions"][0]["expression"] for user in (rights.MAKER, rights.PLAYER))
    assert f"startsWith('{rights.AGENT_PREFIX}')" in agents["validations"][0]["expression"]
    assert f"'{rights.MARK}' in object.spec.nodeSelector" in attachments["validations"][0]["expression"]
    assert {spec["failurePolicy"] for spec in policies.values()} == {"Fail"}
    assert objects(bed, "ValidatingAdmissionPolicyBinding").keys() == {("", name) for name in policies}


def test_what_it_shares_with_metrics_server_is_compiled_once() -> None:
    own, other = (modules(name) for name in ("kwok", "metrics-server"))

    assert own["k8s.io/client-go"]
    assert {name: own[name] for name in own.keys() & other} == {name: other[name] for name in own.keys() & other}


def modules(program: str) -> dict[str, str]:
    return dict(re.findall(r"^\t(\S+) (v\S+)", (GO_SETS / program / "go.mod").read_text(), re.MULTILINE))


def test_the_maker_is_told_by_a_kubeconfig_for_root_alone(bed: Bed, tmp_path: Path) -> None:
    told = kwok.settle(bed, Pki(tmp_path / "pki"), tmp_path, 0.0, None)  # type: ignore[arg-type]

    file = Path(told[rights.CREDENTIAL])
    assert file.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(file.read_text())["users"][0]["name"] == rights.MAKER
