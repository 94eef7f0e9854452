"""python -m plumbline.bed check, show, schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plumbline.bed import load
from plumbline.bed.__main__ import main

INVENTORIES = Path(__file__).parents[2] / "inventories"


def test_check_says_ok(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "small.yaml"]) == 0
    assert capsys.readouterr().out == "ok: small.yaml: 2 nodes, 3 networks, 3 workloads\n"


def test_check_tells_errors_of_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bed.yaml").write_text("version: 1\nextends: small.yaml\nbedd: x\n")

    assert main(["check", "bed.yaml"]) == 2
    assert capsys.readouterr().err == "bed.yaml:3:1: bedd: the key bedd is unknown here; did you mean bed?\n"


def test_check_tells_contradictions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bed.yaml").write_text("version: 1\nextends: small.yaml\nnetworks: {origins: {vlan: 10}}\n")

    assert main(["check", "bed.yaml"]) == 1
    assert (
        "bed.yaml:3: vlan:origins: expected a VLAN ID of its own, found 10 is that of agents" in capsys.readouterr().err
    )


@pytest.mark.parametrize("name", ["lab.yaml", "tlsstress.yaml"])
def test_show_writes_the_same_bed(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(INVENTORIES / name)]) == 0
    (tmp_path / "shown.yaml").write_text(capsys.readouterr().out)

    assert load(tmp_path / "shown.yaml").model_dump() == load(INVENTORIES / name).model_dump()


def test_schema_writes_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "plumbline bed"


@pytest.mark.parametrize("arguments", [[], ["check"], ["chek", "x"]])
def test_a_wrong_command_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
