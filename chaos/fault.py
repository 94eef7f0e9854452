"""A fault file: what is injected, what it stands for, and what a good gate makes of it. Read strictly, with places."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BeforeValidator, Field, PlainSerializer, PrivateAttr, ValidationError, WithJsonSchema

from chaos.call import Call, CallError
from plumbline.bed import Bed, BedError, describe
from plumbline.bed.errors import Problem, Spot, nearest
from plumbline.bed.text import read_text, shown_path
from plumbline.bed.tree import Tree, parse
from plumbline.bed.types import Duration, Name, Strict
from plumbline.check import LAYERS

FAULTS = Path(__file__).parent / "faults"
_PARTS = ("inject", "effect", "wait.holds", "settle.holds")


def _step(value: Any) -> Any:
    try:
        return value if isinstance(value, Call) else Call.of(value)
    except CallError as error:
        raise ValueError(error.slips[0].said) from None


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Step = Annotated[
    Call,
    BeforeValidator(_step),
    PlainSerializer(lambda call: call.written(), return_type=dict[str, Any]),
    WithJsonSchema({"type": "object", "minProperties": 1, "maxProperties": 1}),
]
Texts = Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)]
Subject = Annotated[str, Field(pattern=r"^[a-z0-9-]+:.+$")]
Layer = Literal[LAYERS]  # type: ignore[valid-type]  # the folders under suites/, in their order


class Until(Strict):
    """What must have come about, and how long that may take."""

    holds: tuple[Step, ...] = Field(min_length=1)
    limit: Duration = timedelta(seconds=60)


class Breaks(Protocol):
    """What a session needs of whatever is put in and taken out: a fault file, or steps of an experiment."""

    @property
    def fault(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def inject(self) -> tuple[Call, ...]: ...
    @property
    def effect(self) -> tuple[Call, ...]: ...
    @property
    def wait(self) -> Until | None: ...
    @property
    def settle(self) -> Until | None: ...
    @property
    def time_to_live(self) -> timedelta: ...
    @property
    def path(self) -> Path: ...


@dataclass(frozen=True)
class Steps:
    """Calls that are put in together and taken out together, under the name of an experiment."""

    fault: str
    summary: str
    inject: tuple[Call, ...]
    time_to_live: timedelta
    path: Path = Path("experiment")
    effect: tuple[Call, ...] = ()
    wait: Until | None = None
    settle: Until | None = None


class Fault(Strict):
    """One fault: a file of its own under chaos/faults/<layer>/."""

    fault: Name = Field(description="the name of the file without .yaml")
    stands_for: str = Field(min_length=8, description="the place that tells of it, such as: seed 000, chapter 13")
    summary: str = Field(min_length=8, description="what is broken, in one line")
    layer: Layer = Field(description="the layer of the gate's first finding")
    subject: Annotated[tuple[Subject, ...], BeforeValidator(_several), Field(min_length=1)] = Field(
        description="the thing of the bed that one of its roots must name (kind:name, a pattern; a list is any of them)"
    )
    inject: tuple[Step, ...] = Field(min_length=1, description="calls in order; undone in reverse order")
    effect: tuple[Step, ...] = Field(default=(), description="what must hold beside the injected calls themselves")
    wait: Until | None = Field(default=None, description="what must have come about before the gate looks")
    red: Texts = Field(description="ids of the checks that must go red")
    also: tuple[str, ...] = Field(default=(), description="ids of further checks that may be roots beside it")
    settle: Until | None = Field(default=None, description="what must hold again after the undo")
    alone: bool = Field(
        default=False, description="it takes away what other faults are put in by: no company in a proof"
    )
    time_to_live: Duration = Field(default=timedelta(seconds=120), description="after it the watchdog undoes the fault")

    _path: Path = PrivateAttr(Path("fault"))

    def read_from(self, path: Path) -> Self:
        """This fault, knowing the file that it was read from."""
        self._path = path
        return self

    @property
    def path(self) -> Path:
        """The file that this fault was read from."""
        return self._path


def load(path: Path, bed: Bed | None = None, checks: Collection[str] = ()) -> Fault:
    """The fault that a file declares; BedError names all that is wrong with it: where, what was expected, what is near.

    With a bed, every call must be one that can be made on it; with ids of checks, those of the file must be among them.
    """
    shown = shown_path(path)
    tree, problems = parse(read_text(path), shown)
    if tree is None or not isinstance(tree.value, dict):
        raise BedError.one(Spot(shown, 1, 1), expected="a fault: a mapping of keys such as fault, inject and red")
    fault = None
    try:
        fault = Fault.model_validate(tree.plain())
    except ValidationError as error:
        problems += describe.problems(error, tree, Fault)
    problems += _misnamed(path, tree)
    if bed is not None:
        problems += _not_on(bed, tree)
    if checks:
        problems += _unknown_checks(tree, checks)
    if problems or fault is None:
        raise BedError(problems)
    return fault.read_from(path)


def files(folder: Path = FAULTS) -> list[Path]:
    """All fault files below a folder, sorted by layer and name."""
    return sorted(folder.rglob("*.yaml"), key=lambda file: (file.parent.name, file.stem))


def load_all(bed: Bed | None = None, folder: Path = FAULTS, checks: Collection[str] = ()) -> list[Fault]:
    """Every fault of a folder; one BedError for all that is wrong with any of them, names that stand twice included."""
    faults: list[Fault] = []
    problems: list[Problem] = []
    known: dict[str, str] = {}
    for file in files(folder):
        shown = shown_path(file)
        if file.stem in known:
            problems.append(Problem(Spot(shown, 1, 1), found=f"the fault {file.stem} stands in {known[file.stem]} too"))
        known.setdefault(file.stem, shown)
        try:
            faults.append(load(file, bed, checks))
        except BedError as error:
            problems += error.problems
    if problems:
        raise BedError(problems)
    return faults


def find(name: str, bed: Bed | None = None, folder: Path = FAULTS) -> Fault:
    """A fault by its name, or by the path of its file; BedError with the nearest name where there is none."""
    if name.endswith(".yaml"):
        return load(Path(name), bed)
    by_name = {file.stem: file for file in files(folder)}
    if name not in by_name:
        raise BedError.one(Spot(shown_path(folder)), found=f"there is no fault {name}", hint=nearest(name, by_name))
    return load(by_name[name], bed)


def _misnamed(path: Path, tree: Tree) -> Iterator[Problem]:
    """A fault is found by the name of its file, and told of by its own: they are one."""
    name = tree.child("fault")
    if name is not None and isinstance(name.value, str) and name.value != path.stem:
        yield Problem(name.spot, "fault", f"{path.stem}, as the file is called", describe.shown(name.value))
    layer = tree.child("layer")
    if layer is not None and path.parent.name in LAYERS and layer.value != path.parent.name:
        said = f"{path.parent.name}, as the folder is called"
        yield Problem(layer.spot, "layer", said, describe.shown(layer.value))


def _not_on(bed: Bed, tree: Tree) -> Iterator[Problem]:
    """Calls that no action understands, or that name what the bed lacks."""
    for part in _PARTS:
        above, _, last = part.rpartition(".")
        steps = (tree.find(above) if above else tree).child(last)
        for index, step in steps.items() if steps is not None and isinstance(steps.value, list) else ():
            try:
                slips = Call.of(step.plain()).slips(bed)
            except CallError:
                continue  # the model has said so
            meant = {slip.hint for slip in slips}
            for slip in slips:
                if slip.said == "the argument is missing" and f"did you mean {slip.argument}?" in meant:
                    continue
                place = _place(step, slip.action, slip.argument, unknown=slip.said == "there is no such argument")
                path = ".".join(filter(None, (part, index, slip.action, slip.argument)))
                yield Problem(place, path, found=slip.said, hint=slip.hint)


def _place(step: Tree, action: str, argument: str, unknown: bool) -> Spot:
    here = step.child(action)
    if here is None or not argument:
        return here.key if here is not None else step.spot
    for part in argument.split("."):
        below = here.child(part)
        if below is None:
            break
        here = below
    return here.key if unknown or here.value is None or isinstance(here.value, dict) else here.spot


def _unknown_checks(tree: Tree, checks: Collection[str]) -> Iterator[Problem]:
    for key in ("red", "also"):
        listed = tree.child(key)
        named = [listed] if listed is not None and isinstance(listed.value, str) else []
        for item in named or (item for _, item in (listed.items() if listed is not None else ())):
            if isinstance(item.value, str) and item.value not in checks:
                hint = nearest(item.value, checks)
                yield Problem(item.spot, key, "the id of a check", describe.shown(item.value), hint)
