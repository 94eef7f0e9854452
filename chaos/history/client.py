"""What all clients of a history have in common. A client is a module of chaos.history.clients; its file is its name.

It has a class `Client`, made of its arguments (a pydantic model: `Client.model_validate`), that asks again and again and
tells of each operation, until it is over. One that writes need only say how: see `Writer`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pkgutil import iter_modules
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from chaos.call import ActionFailed
from chaos.history.model import Kind, Operation, Outcome
from chaos.reach import Reach
from plumbline.bed import Bed

REMOVED_S = 30.0
"""Seconds for which a client tries to remove what it made; what is left then, the next one of its name removes."""
FINAL_LIMIT = 200.0
"""Seconds in which every client must have read at the end what is there: more than any `final_limit`."""


@dataclass(frozen=True)
class Answer:
    """How one operation ended."""

    outcome: Outcome
    value: int | tuple[int, ...] | None = None
    said: str = ""


@dataclass
class Talk:
    """What a client is given to run with."""

    name: str
    bed: Bed
    reach: Reach
    rate: float
    """Operations a second."""
    over: threading.Event
    tell: Callable[[Operation], None]
    ready: Callable[[], None]
    """To be called once, when the first operation can be made."""

    def did(self, kind: Kind, ask: Callable[[], Answer], value: int | None = None) -> Answer:
        """Makes one operation and tells of it; whatever it raises, nobody knows what it did."""
        begun = time.time()
        try:
            answer = ask()
        except Exception as error:
            answer = Answer("unknown", said=f"{type(error).__name__}: {error}"[:200])
        seen = value if kind == "write" else answer.value
        self.tell(Operation(self.name, kind, begun, time.time(), answer.outcome, seen, answer.said))
        return answer

    def ticks(self) -> Callable[[], bool]:
        """Waits for the next moment at which something is due; False when it is over."""
        next_at = time.monotonic()

        def due() -> bool:
            nonlocal next_at
            next_at = max(next_at + 1.0 / self.rate, time.monotonic())
            return not self.over.wait(max(0.0, next_at - time.monotonic()))

        return due


class Client(BaseModel):
    """Base of all clients: their arguments, which name things of the bed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    section: ClassVar[str] = ""
    """The section that a bed file must have for this client."""

    def nodes(self, bed: Bed, reach: Reach) -> frozenset[str]:
        """The nodes that this client is run on, over OOBI; they must not be cut off meanwhile."""
        return frozenset()

    def run(self, talk: Talk) -> None:
        """Asks until it is over, and takes away what it made."""
        raise NotImplementedError


class Writer(Client):
    """A client that writes one value after the other, reads after each, and at the end reads what is there."""

    final_limit: ClassVar[float] = 30.0
    """Seconds for which it tries to read at the end what is there."""

    def prepare(self, talk: Talk) -> None:
        """Makes a place of its own, after what was left of an earlier one."""
        raise NotImplementedError

    def write(self, talk: Talk, value: int) -> Answer:
        """Writes one value."""
        raise NotImplementedError

    def read(self, talk: Talk, youngest: int) -> Answer:
        """The youngest value that can be seen; `youngest` is the last that was acknowledged."""
        raise NotImplementedError

    def final(self, talk: Talk) -> Answer:
        """All values that are there."""
        raise NotImplementedError

    def clean(self, talk: Talk) -> None:
        """Takes the place of its own away."""
        raise NotImplementedError

    def run(self, talk: Talk) -> None:
        self.prepare(talk)
        talk.ready()
        value, youngest, due = 0, 0, talk.ticks()
        try:
            while due():
                value += 1
                if talk.did("write", partial(self.write, talk, value), value).outcome == "ok":
                    youngest = value
                if youngest:
                    talk.did("read", partial(self.read, talk, youngest))
            deadline = time.monotonic() + self.final_limit
            while talk.did("final", partial(self.final, talk)).outcome != "ok" and time.monotonic() < deadline:
                time.sleep(1.0)
        finally:
            self.clean(talk)


def persist(remove: Callable[[], None]) -> None:
    """Removes what a client made, as often as it takes for `REMOVED_S` seconds; then ActionFailed of the last try."""
    deadline = time.monotonic() + REMOVED_S
    while True:
        try:
            return remove()
        except ActionFailed:
            if time.monotonic() > deadline:
                raise
        time.sleep(1.0)


def names() -> list[str]:
    """All clients."""
    return sorted(module.name for module in iter_modules(import_module("chaos.history.clients").__path__))


def find(name: str) -> type[Client]:
    """The client of that name; KeyError where there is none."""
    if name not in names():
        raise KeyError(name)
    made: type[Client] = import_module(f"chaos.history.clients.{name}").Client
    return made
