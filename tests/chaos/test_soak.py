"""A soak: what has grown is told, and experiments that a bed has nothing for are not chosen."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from chaos import soak
from chaos.run import NotOfThisBed
from chaos.soak import Figures, grown
from plumbline.bed import Bed, load
from tests.chaos.scratch import ROOT

FIRST = Figures(memory=1000, files=5000, processes=300, mounts=80, namespaces=5, pods=60)
SMALL = load(ROOT / "tests" / "lab" / "beds" / "gameday.yaml")


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (FIRST, []),
        (replace(FIRST, memory=1100, processes=310), []),
        (replace(FIRST, pods=61, namespaces=6), ["namespaces: 5 at first, 6 at last", "pods: 60 at first, 61 at last"]),
        (replace(FIRST, memory=1200), ["memory: 1000 at first, 1200 at last"]),
    ],
)
def test_what_has_grown_is_told(last: Figures, said: list[str]) -> None:
    assert grown(FIRST, last) == said


def test_a_bed_is_given_the_experiments_that_it_has_all_for() -> None:
    chosen = soak.suitable(SMALL)

    assert "trunk-of-a-node-cut" in chosen
    assert not any(name.startswith(("consul", "vault", "slurm")) for name in chosen)


@pytest.mark.parametrize("code", [-9, 1, 11])
def test_an_experiment_that_was_killed_or_failed_is_no_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int
) -> None:
    monkeypatch.setattr(soak, "measured", lambda bed: FIRST)
    monkeypatch.setattr(soak, "_run", lambda *_: (code, "said"))

    assert soak.command(SMALL, ["trunk-of-a-node-cut"], 0.1, 0.2, 7, tmp_path) == abs(max(code, -1))


def test_a_bed_without_anything_to_do_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(soak, "suitable", lambda bed: [])

    with pytest.raises(NotOfThisBed, match="has all for none"):
        soak.command(SMALL, [], 5.0, 0.0, 7, tmp_path)


def test_what_was_measured_before_it_was_interrupted_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    codes = iter([0])

    def run(*_: object) -> tuple[int, str]:
        try:
            return next(codes), "said"
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(soak, "measured", lambda bed: FIRST)
    monkeypatch.setattr(soak, "_run", run)

    with pytest.raises(KeyboardInterrupt):
        soak.command(SMALL, ["trunk-of-a-node-cut"], 5.0, 0.0, 7, tmp_path)
    assert len(json.loads((tmp_path / "soak.json").read_text())["runs"]) == 1


def test_a_leak_and_a_failure_end_it_with_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figures = iter([FIRST, FIRST, FIRST, replace(FIRST, pods=61)])
    codes = iter([0, 1, 0])
    monkeypatch.setattr(soak, "measured", lambda bed: next(figures))
    clock = [0.0]
    monkeypatch.setattr(soak.time, "monotonic", lambda: clock[0])

    def run(bed: Bed, name: str, folder: Path) -> tuple[int, str]:
        clock[0] += 2.0
        return next(codes), "said"

    monkeypatch.setattr(soak, "_run", run)
    monkeypatch.setattr(soak.time, "sleep", lambda seconds: None)

    assert soak.command(SMALL, ["trunk-of-a-node-cut"], 5.0, 0.0, 7, tmp_path) == 1
    told = json.loads((tmp_path / "soak.json").read_text())
    assert told["leaks"] == ["pods: 60 at first, 61 at last"]


def test_no_experiment_comes_again_before_all_have_been() -> None:
    names = [f"experiment-{number}" for number in range(24)]
    dealt = list(itertools.islice(soak.dealt(random.Random(7), names), 48))

    assert sorted(dealt[:24]) == sorted(dealt[24:]) == sorted(names)
    assert dealt[:24] != dealt[24:]
