"""Value types of the bed file: how a duration, a VLAN list, an address range or a reference is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import groupby
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)$")
_HIGHEST = 65_535  # of a number in a set: VLANs, ports, replicas
_OCTET = r"(\d{1,3}|\{[^{}]+\})"  # {n}, {100+n}: counts along with a ranged key
_ADDRESS = rf"{_OCTET}(\.{_OCTET}){{3}}"
TEMPLATE = r"^\d*\{[^{}]+\}\d*$"


class Strict(BaseModel):
    """Base of all parts of a bed file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


def _duration(value: Any) -> Any:
    match = _DURATION.match(value) if isinstance(value, str) else None
    if isinstance(value, timedelta):
        return value
    if not match:
        raise ValueError("a duration such as 90d, 12h, 30m, 10s or 500ms")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def written(duration: timedelta) -> str:
    """A duration in the largest unit that leaves no fraction."""
    milliseconds = round(duration.total_seconds() * 1000)
    unit = next(unit for unit in ("d", "h", "m", "s", "ms") if milliseconds % round(_UNITS[unit] * 1000) == 0)
    return f"{milliseconds // round(_UNITS[unit] * 1000)}{unit}"


def _ranges(numbers: frozenset[int]) -> list[int | str]:
    """Numbers as a bed file writes them: [99, "101-120"]."""
    written: list[int | str] = []
    for _, run in groupby(enumerate(sorted(numbers)), key=lambda item: item[1] - item[0]):
        together = [number for _, number in run]
        written.append(together[0] if len(together) == 1 else f"{together[0]}-{together[-1]}")
    return written


def _integers(value: Any) -> Any:
    """[99, 101-120] and "1-300" are both sets of whole numbers."""
    items = value if isinstance(value, list | tuple | set | frozenset) else [value]
    numbers: set[int] = set()
    for item in items:
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", "" if isinstance(item, bool) else str(item))
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise ValueError("numbers and ranges such as [99, 101-120]")
        first, last = int(match[1]), int(match[2] or match[1])
        if last > _HIGHEST:
            raise ValueError(f"numbers of at most {_HIGHEST}")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(written, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern, "description": "90d, 12h, 30m, 10s or 500ms"}),
]
_RANGE_SCHEMA = {"type": ["integer", "string"], "pattern": r"^(\d+|\{[^{}]+\})(-(\d+|\{[^{}]+\}))?$"}
Integers = Annotated[
    frozenset[int],
    BeforeValidator(_integers),
    PlainSerializer(_ranges, return_type=list[int | str]),
    WithJsonSchema({"anyOf": [_RANGE_SCHEMA, {"type": "array", "items": _RANGE_SCHEMA}]}),
]


def _day(text: str) -> str:
    """A day of the calendar, as text. ValueError where there is no such day."""
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("a day such as 2027-06-30") from None
    return text


Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_day)]
Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=63),
    WithJsonSchema({"type": "string", "pattern": r"^([a-z0-9.-]|\{[^{}]+\})+$", "description": "a-z, 0-9, - and ."}),
]
Labels = dict[str, str]
Mac = Annotated[
    str,
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    StringConstraints(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"),
    WithJsonSchema({"type": "string", "pattern": r"^([0-9A-Fa-f]{2}|\{[^{}]+\})(:([0-9A-Fa-f]{2}|\{[^{}]+\})){5}$"}),
]


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a whole number")  # True is 1 to Python; in a bed file it is a slip
    return value


Whole = Annotated[int, BeforeValidator(_number)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_number)]
Vlan = Annotated[int, Field(ge=1, le=4094), BeforeValidator(_number)]
Mtu = Annotated[int, Field(ge=576, le=9216), BeforeValidator(_number)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_number)]


def _address(value: Any) -> Any:
    try:
        return value if isinstance(value, IPv4Address) else IPv4Address(_text(value))
    except ValueError:
        raise ValueError("an IPv4 address such as 10.0.0.1") from None


def _cidr(value: Any) -> Any:
    try:
        return value if isinstance(value, IPv4Network) else IPv4Network(_prefixed(value))
    except ValueError:
        raise ValueError("an IPv4 network such as 10.0.0.0/24, its host bits zero") from None


def _interface(value: Any) -> Any:
    try:
        return value if isinstance(value, IPv4Interface) else IPv4Interface(_prefixed(value))
    except ValueError:
        raise ValueError("an address with its prefix length, such as 10.0.0.1/24") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError  # a bare number is an address to ipaddress
    return value


def _prefixed(value: Any) -> str:
    if "/" not in _text(value):
        raise ValueError
    return str(value)


Address = Annotated[
    IPv4Address,
    BeforeValidator(_address),
    WithJsonSchema({"type": "string", "pattern": f"^{_ADDRESS}$", "description": "such as 10.0.0.1"}),
]
Cidr = Annotated[
    IPv4Network,
    BeforeValidator(_cidr),
    WithJsonSchema({"type": "string", "pattern": rf"^{_ADDRESS}/\d+$", "description": "such as 10.0.0.0/24"}),
]
Interface = Annotated[
    IPv4Interface,
    BeforeValidator(_interface),
    WithJsonSchema({"type": "string", "pattern": rf"^{_ADDRESS}/\d+$", "description": "such as 8.8.8.8/32"}),
]


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
        raise ValueError("an address range such as 10.1.1.2-10.1.1.29")
    parsed = AddressRange(first=_address(first.strip()), last=_address(last.strip()))
    if parsed.first > parsed.last:
        raise ValueError("a range that ends after it begins")
    return parsed


Range = Annotated[
    AddressRange,
    BeforeValidator(_address_range),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": rf"^{_ADDRESS}\s*-\s*{_ADDRESS}$", "description": "first-last"}),
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
        raise ValueError("a reference such as web-agents/ngfw-ca (namespace/name)")
    return Reference(namespace=namespace, name=name)


ObjectRef = Annotated[
    Reference,
    BeforeValidator(_reference),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[^/]+/[^/]+$", "description": "namespace/name"}),
]
