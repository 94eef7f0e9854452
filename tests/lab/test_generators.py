"""Generators of load in pods: what the lab lays down for them, and the layer of packages that their image has."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest
import yaml

from lab import generators, python_layer, workloads
from lab.errors import LabError
from lab.images import RECIPES
from lab.pki import Pki
from plumbline.bed import Bed, load
from plumbline.load import rights

INVENTORIES = Path(__file__).parents[2] / "inventories"


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(INVENTORIES / "lab.yaml")


def test_their_image_is_the_one_that_the_bed_asks_for(bed: Bed) -> None:
    assert generators.IMAGE in workloads.images(bed)
    assert bed.load is not None
    assert bed.load.image == RECIPES[generators.IMAGE].reference


def test_whoever_makes_them_writes_in_one_namespace_that_takes_nothing_privileged(bed: Bed) -> None:
    namespace, role, binding = generators.manifests(bed)

    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "baseline"}
    assert {one["metadata"]["namespace"] for one in (role, binding)} == {rights.WORKERS}
    assert {resource for rule in role["rules"] for resource in rule["resources"]} == {"pods", "pods/log", "configmaps"}
    assert [subject["name"] for subject in binding["subjects"]] == [rights.WORKERS]


def test_a_bed_without_workers_has_none_of_it(tmp_path: Path) -> None:
    other = load(INVENTORIES / "goldentooth.yaml")

    assert generators.manifests(other) == []
    assert generators.credentials(other, Pki(tmp_path), tmp_path) == {}


def test_their_maker_is_told_by_a_kubeconfig_for_root_alone(bed: Bed, tmp_path: Path) -> None:
    told = generators.credentials(bed, Pki(tmp_path / "pki"), tmp_path)

    file = Path(told[rights.WORKERS_CREDENTIAL])
    assert file.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(file.read_text())["users"][0]["name"] == rights.WORKERS


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one small package, as the whole one pins it."""
    (pinned,) = re.findall(r"^iniconfig==.*(?:\n    --hash.*)+", python_layer.lock("load"), re.MULTILINE)
    (tmp_path / "small.txt").write_text(pinned + "\n")
    monkeypatch.setattr(python_layer, "_REQUIREMENTS", tmp_path)
    return tmp_path


def test_a_layer_has_the_packages_of_its_lock_and_is_the_same_each_time(small: Path) -> None:
    for name in ("one.tar", "two.tar"):
        python_layer.write(small / name, "small")

    assert (small / "one.tar").read_bytes() == (small / "two.tar").read_bytes()
    with tarfile.open(small / "one.tar") as tar:
        assert f"{python_layer.PLACE}/iniconfig/__init__.py" in tar.getnames()
        assert {(member.uid, member.mtime) for member in tar} == {(0, 0)}
    assert sorted(path.name for path in small.iterdir()) == ["one.tar", "small.txt", "two.tar"]


def test_a_package_that_is_not_what_the_lock_says_is_refused(small: Path) -> None:
    wrong = re.sub(r"sha256:\w+", f"sha256:{'0' * 64}", (small / "small.txt").read_text())
    (small / "small.txt").write_text(wrong)

    with pytest.raises(LabError, match=r"(?s)pip: .*Expected sha256 0000"):
        python_layer.write(small / "one.tar", "small")
