"""What goes into the engine and comes out of it: limits, users, batches; and what it knows of each user."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from locustfiles.engine.plan import Plan
from locustfiles.engine.request import NOTHING, Answer, Request, Script, Settings
from locustfiles.engine.tally import Counted
from locustfiles.engine.wire import Wire
from locustfiles.engine.wires import Wires
from plumbline.load.result import Sample


@dataclass(frozen=True)
class Limits:
    """What this engine never goes beyond: requests begun in all, and seconds since its start."""

    requests: int = 10_000_000
    seconds: float = 3600.0


class Left(NamedTuple):
    """A request that had no answer, or was due and not begun, when its user was stopped: neither answered nor failed.

    `at` is when that was, in Unix time, and `waited` for how many seconds it had been due by then.
    """

    at: float
    waited: float


@dataclass(frozen=True)
class Batch:
    """Results of about half a second, and what the generator saw of itself meanwhile."""

    rows: tuple[Counted, ...]
    sample: Sample
    left: tuple[Left, ...] = ()


@dataclass(frozen=True)
class Joining:
    """A user that is to begin. Users of one `crew` share one plan, where `pace` (starts a second and user) is above 0."""

    user: Hashable
    settings: Settings
    script: Callable[[], Script]
    crew: Any = None
    pace: float = 0.0
    wait: Callable[[], float] | None = None
    """Seconds between the end of a script and its next beginning."""
    stopped: Callable[[str], None] | None = None
    """Told once, from the engine's thread, when the user has ended; with what went wrong in its script, if anything."""


@dataclass
class Crew:
    """Users of one class, in an open loop."""

    plan: Plan = field(default_factory=Plan)
    pace: float = 0.0
    parted: float = 0.0
    """When the last of them left (time.monotonic)."""
    free: deque[Slot] = field(default_factory=deque)


@dataclass(eq=False, slots=True)
class Slot:
    """A user in the engine: its script, what its requests go out by, and the request that is under way."""

    about: Joining
    crew: Crew | None
    wires: Wires = field(init=False)
    script: Script | None = None
    ahead: Iterator[Request] = field(default_factory=lambda: iter(()))
    request: Request = NOTHING
    wire: Wire = field(init=False)
    on_wire: Request | None = None
    """The request that the wire was chosen for."""
    planned: float = 0.0
    begun: float = 0.0
    free_since: float = 0.0
    running: bool = False
    leaving: bool = False
    answer: Answer = field(default_factory=Answer)
