"""The Chromium of a Locust process: asked for pages by its users, watched while it opens them, ended with the test."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
from gevent.event import AsyncResult
from gevent.timeout import Timeout

from locustfiles.engine.host import Host
from locustfiles.engine.model import Batch
from locustfiles.failed import CallFailed
from locustfiles.pages import Browsing, CannotBrowse, Page, Visit
from locustfiles.waits import Waits

if TYPE_CHECKING:
    from locust.env import Environment

_READY_S, _GRACE_S, _END_S, _BEAT_S = 60.0, 5.0, 10.0, 1.0


class Chromium:
    """One browser for all users of a process. What it says of itself on standard error is Locust's log."""

    _all: ClassVar[dict[Environment, Chromium]] = {}

    def __init__(self, environment: Environment, how: Browsing) -> None:
        self._how = how
        self._asked: dict[int, AsyncResult[Visit]] = {}
        self._numbers = itertools.count()
        command = [sys.executable, "-m", "locustfiles.pages"]
        folder = Path(__file__).resolve().parents[1]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, start_new_session=True)
        self._tell(asdict(how))
        with Timeout(_READY_S, CannotBrowse("Chromium has not begun in time")):
            if not self._line():
                raise CannotBrowse("Chromium has not begun")
        self._helpers = [gevent.spawn(self._read), gevent.spawn(self._watch, environment)]

    @classmethod
    def begin(cls, environment: Environment, how: Browsing) -> None:
        """Begins the browser of this environment; CannotBrowse where it does not begin in time."""
        cls._all[environment] = cls(environment, how)

    @classmethod
    def of(cls, environment: Environment) -> Chromium:
        """The browser of this environment, which has begun."""
        return cls._all[environment]

    @classmethod
    def end(cls) -> None:
        """Each ends with its input."""
        for browser in cls._all.values():
            gevent.killall(browser._helpers)
            browser._process.stdin.close()  # type: ignore[union-attr]
            try:
                browser._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                browser._process.kill()
        cls._all.clear()

    def open(self, url: str) -> Visit:
        """Opens a page and waits until it is complete; CallFailed where the browser does not answer."""
        number = next(self._numbers)
        self._asked[number] = AsyncResult()
        try:
            self._tell(asdict(Page(number, url)))
            visit: Visit = self._asked[number].get(timeout=self._how.timeout + _GRACE_S)
            return visit
        except (Timeout, OSError) as error:
            raise CallFailed("generator: the browser does not answer") from error
        finally:
            del self._asked[number]

    def _tell(self, what: dict[str, Any]) -> None:
        self._process.stdin.write(json.dumps(what).encode() + b"\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]

    def _line(self) -> bytes:
        return self._process.stdout.readline()  # type: ignore[union-attr]

    def _read(self) -> None:
        while line := self._line():
            visit = Visit(**json.loads(line))
            if visit.number in self._asked:
                self._asked[visit.number].set(visit)

    def _watch(self, environment: Environment) -> None:
        """Tells how much the browser waited for processors, which are then the limit, and not the bed."""
        waits = Waits(self._process.pid, "browser")
        while True:
            gevent.sleep(_BEAT_S)
            sample = waits.sample(0, len(self._asked))
            for listener in Host.of(environment).listeners:
                listener(Batch((), sample))
