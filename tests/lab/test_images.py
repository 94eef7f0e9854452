"""Images are OCI layouts, the same input gives the same bytes, and the tables agree with what is built."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab import images
from lab.errors import LabError
from lab.programs import PROGRAMS, Program, ensure
from lab.programs.table import GO_SETS, Wheel

PINNED = {row.name for row in PROGRAMS if not isinstance(row.source, Wheel) and "." in row.version}
"""Programs from a module of somebody else; the project's own have no release and are `v1`."""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program to put into an image."""
    path = tmp_path / "tool"
    path.write_bytes(b"\x7fELF")
    return path


def image(folder: Path, program: Path) -> Path:
    folder.mkdir()
    images.program_layer(folder / "layer.tar", {"tool": program})
    config = {"Entrypoint": ["/usr/local/bin/tool"]}
    images.write_image(folder / "image.tar", "lab.plumbline/tool:1", [folder / "layer.tar"], config)
    return folder / "image.tar"


def content(archive: Path, digest: str) -> bytes:
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
        assert member is not None
        return member.read()


def manifest(archive: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    with tarfile.open(archive) as tar:
        member = tar.extractfile("index.json")
        assert member is not None
        (described,) = json.load(member)["manifests"]
    return described, json.loads(content(archive, described["digest"]))


def test_every_blob_is_what_its_descriptor_says(tmp_path: Path, program: Path) -> None:
    archive = image(tmp_path / "a", program)
    described, found = manifest(archive)

    for descriptor in (described, found["config"], *found["layers"]):
        data = content(archive, descriptor["digest"])
        assert len(data) == descriptor["size"]
        assert f"sha256:{hashlib.sha256(data).hexdigest()}" == descriptor["digest"]


def test_layers_are_not_compressed(tmp_path: Path, program: Path) -> None:
    archive = image(tmp_path / "a", program)
    _, found = manifest(archive)
    config = json.loads(content(archive, found["config"]["digest"]))

    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in found["layers"]]
    assert found["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar"


def test_an_image_has_its_name_and_its_entrypoint(tmp_path: Path, program: Path) -> None:
    archive = image(tmp_path / "a", program)
    described, found = manifest(archive)
    config = json.loads(content(archive, found["config"]["digest"]))

    assert described["annotations"]["io.containerd.image.name"] == "lab.plumbline/tool:1"
    assert config["config"]["Entrypoint"] == ["/usr/local/bin/tool"]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, program: Path) -> None:
    first = image(tmp_path / "a", program).read_bytes()
    program.touch()

    assert image(tmp_path / "b", program).read_bytes() == first


def test_another_program_gives_another_image(tmp_path: Path, program: Path) -> None:
    first = image(tmp_path / "a", program).read_bytes()
    program.write_bytes(b"\x7fELF2")

    assert image(tmp_path / "b", program).read_bytes() != first


def test_unknown_names_are_told_with_the_known_ones() -> None:
    with pytest.raises(LabError, match=r"unknown image: cady\nremedy: one of: agent, .*caddy"):
        images.ensure_images(["cady"])
    with pytest.raises(LabError, match=r"unknown program: kublet\nremedy: one of: .*kubelet"):
        ensure(["kublet"])


def test_each_image_is_made_of_programs_that_are_there() -> None:
    outputs = {output.name for program in PROGRAMS for output in program.outputs}

    assert {name for recipe in images.RECIPES.values() for name in recipe.programs} <= outputs


@pytest.mark.parametrize("program", [row for row in PROGRAMS if row.name in PINNED], ids=lambda row: row.name)
def test_the_table_says_the_version_that_go_mod_pins(program: Program) -> None:
    assert not isinstance(program.source, Wheel)
    assert f" {program.version} " in (GO_SETS / program.source.folder / "go.mod").read_text().replace("\n", " ")
