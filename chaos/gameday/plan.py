"""The plan of a game-day: a file, read as strictly as a fault file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import Field, ValidationError

from chaos.choose import Lacks
from chaos.declared import EXPERIMENTS, Experiment, files
from chaos.declared import load as load_experiment
from plumbline.bed import Bed, BedError, describe
from plumbline.bed.errors import Problem, Spot, nearest
from plumbline.bed.text import read_text, shown_path
from plumbline.bed.tree import parse
from plumbline.bed.types import Duration, Name, Strict


class Item(Strict):
    """One experiment of a game-day."""

    experiment: Name = Field(description="the name of a file of chaos/experiments")
    owner: str = Field(min_length=2, description="who runs it, and answers for it")
    expect: str = Field(min_length=8, description="what the team expects to see, written down before")
    pause: Duration = Field(default=timedelta(seconds=10), description="before the next one")


class Plan(Strict):
    """A game-day."""

    gameday: Name
    title: str = Field(min_length=4)
    experiments: tuple[Item, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Ready:
    """An item of a plan with its experiment, on one bed."""

    item: Item
    experiment: Experiment


def load(path: Path, bed: Bed, folder: Path = EXPERIMENTS) -> tuple[Plan, list[Ready]]:
    """A plan on a bed; BedError names all that is wrong with it or with its experiments, and where."""
    shown = shown_path(path)
    tree, problems = parse(read_text(path), shown)
    if tree is None or not isinstance(tree.value, dict):
        raise BedError.one(Spot(shown, 1, 1), expected="a plan: a mapping with the keys gameday, title and experiments")
    try:
        plan = Plan.model_validate(tree.plain())
    except ValidationError as error:
        raise BedError([*problems, *describe.problems(error, tree, Plan)]) from None
    known = {file.stem: file for file in files(folder)}
    ready = []
    for index, item in enumerate(plan.experiments):
        where = f"experiments.{index}.experiment"
        spot = tree.find(where).spot
        if item.experiment not in known:
            said = f"there is no experiment {item.experiment}"
            problems.append(Problem(spot, where, found=said, hint=nearest(item.experiment, known)))
            continue
        try:
            ready.append(Ready(item, load_experiment(known[item.experiment], bed)))
        except Lacks as lacks:
            problems.append(Problem(spot, where, found=str(lacks)))
        except BedError as error:
            problems += error.problems
    if problems:
        raise BedError(problems)
    return plan, ready
