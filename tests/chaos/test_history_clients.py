"""What a client that writes makes of a service: one that is kept in a table, and fails as it is told to."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest

from chaos.call import ActionFailed
from chaos.gameday.timeline import timeline
from chaos.history import client
from chaos.history.checker import check
from chaos.history.client import Answer, Talk
from chaos.history.model import Moment, Operation
from chaos.history.recorder import END_LIMIT
from chaos.reach import Reach
from plumbline.bed import Bed
from plumbline.report.axis import WIDTH


class Table(client.Writer):
    """A service that forgets, refuses or breaks at a value."""

    forgets: int = 0
    refuses: int = 0
    breaks: int = 0
    last: int = 6

    def prepare(self, talk: Talk) -> None:
        _TABLE.clear()

    def write(self, talk: Talk, value: int) -> Answer:
        if value >= self.last:
            talk.over.set()
        if value == self.breaks:
            raise ConnectionError("it broke")
        if value == self.refuses:
            return Answer("failed", said="503")
        if value != self.forgets:
            _TABLE.append(value)
        return Answer("ok")

    def read(self, talk: Talk, youngest: int) -> Answer:
        return Answer("ok", max(_TABLE, default=None))

    def final(self, talk: Talk) -> Answer:
        return Answer("ok", tuple(_TABLE))

    def clean(self, talk: Talk) -> None:
        _TABLE.append(-1)


_TABLE: list[int] = []


def recorded(**how: int) -> list[Operation]:
    told: list[Operation] = []
    ready: list[int] = []
    over = threading.Event()
    talk = Talk("c", cast(Bed, None), cast(Reach, None), 500.0, over, told.append, lambda: ready.append(1))
    Table(**cast(Any, how)).run(talk)
    assert (ready, _TABLE[-1]) == ([1], -1)
    return told


def test_a_sound_service_has_a_sound_history() -> None:
    told = check(recorded())["c"]

    assert (told.operations, told.lost, told.missing, told.stale) == (12, 0, (), ())


def test_a_service_that_forgets_is_found_out() -> None:
    told = check(recorded(forgets=6))["c"]

    assert told.missing == (6,)
    assert len(told.stale) == 1


def test_refused_and_broken_writes_are_told_apart() -> None:
    told = check(recorded(refuses=3, breaks=4))["c"]

    assert (told.failed, told.unknown, told.missing, told.returned) == (1, 1, (), ())


def test_every_module_of_clients_has_a_client() -> None:
    assert {"https", "kubernetes"} <= set(client.names())
    assert all(issubclass(client.find(name), client.Client) for name in client.names())


def test_a_timeline_has_the_fault_states_and_rates_over_one_another(tmp_path: Path) -> None:
    told = [
        Moment(0, "record"), Moment(0, "whole", True), Moment(3, "inject", said="it"), Moment(4, "whole", False),
        Moment(6, "undone"), Moment(7, "whole", True), Moment(9, "recorded", True),
    ]  # fmt: skip
    history = [Operation("c", "request", n, n + 0.1, "failed" if 3 <= n < 6 else "ok") for n in range(9)]

    line = timeline(told, history)

    assert (line.seconds, len(line.fault)) == (10, 1)
    assert [bar.state for bar in line.states["whole"]] == ["yes", "no", "yes"]
    assert (line.fault[0].x, line.fault[0].width) == (WIDTH * 0.4, WIDTH * 0.3)
    assert [column.lost for column in line.rates["c"]] == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert timeline([], history).seconds == 0


def test_every_client_has_its_time_to_read_at_the_end() -> None:
    limits = {name: getattr(client.find(name), "final_limit", 0.0) for name in client.names()}

    assert max(limits.values()) < client.FINAL_LIMIT < END_LIMIT


def test_what_a_client_made_is_removed_once_somebody_answers() -> None:
    answers = iter([False, True])

    def remove() -> None:
        if not next(answers):
            raise ActionFailed("nobody answers", place="Consul")

    client.persist(remove)
    assert list(answers) == []


def test_where_nobody_ever_answers_that_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def remove() -> None:
        raise ActionFailed("nobody answers", place="Consul")

    monkeypatch.setattr(client, "REMOVED_S", 0.0)
    with pytest.raises(ActionFailed, match="nobody answers"):
        client.persist(remove)
