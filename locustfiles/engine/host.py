"""One engine a Locust process: its thread, its batches on the way to Locust's statistics, its end."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
from gevent import monkey
from gevent.threadpool import ThreadPool
from locust import events
from locust.runners import WorkerRunner

from locustfiles.engine.engine import Engine
from locustfiles.engine.merge import merge
from locustfiles.engine.model import Batch, Limits
from locustfiles.engine.reactor import System

if TYPE_CHECKING:
    from locust.env import Environment

_LOOK = 0.1
"""Seconds between two looks for a batch."""
_PATIENCE = 10.0
"""Seconds that the engine has for its end, or for what it is asked for."""
_SWITCH = 0.0005
"""Seconds after which Locust's thread gives way to the engine's, where it reckons for longer: Python's own 5 ms would be
counted against the bed."""
_log = logging.getLogger(__name__)


@events.init.add_listener
def _time_begins_now(**_: Any) -> None:
    """gevent's clock stands still while files are imported: `--run-time` would be so much shorter on a busy machine."""
    gevent.get_hub().loop.update_now()


class Host:
    """The engine of a process, begun with its first user (so after Locust has forked) and ended with the test.

    `listeners` are given every batch once it is in Locust's statistics; `limits` hold for each test by itself.
    """

    _hosts: ClassVar[dict[Environment, Host]] = {}

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.limits = Limits()
        self.listeners: list[Callable[[Batch], None]] = []
        self._batches: deque[Batch] = deque()
        self._engine: Engine | None = None
        self._thread: Any = None
        self._merging: Any = None
        self._told = False
        environment.events.test_stop.add_listener(self._end)

    @classmethod
    def of(cls, environment: Environment) -> Host:
        """The host of this environment, made when it is first asked for."""
        found = cls._hosts.get(environment)
        if found is None:
            found = cls._hosts[environment] = cls(environment)
        return found

    @property
    def engine(self) -> Engine:
        """The engine, which runs from now on."""
        if self._engine is None:
            # gevent hides these from everybody else; this thread is none of its own and has to wait by itself
            system = System(
                epoll=monkey.get_original("select", "epoll"),
                select=monkey.get_original("select", "select"),
                new_socket=monkey.get_original("socket", "socket"),
                getaddrinfo=monkey.get_original("socket", "getaddrinfo"),
                start_thread=monkey.get_original("_thread", "start_new_thread"),
            )
            self._told = False
            sys.setswitchinterval(_SWITCH)
            self._engine = Engine(self._batches.append, self.limits, system=system)
            self._thread = ThreadPool(1).spawn(self._engine.run)
            self._merging = gevent.spawn(self._merge_for_ever)
        return self._engine

    @property
    def spent(self) -> bool:
        """Whether a limit is reached: no request is begun any more, and a shape has to end."""
        return self._engine is not None and bool(self._engine.spent)

    def _merge_for_ever(self) -> None:
        while True:
            gevent.sleep(_LOOK)
            self._merge()
            if self._thread.ready():  # by itself it ends only by an error
                self._broken()
                return
            self._look_at_limits()

    def _broken(self) -> None:
        """The engine has died: nothing more is measured, and the test must not look as if it went on."""
        _log.critical("the engine has ended by an error: %s", self._thread.exception)
        self.environment.process_exit_code = 1
        if self.environment.runner is not None:
            gevent.spawn(self.environment.runner.quit)

    def _merge(self) -> None:
        while self._batches:
            batch = self._batches.popleft()
            merge(self.environment.stats, batch.rows)
            for listener in self.listeners:
                listener(batch)

    def _look_at_limits(self) -> None:
        engine, runner = self._engine, self.environment.runner
        if engine is None or not engine.spent or self._told:
            return
        self._told = True
        _log.warning("the load stops by itself: its limit of %s is reached", engine.spent)
        if runner is not None and not isinstance(runner, WorkerRunner) and self.environment.shape_class is None:
            gevent.spawn(runner.quit)  # in a greenlet of its own, since it ends this one

    def _end(self, **_: Any) -> None:
        """The test is over: the engine ends, and its last batch is taken in."""
        if self._engine is None:
            return
        self._engine.stop()
        self._merging.kill()
        self._thread.wait(timeout=_PATIENCE)
        if not self._thread.ready():
            _log.error("the engine did not end within %.0f s", _PATIENCE)
        self._merge()
        self._engine = None
