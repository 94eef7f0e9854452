"""The JSON Schema of a bed file, for editors: it knows ranged keys, {n} in numbers, and files that extend others."""

from __future__ import annotations

import copy
import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from plumbline.bed.model import Bed
from plumbline.bed.types import TEMPLATE

_NOT_REQUIRED = {"nodes"}  # they may all come from an inventory
_KEY = r"^([a-z0-9.-]|\{[^{}]+\})+$"


class _Templates(GenerateJsonSchema):
    """Numbers may be written {n} or {100+n}, to count along with a ranged key; names of objects may be ranges."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {"anyOf": [super().int_schema(schema), {"type": "string", "pattern": TEMPLATE}]}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        patterns = made.pop("patternProperties", None)
        names = made.pop("propertyNames", None)
        if patterns or names:
            made |= {"propertyNames": {"pattern": _KEY}}
            made["additionalProperties"] = next(iter(patterns.values())) if patterns else made["additionalProperties"]
        return made


def schema() -> dict[str, Any]:
    """The JSON Schema, draft 2020-12: a whole bed, or (where the file has `extends`) any part of one."""
    whole = Bed.model_json_schema(by_alias=True, schema_generator=_Templates)
    definitions = _without_titles(whole.pop("$defs"))
    whole = _without_titles(whole)
    whole["required"] = [name for name in whole["required"] if name not in _NOT_REQUIRED]
    parts = {f"{name}Part": _part(item) for name, item in definitions.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "plumbline bed",
        "description": whole["description"],
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/BedPart"},
        "else": {"$ref": "#/$defs/Bed"},
        "$defs": dict(sorted((definitions | parts | {"Bed": whole, "BedPart": _part(whole)}).items())),
    }


def text() -> str:
    """The schema as it is committed (inventories/bed.schema.json)."""
    return json.dumps(schema(), indent=2) + "\n"


def _part(whole: Any) -> Any:
    """A schema for a file that is put over another: nothing is required, and null deletes a key."""
    part = copy.deepcopy(whole)
    if isinstance(part, dict):
        part.pop("required", None)
        if "$ref" in part:
            part["$ref"] += "Part"
        for name, item in part.items():
            if name == "properties":
                part[name] = {key: {"anyOf": [_part(value), {"type": "null"}]} for key, value in item.items()}
            elif name == "additionalProperties" and isinstance(item, dict):
                part[name] = {"anyOf": [_part(item), {"type": "null"}]}
            elif name not in ("default", "enum", "const"):
                part[name] = _part(item)
    return [_part(item) for item in part] if isinstance(part, list) else part


def _without_titles(made: Any) -> Any:
    """Pydantic's titles repeat the key and hide its description in an editor."""
    if isinstance(made, list):
        return [_without_titles(item) for item in made]
    if not isinstance(made, dict):
        return made
    kept = {name: item for name, item in made.items() if name != "title" or isinstance(item, dict)}
    return {name: _without_titles(item) for name, item in kept.items()}
