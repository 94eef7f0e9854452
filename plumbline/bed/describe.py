"""Turns what pydantic has against a bed file into places, expectations and the nearest valid word."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from plumbline.bed.errors import Problem, nearest
from plumbline.bed.tree import Tree

SECRET_KEY = re.compile(
    r"(^|[_-])(password|passwd|passphrase|pass|token|community|api[_-]?key|private[_-]?key)$", re.IGNORECASE
)
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "too_short": "at least {min_length} of them",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text of the form {pattern}",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "literal_error": "{expected}",
}


def problems(error: ValidationError, tree: Tree, model: type[BaseModel]) -> Iterator[Problem]:
    """One problem for each of pydantic's errors; a missing field that an unknown key was meant to be is left out."""
    unknown: list[Problem] = []
    missing: list[tuple[tuple[int | str, ...], Problem]] = []
    meant: set[str] = set()
    for item in error.errors(include_url=False):
        location, kind = item["loc"], item["type"]
        place, path, rest = _locate(tree, location)
        if kind == "extra_forbidden":
            problem = _unknown_key(place, path, keys_at(model, location[:-1]))
            meant.add(f"{path.rpartition('.')[0]}.{problem.hint}")
            unknown.append(problem)
        elif kind == "missing":
            field = ".".join(map(str, rest))
            full = f"{path}.{field}" if path else field
            missing.append(
                (
                    location,
                    Problem(place.key, full, found=f"the field {field} is missing", hint=_purpose(model, location)),
                )
            )
        else:
            yield _wrong(item, place, path, rest)
    yield from unknown
    for location, problem in missing:
        if f"{problem.path.rpartition('.')[0]}.did you mean {location[-1]}?" not in meant:
            yield problem


def shown(value: Any, key: str = "") -> str:
    """What stood in the file, short, and never a secret."""
    if SECRET_KEY.search(key):
        return "a value that is not shown"
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + '…"'


def keys_at(model: type[BaseModel], location: Iterable[int | str]) -> list[str]:
    """The keys that are valid at a place of the model; none where any key is."""
    return [key for part in _annotations(model, location) if _is_model(part) for key in _fields(part)]


def _wrong(item: Mapping[str, Any], place: Tree, path: str, rest: tuple[int | str, ...]) -> Problem:
    context: dict[str, Any] = item.get("ctx", {})
    said = str(item["msg"]).removeprefix("Value error, ")
    expected = _EXPECTED.get(item["type"], said)
    if item["type"] == "string_pattern_mismatch" and "a-z0-9.-" in context["pattern"]:
        expected = "a name of a-z, 0-9, - and ."
    expected = expected.format(**context) if "{" in expected and context else expected
    if rest and rest[-1] == "[key]":
        return Problem(place.key, path, expected, f"the key {path.rpartition('.')[2]!r}")
    hint = ""
    if item["type"] == "literal_error" and isinstance(place.value, str):
        hint = nearest(place.value, re.findall(r"'([^']+)'", str(context.get("expected"))))
        hint = hint if hint.startswith("did you mean") else ""
    if expected == "text" and isinstance(place.value, bool | int | float):
        hint = "put it in quotes"
    return Problem(place.spot, path, expected, shown(place.value, path.rpartition(".")[2]), hint)


def _unknown_key(place: Tree, path: str, valid: list[str]) -> Problem:
    key = path.rpartition(".")[2]
    return Problem(place.key, path, found=f"the key {key} is unknown here", hint=nearest(key, valid))


def _locate(tree: Tree, location: tuple[int | str, ...]) -> tuple[Tree, str, tuple[int | str, ...]]:
    """The deepest value of a location, its path, and the rest, which is no place in it (a branch, a missing key)."""
    here, walked, rest = tree, [], list(location)
    while rest and (below := here.child(rest[0])) is not None:
        walked.append(str(rest.pop(0)))
        here = below
    return here, ".".join(walked), tuple(rest)


def _purpose(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    for parent in _annotations(model, location[:-1]):
        if _is_model(parent):
            field = _fields(parent).get(str(location[-1]))
            return str(field.description) if field is not None and field.description else ""
    return ""


def _annotations(model: Any, location: Iterable[int | str]) -> list[Any]:
    """The types that a place of the model may have."""
    here = list(_plain(model))
    for part in location:
        here = [below for annotation in here for below in _below(annotation, str(part))]
    return here


def _below(annotation: Any, part: str) -> list[Any]:
    if _is_model(annotation):
        field = _fields(annotation).get(part)
        return list(_plain(field.annotation)) if field is not None else []
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return list(_plain(arguments[1]))
    return list(_plain(arguments[0])) if get_origin(annotation) in (tuple, list) else []


def _plain(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _plain(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for branch in get_args(annotation):
            yield from _plain(branch)
    elif origin is not Literal and annotation is not type(None):
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}
