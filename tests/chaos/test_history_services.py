"""Clients of Consul, Vault and Slurm: what is acknowledged, refused, unknown; what is there at the end."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from chaos import vault_admin
from chaos.history.checker import check
from chaos.history.client import Talk, find
from chaos.history.model import Operation
from chaos.reach import LIMIT, Done, Reach
from plumbline import curl
from plumbline.bed import Bed
from plumbline.collect.vault_client import Answer
from tests.chaos.reaches import Local, bed

BED = bed()
LAST = 5


class Services(Local):
    """Consul and Slurm behind the shell of a node; `trouble` is what they say to the third value."""

    def __init__(self, trouble: tuple[int, Any] | None = None, forgets: bool = False) -> None:
        super().__init__(BED, {})
        self.trouble, self.forgets = trouble, forgets
        self.keys: dict[str, int] = {}
        self.jobs: dict[str, str] = {}

    def ask(self, node: str, argv: Sequence[str], *, input: str = "", limit: float = LIMIT) -> Done:
        if tuple(argv) == curl.COMMAND:
            words = dict(re.findall(r'^(\S+) = "(.*)"$', input, re.MULTILINE))
            status, said = self._consul(words["request"], urlsplit(words["url"]), words.get("data"))
            return Done(0, f"{json.dumps(said)}\n{status}", "")
        assert argv[:3] == ["runuser", "-u", "gate"]
        return self._slurm(list(argv[6:]))

    def _consul(self, method: str, url: Any, data: str | None) -> tuple[int, Any]:
        key = url.path.removeprefix("/v1/kv/")
        if method == "PUT":
            if self.trouble and data == "3":
                return self.trouble
            if not (self.forgets and data == "4"):
                self.keys[key] = int(data or 0)
            return 200, True
        if method == "DELETE":
            self.keys = {}
            return 200, True
        if "keys" in url.query:
            return (200, list(self.keys)) if self.keys else (404, "")
        return (200, self.keys[key]) if key in self.keys else (404, "")

    def _slurm(self, words: list[str]) -> Done:
        given = dict(word.removeprefix("--").partition("=")[::2] for word in words)
        match words[0]:
            case "sbatch":
                self.jobs[given["job-name"]] = "NODE_FAIL" if self.forgets and len(self.jobs) == 3 else "COMPLETED"
                return Done(0, f"{len(self.jobs)}\n", "")
            case "squeue":
                return Done(0, "\n".join(self.jobs) if given.get("states") == "all" else "", "")
            case "sacct":
                return Done(0, "".join(f"{name}|{state}\n" for name, state in self.jobs.items()), "")
        return Done(0, "2026-11-22T00:00:00\n", "")


def recorded(kind: str, reach: Reach) -> list[Operation]:
    """What a client of that kind did until its fifth value."""
    told: list[Operation] = []
    over = threading.Event()

    def tell(operation: Operation) -> None:
        told.append(operation)
        if operation.kind == "write" and operation.value == LAST:
            over.set()

    find(kind).model_validate({}).run(Talk("c", BED, reach, 500.0, over, tell, lambda: None))
    return told


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.actions.consul_api.administrator", lambda bed: "not-told")


@pytest.fixture(autouse=True)
def nothing_is_written_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.history.clients.slurm._WRITTEN", 0.2)


@pytest.mark.parametrize("kind", ["consul", "slurm"])
def test_a_sound_service_keeps_what_it_acknowledged(kind: str) -> None:
    with Services() as reach:
        told = check(recorded(kind, reach))["c"]

    assert (told.lost, told.missing, told.stale, told.unread) == (0, (), (), 0)


@pytest.mark.parametrize("kind", ["consul", "slurm"])
def test_a_service_that_forgets_is_found_out(kind: str) -> None:
    with Services(forgets=True) as reach:
        assert check(recorded(kind, reach))["c"].missing == (4,)


@pytest.mark.parametrize(
    ("trouble", "outcome"), [((500, "No cluster leader"), "unknown"), ((403, "Permission denied"), "failed")]
)
def test_of_a_server_in_trouble_nobody_knows_and_a_refusal_is_certain(trouble: tuple[int, str], outcome: str) -> None:
    with Services(trouble) as reach:
        written = {o.value: o.outcome for o in recorded("consul", reach) if o.kind == "write"}

    assert written == {1: "ok", 2: "ok", 3: outcome, 4: "ok", 5: "ok"}


def test_vault_keeps_secrets_and_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    held: dict[str, Any] = {}

    def ask(bed: Bed, reach: Reach, method: str, path: str, body: Any = None, *, missing: bool = False) -> Any:
        folder = path.partition("?")[0].replace("/metadata/", "/data/")
        if method == "POST":
            held[path] = body["data"]
        elif method == "DELETE":
            held.pop(folder, None)
        elif path.endswith("?list=true"):
            return Answer(200, {"data": {"keys": [key.rpartition("/")[2] for key in held]}})
        else:
            return Answer(200, {"data": {"data": held[path]}}) if path in held else None
        return Answer(204, {})

    monkeypatch.setattr(vault_admin, "ask", ask)
    with Services() as reach:
        told = check(recorded("vault", reach))["c"]

    assert (told.operations, told.lost, told.missing, told.stale) == (2 * LAST, 0, (), ())
    assert held == {}
