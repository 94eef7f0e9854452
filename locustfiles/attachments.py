"""Objects made at an even pace against the API server, until agents have fulfilled them (seed 004).

    locust -f locustfiles/attachments.py --headless --bed inventories/lab.yaml --target attachments-10-10-0

An attachment is a pod for agents alone; agents are nodes that a controller plays (kwok). Agents and population exist
from just before the warm-up until the end, whatever that is; what a killed run has left, the next one removes first.
"""

from __future__ import annotations

import atexit
import itertools
import json
import secrets
import signal
import sys
import time
from typing import Any

import gevent
from gevent import monkey
from gevent.threadpool import ThreadPool
from locust import events, task

from locustfiles.engine.request import Request, Script
from locustfiles.engine.user import EngineUser
from locustfiles.kube.api import Api, ApiError
from locustfiles.kube.control_plane import ControlPlane
from locustfiles.kube.fleet import Fleet
from locustfiles.kube.journal import Journal
from locustfiles.kube.objects import ATTACHMENTS, attachment
from locustfiles.kube.watching import Watch
from locustfiles.target import Run, Shape
from plumbline.bed.throughput import KUBERNETES
from plumbline.load.result import Result

run = Run("attachments", to=(KUBERNETES,), alone=True)
_EXIT_UNFULFILLED = 1
_CREATED = frozenset({201})
"""The status by which an API server says that an object was made."""
_IMPATIENT = 5.0
"""Seconds that the watch has for its end."""


class Course:
    """What a run has in hand beside its users: the objects of which it knows, the watch, and what has to be removed."""

    def __init__(self) -> None:
        assert run.target.factors is not None
        self.said = run.rights.headers
        self.journal = Journal(run.target.timeout.total_seconds())
        self.api = Api(run.asked[0].url, run.settings, self.said)
        self._fleet = Fleet(self.api, run.target.factors, run.target.around.total_seconds())
        self._watching: Any = None
        self._unwatched = "nothing was watched"
        self._control_plane = ControlPlane(run.bed)

    def prepare(self) -> None:
        """Makes agents and population. ApiError where that cannot be done. All is removed with the end of the process."""
        atexit.register(self._remove)
        self._fleet.make()

    def _remove(self) -> None:
        """Whoever interrupts the run a second time waits for this: it is bounded, and what stays is said."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._fleet.remove()
        except ApiError as error:
            print(f"load: {error}; the next run removes it", file=sys.stderr)

    def begin(self, **_: Any) -> None:
        """Watches from now on, in a thread that gevent knows nothing of. Locust swallows errors: they are kept to be told."""
        try:
            version = self.api.call("GET", f"{ATTACHMENTS}?limit=1")["metadata"]["resourceVersion"]
        except ApiError as error:
            self._unwatched = f"nothing was watched: {error}"
            return
        self.watch = Watch(run.asked[0].url, run.settings, self.said, version, self.journal.seen)
        self._watching = ThreadPool(1).spawn(self.watch.run, monkey.get_original("time", "sleep"))
        gevent.spawn(self._control_plane.look)  # during the warm-up: it costs the nodes a moment, too

    def measure(self, **_: Any) -> None:
        """The steady phase is over, and its objects are still there."""
        self._control_plane.look()

    def end(self, **_: Any) -> None:
        """The test is over: nothing more is watched."""
        if self._watching is not None:
            self.watch.stop()
            self._watching.wait(timeout=_IMPATIENT)

    def tell(self, result: Result) -> None:
        """What became of the objects; nothing is known where objects were made and events of them are missing."""
        self.journal.fill(result, time.monotonic(), time.time() - time.monotonic())
        result.costs = self._control_plane.costs()
        if self.journal.any_made:
            missing = self._unwatched if self._watching is None else self.watch.missing
            result.stopped = result.stopped or missing


course: Course


@events.init.add_listener
def prepare(environment: Any, **_: Any) -> None:
    """After the bed has been read; ends the process where the objects cannot be made."""
    global course  # noqa: PLW0603 - one a process, as Locust's own environment is
    # Locust listens for this signal only later, and by itself it would end the process with all objects left behind
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_EXIT_UNFULFILLED))
    course = Course()
    try:
        course.prepare()
    except ApiError as error:
        print(f"load: {error}", file=sys.stderr)
        sys.exit(_EXIT_UNFULFILLED)
    run.amend = course.tell
    environment.events.test_start.add_listener(course.begin)
    environment.events.test_stopping.add_listener(course.measure)
    environment.events.test_stop.add_listener(course.end)


@run.user
class Client(EngineUser):
    """One who asks for attachments, by way of each API server in turn."""

    @task
    def attach(self) -> Script:
        """One after the other, each under a name of its own."""
        said = (*course.said, "Content-Type: application/json")
        own = secrets.token_hex(4)
        for number, server in enumerate(itertools.cycle(run.asked)):
            name = f"attachment-{own}-{number}"
            course.journal.expect(name)
            body = json.dumps(attachment(name)).encode()
            answer = yield Request("POST", f"{server.url}{ATTACHMENTS}", "attachment", said, body, _CREATED)
            course.journal.answered(name, answer.planned, time.monotonic(), answer.error)


class TargetShape(Shape):
    """As the target says."""

    run = run
