"""A call of an action: what a fault file injects, what the ledger keeps as its undo, and what must hold in between.

An undo is a call too. Every action is a pydantic model of its own arguments with three methods:

    @action("node.sysctl")
    class Sysctl(Arguments):
        node: Node                      # checked against the bed file
        key: str
        value: str

        def reverse(self, bed, reach): return [Call("node.sysctl", {…, "value": what it is now})]
        def apply(self, bed, reach): …  # idempotent
        def holds(self, bed, reach): return it is now == self.value

and is used by name alone: `Call("node.sysctl", {"node": "ucs-2", …}).apply(bed, reach)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self, TypeVar, get_args, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from plumbline.bed import Bed
from plumbline.bed.errors import nearest

if TYPE_CHECKING:
    from chaos.reach import Reach

JSON = Any
"""What JSON can hold: None, bool, int, float, str, lists and mappings of these."""


class ActionFailed(Exception):
    """An action that could not do or see what it should: where, why, and what helps."""

    def __init__(self, reason: str, *, place: str = "", remedy: str = "") -> None:
        said = f"{place}: {reason}" if place else reason
        super().__init__(f"{said}\nremedy: {remedy}" if remedy else said)
        self.reason, self.place, self.remedy = reason, place, remedy


@dataclass(frozen=True)
class Slip:
    """One thing that is wrong with a call. `argument` is empty where the action itself is wrong."""

    action: str
    argument: str
    said: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.action}: {self.argument}" if self.argument else self.action
        return f"{where}: {self.said}" + (f"; {self.hint}" if self.hint else "")


class CallError(Exception):
    """A call that no action understands, or that names what the bed lacks; `slips` is all that is wrong with it."""

    def __init__(self, slips: list[Slip]) -> None:
        super().__init__("\n".join(map(str, slips)))
        self.slips = tuple(slips)


@dataclass(frozen=True)
class Call:
    """An action by name, and its arguments, which name things of the bed file."""

    action: str
    arguments: Mapping[str, JSON] = field(default_factory=dict)

    @classmethod
    def of(cls, written: JSON) -> Self:
        """A call as a fault file or the ledger writes it: one key, the action, and under it the arguments."""
        if not isinstance(written, Mapping) or len(written) != 1:
            raise CallError([Slip("call", "", "one key, the action, is expected, and its arguments under it")])
        name, arguments = next(iter(written.items()))
        if not isinstance(arguments, Mapping | None):
            raise CallError([Slip(str(name), "", f"a mapping of arguments is expected, found {arguments!r}")])
        return cls(str(name), dict(arguments or {}))

    def written(self) -> dict[str, JSON]:
        """This call as `of` reads it; JSON through and through."""
        return {self.action: json.loads(json.dumps(dict(self.arguments)))}

    def slips(self, bed: Bed) -> list[Slip]:
        """All that is wrong with this call on this bed; empty where it can be made."""
        try:
            self.understood(bed)
        except CallError as error:
            return list(error.slips)
        return []

    def understood(self, bed: Bed) -> Arguments:
        """The action with its arguments; CallError names what is wrong and the nearest valid word."""
        model = find(self.action)
        try:
            ready = model.model_validate(dict(self.arguments))
        except ValidationError as error:
            raise CallError([_slip(self.action, model, detail) for detail in error.errors()]) from None
        slips = [*_unknown_names(self.action, ready, bed), *ready.refused(self.action, bed)]
        if slips:
            raise CallError(slips)
        return ready

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        """Looks at the bed now, changes nothing: the calls that would bring it back, in the order to make them."""
        return self.understood(bed).reverse(bed, reach)

    def apply(self, bed: Bed, reach: Reach) -> None:
        """Makes the bed as this call says; making the same call again changes nothing. ActionFailed if it cannot."""
        self.understood(bed).apply(bed, reach)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        """Whether the bed is as this call says, now. ActionFailed where nobody can tell."""
        return self.understood(bed).holds(bed, reach)

    def __str__(self) -> str:
        said = " ".join(f"{name}={_short(value)}" for name, value in self.arguments.items())
        return f"{self.action} {said}".strip()


class Arguments(BaseModel):
    """Base of all actions: a model of its arguments. Unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    only_looks: ClassVar[bool] = False
    """True for an action that is only ever asked whether it holds, such as kubernetes.pods."""

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        raise NotImplementedError

    def apply(self, bed: Bed, reach: Reach) -> None:
        raise NotImplementedError

    def holds(self, bed: Bed, reach: Reach) -> bool:
        raise NotImplementedError

    def cuts(self, bed: Bed) -> frozenset[str]:
        """Nodes to which this may cut the runner's own way, over OOBI."""
        return frozenset()

    def means(self, bed: Bed) -> str:
        """By what it is done, where that depends on the bed; for whoever reads a dry run."""
        return ""

    def refused(self, name: str, bed: Bed) -> list[Slip]:
        """What else the bed has against these arguments, beside names that it lacks."""
        return []


class Looking(Arguments):
    """Base of actions that only ask: there is nothing to make, and nothing to undo."""

    only_looks: ClassVar[bool] = True

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        return []

    def apply(self, bed: Bed, reach: Reach) -> None:
        """Nothing: it comes about by itself."""


@dataclass(frozen=True)
class Named:
    """Marks an argument that is the name of something in a section of the bed file."""

    section: str


Node = Annotated[str, Named("nodes")]
Network = Annotated[str, Named("networks")]
Workload = Annotated[str, Named("workloads")]
Certificate = Annotated[str, Named("certificates")]
Secret = Annotated[str, Named("secrets")]
Authority = Annotated[str, Named("authorities")]
Attachment = Annotated[str, Named("attachments")]

_ACTIONS: dict[str, type[Arguments]] = {}
_Model = TypeVar("_Model", bound=type[Arguments])


def action(name: str) -> Callable[[_Model], _Model]:
    """Registers a model of arguments as the action of that name."""

    def register(model: _Model) -> _Model:
        if name in _ACTIONS and _ACTIONS[name].__qualname__ != model.__qualname__:
            raise ValueError(f"there are two actions {name}")
        _ACTIONS[name] = model
        return model

    return register


def actions() -> dict[str, type[Arguments]]:
    """All actions by name."""
    import_module("chaos.actions")
    return dict(sorted(_ACTIONS.items()))


def find(name: str) -> type[Arguments]:
    """The action of that name; CallError with the nearest one."""
    known = actions()
    if name not in known:
        raise CallError([Slip(name, "", "there is no such action", nearest(name, known))])
    return known[name]


@runtime_checkable
class Action(Protocol):
    """What every action can do; `Arguments` is its base."""

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]: ...
    def apply(self, bed: Bed, reach: Reach) -> None: ...
    def holds(self, bed: Bed, reach: Reach) -> bool: ...


def _unknown_names(name: str, ready: Arguments, bed: Bed) -> Iterator[Slip]:
    for argument, about in type(ready).model_fields.items():
        marks = [*about.metadata, *(m for part in get_args(about.annotation) for m in _marks(part))]
        value = getattr(ready, argument)
        for mark in marks:
            if isinstance(mark, Named) and value is not None:
                declared = getattr(bed, mark.section)
                for one in value if isinstance(value, tuple | list) else (value,):
                    if one not in declared:
                        said = f"the bed {bed.bed} has no {one} among its {mark.section}"
                        yield Slip(name, argument, said, nearest(str(one), declared))


def _marks(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__metadata__", ())


def _slip(name: str, model: type[Arguments], detail: ErrorDetails) -> Slip:
    argument = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return Slip(name, argument, "there is no such argument", nearest(argument, model.model_fields))
    if detail["type"] == "missing":
        return Slip(name, argument, "the argument is missing")
    return Slip(name, argument, f"{detail['msg'][0].lower()}{detail['msg'][1:]}, found {_short(detail['input'])}")


def _short(value: Any) -> str:
    said = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"{said[:60]}…" if len(said) > 60 else said
