"""What a profile is told of the bed: its target, how to connect, its shape and its limits; and what it tells at the end.

A profile is a plain locustfile. `run = Run("tls_inspection")` at its top gives it the options --bed,
--target, --ca and --result (or $PLUMBLINE_BED and so on), refuses a bed that does not allow load, and bounds the run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from locust import LoadTestShape, events
from locust.runners import MasterRunner, WorkerRunner

from locustfiles.calls import Calls, CallUser
from locustfiles.declared import Refused, targets
from locustfiles.engine.host import Host
from locustfiles.engine.model import Limits
from locustfiles.engine.request import Request, Settings, get
from locustfiles.engine.user import EngineUser
from locustfiles.origins import Origin, origins
from locustfiles.record import Recorder, now
from locustfiles.rights import Rights, rights
from plumbline.bed import Bed, BedError, load
from plumbline.bed.model import Target
from plumbline.bed.throughput import SYSTEMS
from plumbline.load import baseline
from plumbline.load import result as results
from plumbline.load.result import Result
from plumbline.outcome import BedUnreachable

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment

EXIT_USAGE = 2
AnyUser = TypeVar("AnyUser", bound=type[EngineUser] | type[CallUser])


def chosen(bed: Bed, name: str, profile: str) -> tuple[str, Target]:
    """The target of this name, or, where none is named, the only one of a profile; Refused where there is none."""
    own = {key: target for key, target in targets(bed).items() if target.profile == profile}
    if name in own:
        return name, own[name]
    if not name and len(own) == 1:
        return next(iter(own.items()))
    said = f"--target {name}" if name else "--target is wanted"
    raise Refused(f"{said}: the targets of {profile} in {bed.path} are {', '.join(own) or 'none'}")


def settings(target: Target, ca: str, asked: list[Origin], shown: Rights) -> Settings:
    """How its users connect."""
    return Settings(
        protocol=target.protocol,
        connections=target.connections,
        ca=ca,
        resolve=tuple(f"{one.name}:{one.port}:{one.address}" for one in asked),
        timeout=target.timeout.total_seconds(),
        authority=shown.authority,
        certificate=shown.certificate,
    )


def requests(target: Target, asked: list[Origin], headers: tuple[str, ...] = ()) -> list[Request]:
    """What is asked for in turn: each object of each of them, counted under the object's path."""
    return [get(f"{one.url}{path}", path, headers=headers) for path in target.objects for one in asked]


class Run:
    """One test of Locust against a declared target. It is made once a process, by the profile, before any user is.

    `headers` are sent with each request, written as NAME: VALUE. `to` are those of the bed's own systems (consul,
    vault, dns, slurm, kubernetes) that it knows how to ask; without any, it asks personas and services. `alone`: it is
    driven by one process, and not by master and workers.
    """

    def __init__(
        self, profile: str, headers: tuple[str, ...] = (), to: tuple[str, ...] = (), *, alone: bool = False
    ) -> None:
        self.profile, self.headers, self.to, self.alone = profile, headers, to, alone
        self.name = ""
        self.bed: Bed
        self.target: Target
        self.asked: list[Origin] = []
        self.requests: list[Request] = []
        self.settings = Settings()
        self.rights = Rights()
        self.amend: Callable[[Result], None] | None = None
        """What a profile knows of the result that its requests alone do not tell."""
        self._users: list[type[EngineUser] | type[CallUser]] = []
        self._host: Host
        self._calls: Calls
        self._recorder: Recorder
        self._steady = self._ended = 0.0
        self._result: Path | None = None
        events.init_command_line_parser.add_listener(_options)
        events.init.add_listener(self._begin)

    def _begin(self, environment: Environment, **_: Any) -> None:
        """Reads the bed and prepares the run; ends the process with 2 where there may be no load."""
        options: Any = environment.parsed_options
        try:
            self.bed = load(options.bed)
            self.name, self.target = chosen(self.bed, options.target, self.profile)
            self._require_known()
            if self.alone and isinstance(environment.runner, MasterRunner | WorkerRunner):
                raise Refused(f"{self.profile} is driven by one process: leave out workers, --master and --processes")
            self.rights = rights(self.bed, self.target)
            self.asked = origins(self.bed, self.target)
        except (BedError, BedUnreachable, Refused) as error:
            print(f"load: {error}", file=sys.stderr)
            sys.exit(EXIT_USAGE)
        self.settings = settings(self.target, options.ca, self.asked, self.rights)
        for user in self._users:
            user.settings = self.settings
            user.pace = self.target.pace / self.target.users if self.target.pace else 0.0
        self.requests = requests(self.target, self.asked, self.headers)
        self._result = Path(options.result) if options.result else None
        assert self.bed.load is not None
        limits = self.bed.load.limits
        self._host = Host.of(environment)
        self._host.limits = Limits(limits.requests, limits.time.total_seconds())
        self._calls = Calls.of(environment)
        self._calls.limits = self._host.limits
        self._recorder = Recorder(environment)
        environment.events.test_start.add_listener(self._test_begins)
        if not isinstance(environment.runner, WorkerRunner):
            environment.events.test_stopping.add_listener(self._test_ends)
            environment.events.test_stop.add_listener(self._write)
            environment.events.quit.add_listener(self._write)  # a master has its workers' last reports only then

    def _require_known(self) -> None:
        """Refused where the target asks somebody whom this profile does not know."""
        asked = self.target.to if self.target.to in SYSTEMS else ""
        if asked not in (self.to or ("",)):
            asks = " or ".join(self.to) or "personas and services"
            place = self.bed.where(f"load.targets.{self.name}.profile")
            raise Refused(f"{place}: the profile {self.profile} asks {asks}, and not {self.target.to}")

    def user(self, cls: AnyUser) -> AnyUser:
        """Decorates a user class: it connects, and is paced, as the target says."""
        self._users.append(cls)
        return cls

    def steady(self) -> bool:
        """The warm-up is over; whether the steady phase is over too. It counts from here, however late this is told:
        a master is kept waiting while its workers begin their users. One whole second more is lost at the edges."""
        self._steady = self._steady or now()
        return now() - self._steady >= self.target.steady.total_seconds() + 1

    @property
    def is_worker(self) -> bool:
        """Whether a master has the end of the test in hand, and this process only its own."""
        return isinstance(self._host.environment.runner, WorkerRunner)

    @property
    def spent(self) -> bool:
        """Whether a limit of the bed file is reached, here or by all workers together."""
        done: int = self._host.environment.stats.total.num_requests
        return self._host.spent or self._calls.spent or done >= self._host.limits.requests

    def _test_begins(self, **_: Any) -> None:
        self._recorder.clear()
        self._steady = self._ended = 0.0

    def _test_ends(self, **_: Any) -> None:
        """The users are about to be stopped: what comes from now on is not steady any more."""
        self._ended = now()

    def _write(self, **_: Any) -> None:
        """The engines have ended, and told what they measured."""
        ended = self._ended or now()
        planned = self.target.steady.total_seconds()
        whole = self._steady and ended - self._steady >= planned
        stopped = "" if whole else "it was ended before its steady phase was over"
        result = self._recorder.result(self.name, self._steady or ended, ended, planned, stopped)
        result.declared = baseline.declared(self.bed, self.name)
        if self.amend is not None:
            self.amend(result)
        if self._result is not None:
            results.write(result, self._result)


class Shape(LoadTestShape):
    """Warm-up and steady phase as the target declares them: all users from the start, then an end. Bounded always."""

    abstract = True
    run: Run

    def tick(self) -> tuple[int, float] | None:
        """Users and how many are begun a second; None once the time is over."""
        time, target = self.get_run_time(), self.run.target
        if self.run.spent or (time >= target.warm_up.total_seconds() and self.run.steady()):
            return None
        return target.users, float(target.users)


def _options(parser: LocustArgumentParser) -> None:
    group = parser.add_argument_group("plumbline", "the bed and its load targets")
    group.add_argument("--bed", env_var="PLUMBLINE_BED", default="inventories/lab.yaml", help="bed file")
    group.add_argument(
        "--target", env_var="PLUMBLINE_TARGET", default="", help="a target of the bed file's load section"
    )
    group.add_argument("--ca", env_var="PLUMBLINE_CA", default="", help="PEM file of those whom users trust")
    group.add_argument("--result", env_var="PLUMBLINE_RESULT", default="", help="file for the result, JSON")
