"""Bringing up a bed on a machine that is slow: what gives no answer yet is asked again, until the deadline."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import machine, slurm, stepca
from lab.consul import settling
from lab.errors import LabError
from lab.pki import Pki
from lab.vault.settle import Admin, _initialise
from plumbline.bed import Bed, load
from plumbline.collect.vault_client import Answer, NoAnswer

LAB = Path(__file__).parents[2] / "inventories/lab.yaml"
Said = subprocess.CompletedProcess[str]
Asked = list[list[str]]


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(LAB)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    """Has programs of machines answer like this, one after the other (the last again and again): text or None, no end."""

    def answering(*answers: str | None) -> Asked:
        asked: Asked = []

        def run(bed: str, node: str, argv: Any, *, input: str | None = None, timeout: float = 30) -> Said:
            asked.append(list(argv))
            said = answers[min(len(asked), len(answers)) - 1]
            if said is None:
                raise subprocess.TimeoutExpired(argv, timeout)
            return Said(argv, 0, said, "")

        monkeypatch.setattr(machine, "run", run)
        return asked

    return answering


def _soon() -> float:
    return time.monotonic() + 0.3


def test_a_machine_is_asked_once_though_its_time_is_over(runs: Callable[..., Asked]) -> None:
    asked = runs("running")

    machine.wait_running("bed", "node", time.monotonic() - 1)

    assert len(asked) == 1


def test_a_consul_without_an_answer_is_asked_again_before_clients_begin_anew(
    bed: Bed, runs: Callable[..., Asked]
) -> None:
    assert bed.consul
    restarted, answers = (
        runs(""),
        iter([settling._NotYet("no answer"), set(bed.consul.nodes) - {bed.consul.clients[0]}]),
    )

    class Api:
        def alive(self) -> set[str]:
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

    begin = lambda: settling._begin(bed, bed.consul, Api(), time.monotonic() - 1)  # type: ignore[arg-type]  # noqa: E731
    settling._until(time.monotonic() + 5, "server", begin)

    assert restarted == [["systemctl", "--no-block", "restart", "consul"]]


def test_slurm_is_asked_again_where_a_program_of_it_does_not_end(bed: Bed, runs: Callable[..., Asked]) -> None:
    assert bed.slurm
    up = "".join(f"Slurmctld(x) at {name} is UP\n" for name in bed.slurm.controllers)
    asked = runs(None, up)

    slurm._await(lambda: slurm._silent(bed, bed.slurm), time.monotonic() + 5)  # type: ignore[arg-type]

    assert len(asked) == 2


def test_an_authority_that_signs_late_is_asked_again(runs: Callable[..., Asked], monkeypatch: Any, bed: Bed) -> None:
    asked = runs(None, "")
    monkeypatch.setattr(stepca, "_AGAIN_S", 0.01)

    stepca._do(bed, "node", ["step"], "the canary", _soon())
    assert len(asked) == 2

    runs(None)
    with pytest.raises(LabError, match="the canary could not be renewed: no end"):
        stepca._do(bed, "node", ["step"], "the canary", time.monotonic())


def test_the_token_of_a_vault_that_is_initialised_slowly_is_waited_for(bed: Bed, tmp_path: Path) -> None:
    limits: list[float] = []

    class Server:
        timeout = 10.0

        def ask(self, method: str, path: str, *_: Any) -> Answer:
            if path == "sys/init":
                limits.append(self.timeout)
                raise NoAnswer("timeout", "no answer in time")
            return Answer(200, {"initialized": False})

    assert bed.vault
    admin = Admin(bed, bed.vault, tmp_path, Pki(tmp_path), time.monotonic() + 100)
    with pytest.raises(LabError, match="no answer in time"):
        _initialise(admin, {"first": Server()})  # type: ignore[dict-item]
    assert limits == [pytest.approx(100, abs=5)]
