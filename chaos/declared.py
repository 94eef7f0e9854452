"""What an experiment says of itself beside what Chaos Toolkit reads: its extension `plumbline`. Read strictly, with places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from chaos.call import Call, CallError
from chaos.choose import Lacks, chosen
from chaos.fault import Step
from chaos.history.checker import Promise
from chaos.history.client import find as find_client
from chaos.history.client import names as clients
from chaos.history.recorder import Record
from plumbline.bed import Bed, BedError, describe
from plumbline.bed.errors import Problem, Spot, nearest
from plumbline.bed.text import read_text, shown_path
from plumbline.bed.tree import Tree, parse
from plumbline.bed.types import Duration, Name, Strict

EXPERIMENTS = Path(__file__).parent / "experiments"
EXTENSION = "plumbline"
INJECT = "chaos.extension.actions", "inject"
NOTICED = "chaos.extension.probes", "noticed"
CONTROL = "chaos.extension.controls"


class Watched(Strict):
    """Looks at the bed that go on all the time: what tells that it has noticed, and that it is whole again."""

    noticed: tuple[Step, ...] = Field(default=(), description="hold once the bed itself has noticed")
    whole: tuple[Step, ...] = Field(min_length=1, description="hold when all is as it has to be")


class Budgets(Strict):
    """Names of budgets of the bed file; each is a limit in seconds."""

    detect: str | None = Field(default=None, description="from the fault until the bed has noticed")
    mend: str | None = Field(
        default=None, description="from the fault, or mended by undo from its begin, until the bed is whole"
    )
    steady: str | None = Field(
        default=None,
        description="from there until the gate says go, but for the time in which clients read what is there at the end",
    )
    gap: dict[Name, str] = Field(default={}, description="by record, the longest time without a success")
    recover: dict[Name, str] = Field(default={}, description="by record, from the same moment until it succeeds again")
    saved: dict[Name, str] = Field(
        default={}, description="by record, until its service has saved what it acknowledged: a kill before may lose it"
    )

    @property
    def of_records(self) -> tuple[dict[Name, str], ...]:
        """Those by record."""
        return self.gap, self.recover, self.saved

    def named(self) -> list[str]:
        """All of them."""
        each = [name for named in self.of_records for name in named.values()]
        return [name for name in (self.detect, self.mend, self.steady, *each) if name]


class Declared(Strict):
    """The extension `plumbline` of an experiment file."""

    name: Literal["plumbline"]
    experiment: Name = Field(description="the name of the file without .yaml")
    stands_for: str = Field(min_length=8)
    touches: str = Field(min_length=8, description="all that is broken, in words: the blast radius")
    records: dict[Name, Record] = Field(min_length=1, description="what clients do meanwhile")
    unaffected: tuple[Name, ...] = Field(default=(), description="records of which no operation may be lost")
    refused: tuple[Name, ...] = Field(
        default=(), description="records of which no write may be acknowledged once it is noticed, until the undo"
    )
    watch: Watched
    mended_by: Literal["itself", "undo"] = Field(
        default="itself", description="whether the bed mends it by itself, or the fault has to be taken out"
    )
    budgets: Budgets = Budgets()
    patience: Duration = Field(
        default=timedelta(seconds=10), description="so long an unaffected record may fail before all is undone"
    )

    def promises(self, bed: Bed) -> dict[str, Promise]:
        """What is expected of each record."""
        gap, recover, saved = (
            {record: bed.budgets[name].total_seconds() for record, name in named.items()}
            for named in self.budgets.of_records
        )
        return {
            name: Promise(
                gap=gap.get(name),
                recover=recover.get(name),
                saved=saved.get(name, 0.0),
                unaffected=name in self.unaffected,
                silent=self.patience.total_seconds(),
                refused=name in self.refused,
            )
            for name in self.records
        }

    def limits(self, bed: Bed) -> dict[str, float]:
        """Seconds by what they are a limit of."""
        named = {"detect": self.budgets.detect, "mend": self.budgets.mend, "steady": self.budgets.steady}
        return {key: bed.budgets[name].total_seconds() for key, name in named.items() if name}


@dataclass(frozen=True)
class Experiment:
    """An experiment file, as it is meant on one bed."""

    path: Path
    title: str
    toolkit: dict[str, Any]
    declared: Declared
    steps: tuple[Call, ...]
    left_out: tuple[str, ...] = ()
    """Records that this bed cannot have."""

    @property
    def name(self) -> str:
        """As the file is called."""
        return self.path.stem


def understood(bed: Bed, extensions: Any) -> tuple[Declared, tuple[str, ...]]:
    """The extension on one bed, and the records that it cannot have. ValidationError, Lacks."""
    told = next((e for e in extensions or () if isinstance(e, Mapping) and e.get("name") == EXTENSION), {})
    written = dict(told)
    records: Any = written.get("records")
    left_out = []
    if isinstance(records, Mapping):
        kept = {}
        for name, record in records.items():
            try:
                kept[name] = _on(bed, chosen(bed, record))
            except Lacks:
                if not record.get("optional"):
                    raise
                left_out.append(name)
        written["records"] = kept
        for key in ("unaffected", "refused"):
            if isinstance(named := written.get(key), list):
                written[key] = [name for name in named if name not in left_out]
        written["budgets"] = _without(written.get("budgets", {}), left_out)
    return Declared.model_validate(chosen(bed, written)), tuple(left_out)


def _on(bed: Bed, record: Any) -> Any:
    """A record as it is written; Lacks where the bed has not what its client asks."""
    client = record.get("client") if isinstance(record, Mapping) else None
    section = find_client(client).section if client in clients() else ""
    if section and not getattr(bed, section):
        raise Lacks(f"the bed {bed.bed} declares no {section}, and the experiment is about it")
    return record


def _without(budgets: Any, records: list[str]) -> Any:
    """Budgets without those of records that are left out."""
    if not isinstance(budgets, Mapping):
        return budgets
    return {
        key: {name: budget for name, budget in value.items() if name not in records}
        if isinstance(value, Mapping)
        else value
        for key, value in budgets.items()
    }


def load(path: Path, bed: Bed) -> Experiment:
    """The experiment of a file on a bed. BedError: all that is wrong with the file; Lacks: it is not for this bed."""
    shown = shown_path(path)
    tree, problems = parse(read_text(path), shown)
    if tree is None or not isinstance(tree.value, dict):
        raise BedError.one(Spot(shown, 1, 1), expected="an experiment of Chaos Toolkit, with the extension plumbline")
    plain = tree.plain()
    extension = _extension(tree)
    if extension is None:
        raise BedError.one(tree.spot, "extensions", expected="one whose name is plumbline")
    try:
        declared, left_out = understood(bed, plain["extensions"])
    except ValidationError as error:
        raise BedError([*problems, *describe.problems(error, extension, Declared)]) from None
    problems += [*_mistakes(path, extension, declared, bed), *_of_toolkit(tree, declared)]
    steps: list[Call] = []
    for spot, written in _steps(tree):
        try:
            call = Call.of(chosen(bed, written))
            call.understood(bed)
            steps.append(call)
        except CallError as error:
            problems += [Problem(spot, "method", found=str(slip)) for slip in error.slips]
    if problems:
        raise BedError(problems)
    return Experiment(path, str(plain.get("title", path.stem)), plain, declared, tuple(steps), left_out)


def _of_toolkit(tree: Tree, declared: Declared) -> Iterator[Problem]:
    """What Chaos Toolkit would only say when the experiment is run, or never."""
    from chaoslib.exceptions import ChaosException
    from chaoslib.experiment import ensure_experiment_is_valid

    try:
        ensure_experiment_is_valid({**tree.plain(), "configuration": {}})  # its variables are set when it is run
    except ChaosException as error:
        yield Problem(tree.spot, "", found=str(error))
    controls = [told.get("provider", {}).get("module") for _, told in _listed(tree, "controls")]
    if CONTROL not in controls:
        spot = tree.find("controls").spot
        yield Problem(spot, "controls", f"{CONTROL}, which undoes at the end and judges", str(controls or "none"))
    kept_in = False
    for activity, told in _listed(tree, "method"):
        provider = told.get("provider", {})
        asked, given = (provider.get("module"), provider.get("func")), provider.get("arguments")
        kept_in |= asked == NOTICED or (asked == INJECT and bool(told.get("pauses", {}).get("after")))
        for name in {"time_to_live", "calm"} & set(given if isinstance(given, dict) else ()):
            if not _is_duration(given[name]):
                spot = activity.find(f"provider.arguments.{name}").spot
                yield Problem(spot, f"method.{name}", "a duration such as 60s or 5m", str(given[name]))
    if declared.mended_by == "undo" and not kept_in:
        said = "pauses: {after: SECONDS} of what injects, or the probe noticed"
        yield Problem(tree.find("method").spot, "method", said, "nothing between the fault and its undo")


def _listed(tree: Tree, name: str) -> Iterator[tuple[Tree, dict[str, Any]]]:
    """The items of a list of mappings, each with what it says."""
    for _, item in tree.find(name).items():
        if isinstance(item.value, dict):
            yield item, item.plain()


def _is_duration(value: object) -> bool:
    try:
        TypeAdapter[timedelta](Duration).validate_python(value)
    except ValidationError:
        return False
    return True


def files(folder: Path = EXPERIMENTS) -> list[Path]:
    """All experiments, by name."""
    return sorted(folder.glob("*.yaml"))


def find(name: str, folder: Path = EXPERIMENTS) -> Path:
    """The file of an experiment by its name or path; BedError with the nearest name where there is none."""
    if name.endswith(".yaml"):
        return Path(name)
    by_name = {file.stem: file for file in files(folder)}
    if name not in by_name:
        hint = nearest(name, by_name)
        raise BedError.one(Spot(shown_path(folder)), found=f"there is no experiment {name}", hint=hint)
    return by_name[name]


def _extension(tree: Tree) -> Tree | None:
    listed = tree.child("extensions")
    for _, item in listed.items() if listed is not None and isinstance(listed.value, list) else ():
        name = item.child("name")
        if name is not None and name.value == EXTENSION:
            return item
    return None


def _steps(tree: Tree) -> Iterator[tuple[Spot, Any]]:
    """What actions of the method inject, with its place."""
    method = tree.child("method")
    for _, activity in method.items() if method is not None and isinstance(method.value, list) else ():
        provider = activity.find("provider")
        told = provider.plain() if isinstance(provider.value, dict) else {}
        if (told.get("module"), told.get("func")) == INJECT:
            for _, step in provider.find("arguments.steps").items():
                yield step.spot, step.plain()


def _mistakes(path: Path, tree: Tree, declared: Declared, bed: Bed) -> Iterator[Problem]:
    if declared.experiment != path.stem:
        spot = tree.find("experiment").spot
        yield Problem(spot, "experiment", f"{path.stem}, as the file is called", declared.experiment)
    for name in (*declared.unaffected, *declared.refused, *chain(*declared.budgets.of_records)):
        if name not in declared.records:
            yield Problem(
                tree.spot, "records", found=f"there is no record {name}", hint=nearest(name, declared.records)
            )
    for name in declared.budgets.named():
        if name not in bed.budgets:
            said = f"the bed {bed.bed} has no budget {name} ({bed.where('budgets')})"
            yield Problem(tree.find("budgets").spot, "budgets", found=said, hint=nearest(name, bed.budgets))
    for name, record in declared.records.items():
        try:
            record.made()
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            yield Problem(tree.find(f"records.{name}").spot, f"records.{name}.with", found=said)
    for part in ("noticed", "whole"):
        for call in getattr(declared.watch, part):
            for slip in call.slips(bed):
                yield Problem(tree.find(f"watch.{part}").spot, f"watch.{part}", found=str(slip))
