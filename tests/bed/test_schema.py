"""The committed schema is that of the model, and an editor that follows it is right about beds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from plumbline.bed import schema

INVENTORIES = Path(__file__).parents[2] / "inventories"
SCHEMA = INVENTORIES / "bed.schema.json"
SMALL = Path(__file__).with_name("small.yaml")


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_committed_schema_is_that_of_the_model() -> None:
    assert SCHEMA.read_text() == schema.text(), "python -m plumbline.bed schema > inventories/bed.schema.json"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("file", [*sorted(INVENTORIES.glob("*.yaml")), SMALL], ids=lambda file: file.name)
def test_beds_are_valid_with_their_ranges_unwritten(file: Path) -> None:
    errors = Draft202012Validator(schema.schema()).iter_errors(read(file.read_text()))

    assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    "text",
    [
        "version: 1",
        "version: 2\nextends: small.yaml",
        "version: 1\nextends: small.yaml\nnodes: {one: {rol: x}}",
        "version: 1\nextends: small.yaml\nnetworks: {agents: {vlan: 4095}}",
        "version: 1\nextends: small.yaml\nnetworks: {agents: {vlan: ten}}",
        "version: 1\nextends: small.yaml\nnetworks: {Agents: {vlan: 10}}",
    ],
)
def test_what_an_editor_underlines(text: str) -> None:
    assert not Draft202012Validator(schema.schema()).is_valid(read(text))


def test_every_part_says_what_it_is() -> None:
    definitions = schema.schema()["$defs"]

    assert [name for name, part in definitions.items() if not part.get("description")] == []
