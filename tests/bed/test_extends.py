"""A bed file that is put over another says only what differs, and each value keeps its own place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.bed import Bed, BedError, load

Said = Callable[[str | bytes], list[str]]


def test_values_of_the_file_above_win(small_with: Callable[[str], Bed]) -> None:
    bed = small_with("bed: other\nnetworks: {agents: {mtu: 1500}}")

    assert (bed.bed, bed.networks["agents"].mtu, bed.networks["agents"].vlan) == ("other", 1500, 10)
    assert bed.where("networks.agents.mtu") == "bed.yaml:4"
    assert bed.where("networks.agents.vlan") == "small.yaml:10"


def test_null_deletes_and_a_list_replaces(small_with: Callable[[str], Bed]) -> None:
    bed = small_with("ngfw: null\nhost: []\nnodes: {one: {labels: {role: null, other: x}}}")

    assert bed.ngfw is None
    assert bed.host == ()
    assert bed.nodes["one"].labels == {"other": "x"}


def test_an_error_stands_in_the_file_that_made_it(said_of: Said, folder: Path) -> None:
    (folder / "small.yaml").write_text((folder / "small.yaml").read_text().replace("vlan: 20", "vlan: 9999"))

    lines = said_of("version: 1\nextends: small.yaml\nnetworks: {oobi: {mtu: 1}}\n")

    assert [line.partition(": ")[0] for line in lines] == ["bed.yaml:3:24", "small.yaml:11:19"]


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (
            "smal.yaml",
            'bed.yaml:2:10: extends: expected a bed file beside this one, found "smal.yaml"; did you mean small.yaml?',
        ),
        ("bed.yaml", "bed.yaml:2:10: extends: bed.yaml extends this file in turn"),
        ("[small.yaml]", "bed.yaml:2:10: extends: expected the name of a bed file beside this one, found a list"),
        ("loop.yaml", "loop.yaml:1:10: extends: bed.yaml extends this file in turn"),
    ],
)
def test_a_wrong_base_is_told(said_of: Said, folder: Path, base: str, said: str) -> None:
    (folder / "loop.yaml").write_text("extends: bed.yaml\n")

    assert said_of(f"version: 1\nextends: {base}\n") == [said]


def test_the_hardware_bed_is_the_lab_bed_but_for_what_it_says() -> None:
    inventories = Path(__file__).parents[2] / "inventories"
    lab, hardware = load(inventories / "lab.yaml"), load(inventories / "tlsstress.yaml")

    assert lab.networks == hardware.networks
    assert {n: p.model_copy(update={"header": None}) for n, p in lab.personas.items()} == hardware.personas
    assert hardware.realised_by == "hardware"
    assert not hardware.nodes["isp"].ssh


def test_a_base_that_is_wrong_itself_is_told(folder: Path) -> None:
    (folder / "bed.yaml").write_text("version: 1\nextends: broken.yaml\n")
    (folder / "broken.yaml").write_text("version: 1\nbed: [\n")

    with pytest.raises(BedError, match=r"broken\.yaml:3:1: not YAML"):
        load("bed.yaml")
