"""The result of a run, gathered from the batches of all its engines, wherever Locust runs them."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from locust.runners import MasterRunner, WorkerRunner

from locustfiles.engine.host import Host
from locustfiles.engine.model import Batch, Left
from locustfiles.engine.tally import Counted
from plumbline.load.histogram import Histogram, of_microseconds
from plumbline.load.result import Result, Sample, seconds_of

if TYPE_CHECKING:
    from locust.env import Environment

_KEY = "plumbline"


class Recorder:
    """Keeps rows and samples of one test; on a worker it hands them to the master with Locust's own reports."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._rows: list[Counted] = []
        self._samples: list[Sample] = []
        self._left: list[Left] = []
        Host.of(environment).listeners.append(self._take)
        environment.events.report_to_master.add_listener(self._report)
        environment.events.worker_report.add_listener(self._reported)

    def clear(self) -> None:
        """A new test begins."""
        self._rows.clear()
        self._samples.clear()
        self._left.clear()

    def result(self, target: str, began: float, ended: float, planned: float, stopped: str = "") -> Result:
        """What ended in the whole seconds between two moments (Unix time), of all generators: in so many as were planned,
        however late the users were stopped."""
        first = math.ceil(began)
        last = max(first, min(int(ended), first + int(planned)))
        result = Result(target, first, last - first, 0, stopped=stopped)
        failures: Counter[str] = Counter()
        for row in self._rows:
            if first <= row.second < last:
                result.total.add(row.total)
                for phase, histogram in row.phases.items():
                    result.phases.setdefault(phase, Histogram()).add(histogram)
                failures.update(row.failures)
                result.size += row.size
        result.failures = dict(failures)
        result.by_second = seconds_of((row.second, row.total, sum(row.failures.values())) for row in self._rows)
        result.generator = tuple(s for s in self._samples if first <= s.at - s.seconds and s.at <= last + 1)
        result.unanswered = of_microseconds(
            int(waited * 1e6) for left in self._left if left.at >= last and (waited := _waited(left, ended)) > 0
        )
        result.users = max(
            (sum(_users(result.generator, at)) for at in {int(s.at) for s in result.generator}), default=0
        )
        return result

    def _take(self, batch: Batch) -> None:
        self._rows += batch.rows
        self._samples.append(batch.sample)
        self._left += batch.left

    def _report(self, client_id: str, data: dict[str, Any]) -> None:
        """On a worker: what was measured since the last report goes to the master."""
        if not isinstance(self._environment.runner, WorkerRunner):
            return
        data[_KEY] = {
            "rows": [_as_dict(row) for row in self._rows],
            "samples": [asdict(sample) for sample in self._samples],
            "left": [list(left) for left in self._left],
        }
        self.clear()

    def _reported(self, client_id: str, data: dict[str, Any]) -> None:
        """On the master: what a worker measured."""
        if not isinstance(self._environment.runner, MasterRunner) or _KEY not in data:
            return
        self._rows += [_from_dict(row) for row in data[_KEY]["rows"]]
        self._left += [Left(*left) for left in data[_KEY]["left"]]
        self._samples += [replace(Sample(**sample), generator=client_id) for sample in data[_KEY]["samples"]]


def now() -> float:
    """Unix time, as rows are counted by."""
    return time.time()


def _waited(left: Left, ended: float) -> float:
    """Until the users were about to be stopped: for what was due from then on nobody was there."""
    return min(left.at, ended) - (left.at - left.waited)


def _users(samples: tuple[Sample, ...], at: int) -> list[int]:
    """How many users each generator had in a second."""
    return list({sample.generator: sample.users for sample in samples if int(sample.at) == at}.values())


def _as_dict(row: Counted) -> dict[str, Any]:
    """A row as a message of Locust can carry it."""
    return {
        "second": row.second,
        "name": row.name,
        "method": row.method,
        "total": row.total.as_dict(),
        "phases": {phase: histogram.as_dict() for phase, histogram in row.phases.items()},
        "failures": row.failures,
        "size": row.size,
    }


def _from_dict(data: dict[str, Any]) -> Counted:
    phases = {phase: Histogram.from_dict(histogram) for phase, histogram in data["phases"].items()}
    return Counted(**{**data, "total": Histogram.from_dict(data["total"]), "phases": phases})
