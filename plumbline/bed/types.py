"""Value types of the bed file: how a duration, a VLAN list, an address range or a reference is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, BaseModel, PlainSerializer, StringConstraints, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")


class Strict(BaseModel):
    """Base of all parts of a bed file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


def _duration(value: Any) -> Any:
    match = _DURATION.match(value) if isinstance(value, str) else None
    if isinstance(value, timedelta):
        return value
    if not match:
        raise ValueError("a duration such as 90d, 12h, 30m, 10s or 500ms was expected")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def _integers(value: Any) -> Any:
    """[99, 101-120] and "1-300" are both sets of whole numbers."""
    items = value if isinstance(value, list | tuple | set | frozenset) else [value]
    numbers: set[int] = set()
    for item in items:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", str(item))
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise ValueError(f"a number or a range such as 101-120 was expected, not {item!r}")
        numbers.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(numbers)


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda d: f"{d.total_seconds():g}s", return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern, "description": "90d, 12h, 30m, 10s or 500ms"}),
]
_RANGE_SCHEMA = {"type": ["integer", "string"], "pattern": r"^\d+(-\d+)?$"}
Integers = Annotated[
    frozenset[int],
    BeforeValidator(_integers),
    PlainSerializer(sorted, return_type=list[int]),
    WithJsonSchema({"anyOf": [_RANGE_SCHEMA, {"type": "array", "items": _RANGE_SCHEMA}]}),
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=63)]
Labels = dict[str, str]


class AddressRange(Strict):
    """Two addresses and all between them, written 10.1.1.2-10.1.1.29."""

    first: IPv4Address
    last: IPv4Address

    def __contains__(self, address: IPv4Address) -> bool:
        return self.first <= address <= self.last

    def __iter__(self) -> Iterator[IPv4Address]:  # type: ignore[override]
        return (IPv4Address(n) for n in range(int(self.first), int(self.last) + 1))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def _address_range(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    first, dash, last = value.partition("-")
    if not dash:
        raise ValueError("an address range such as 10.1.1.2-10.1.1.29 was expected")
    parsed = AddressRange(first=IPv4Address(first.strip()), last=IPv4Address(last.strip()))
    if parsed.first > parsed.last:
        raise ValueError(f"the range ends ({parsed.last}) before it begins ({parsed.first})")
    return parsed


Range = Annotated[
    AddressRange,
    BeforeValidator(_address_range),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[\d.]+-[\d.]+$", "description": "first-last"}),
]


class Reference(Strict):
    """An object of Kubernetes by namespace and name, written namespace/name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def _reference(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    namespace, slash, name = value.partition("/")
    if not (slash and namespace and name) or "/" in name:
        raise ValueError("a reference such as web-agents/ngfw-ca (namespace/name) was expected")
    return Reference(namespace=namespace, name=name)


ObjectRef = Annotated[
    Reference,
    BeforeValidator(_reference),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[^/]+/[^/]+$", "description": "namespace/name"}),
]
