"""Locust's User whose tasks are scripts for the engine."""

from __future__ import annotations

import functools
import logging
import random
from collections.abc import Callable
from typing import Any, ClassVar

import gevent
from gevent.event import Event
from locust import User
from locust.exception import StopUser

from locustfiles.engine.host import Host
from locustfiles.engine.model import Joining
from locustfiles.engine.request import Script, Settings

_log = logging.getLogger(__name__)


class ScriptError(Exception):
    """A task that did something else than to yield requests."""


class EngineUser(User):
    """A user whose tasks yield requests and are given their answers.

        class Reader(EngineUser):
            settings = Settings(protocol="h2", ca="ca.pem")

            @task
            def page(self):
                answer = yield get("https://persona-1.persona.internal/")
                if answer.status == 200:
                    yield get("https://persona-1.persona.internal/more")

    Weights, tags, `wait_time`, `on_start` and `on_stop` are Locust's. Tasks run in the engine's thread: they reckon, and
    never wait. With a `pace` the users of a class share one plan of so many requests a second for each of them, and the
    time of a request counts from its planned start; without it a request follows the answer to the one before.
    """

    abstract = True
    settings: ClassVar[Settings] = Settings()
    pace: ClassVar[float] = 0.0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.tasks = [_hosted(task) for task in cls.tasks]

    def stop(self, force: bool = False) -> bool:
        """Ends this user: at once, or when its request has its answer."""
        if not force:
            Host.of(self.environment).engine.leave(self, at_once=False)
        return bool(super().stop(force))

    def _stay(self) -> None:
        """Hands the user over to the engine, and waits until one of the two ends it."""
        engine, ended, loop, said = Host.of(self.environment).engine, Event(), gevent.get_hub().loop, list[str]()

        def stopped(why: str) -> None:
            said.append(why)
            loop.run_callback_threadsafe(ended.set)

        wait = self.wait_time
        engine.join(Joining(self, self.settings, self._script, type(self), self.pace, wait, stopped))
        try:
            ended.wait()
        finally:
            engine.leave(self)
        if said and said[0]:
            error = ScriptError(said[0])
            _log.error("a user of %s has ended by a mistake in its script: %s", type(self).__name__, error)
            self.environment.events.user_error.fire(user_instance=self, exception=error, tb=None)
        raise StopUser

    def _script(self) -> Script:
        script: Script = random.choice(self.tasks).script(self)
        return script


@functools.cache
def _hosted(task: Callable[..., Any]) -> Callable[..., Any]:
    """What Locust calls in a task's place, with the task's weight and tags; `script` is the task."""
    if hasattr(task, "script"):
        return task

    @functools.wraps(task)
    def stay(user: EngineUser) -> None:
        user._stay()

    stay.script = task  # type: ignore[attr-defined]
    return stay
