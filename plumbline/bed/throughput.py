"""The load that a bed promises to bear: targets, what they promise, and limits that nothing goes beyond."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from plumbline.bed.types import Count, Duration, Name, Strict
from plumbline.load.histogram import needed

_PERCENT = re.compile(r"^(\d{1,3}(?:\.\d{1,9})?) ?%$")
_QUANTILE = re.compile(r"^p(\d{1,2}(?:\.\d{1,3})?)$")


def _share(value: Any) -> Any:
    match = _PERCENT.match(value) if isinstance(value, str) else None
    if isinstance(value, float):
        return value
    if not match or float(match[1]) > 100:
        raise ValueError("a percentage such as 0.001%")
    return float(match[1]) / 100


def _quantile(value: Any) -> Any:
    match = _QUANTILE.match(value) if isinstance(value, str) else None
    if not match or float(match[1]) == 0:
        raise ValueError("a percentile such as p50, p99 or p99.9")
    return value


def share_of(quantile: str) -> float:
    """0.99 for p99."""
    return float(quantile.removeprefix("p")) / 100


Share = Annotated[
    float,
    BeforeValidator(_share),
    PlainSerializer(lambda share: f"{share * 100:.9g}%", return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PERCENT.pattern, "description": "such as 0.001%"}),
]
Quantile = Annotated[
    str,
    BeforeValidator(_quantile),
    WithJsonSchema({"type": "string", "pattern": _QUANTILE.pattern, "description": "p50, p99, p99.9"}),
]
AROUND = timedelta(seconds=5)
"""By how much what is driven during a target lasts longer than it: both need a moment to begin."""
ENDS = timedelta(seconds=3)
"""By how much a run may outlast its warm-up and steady phase: it begins and ends by whole seconds, and a limit cuts it."""
CONSUL, VAULT, DNS, SLURM, KUBERNETES = "consul", "vault", "dns", "slurm", "kubernetes"
"""As whom a target is to: servers of the control plane, asked with the gate's own rights; names, over DNS; or the API
servers, with rights to make objects that agents fulfil, and no others."""
SYSTEMS = (CONSUL, VAULT, DNS, SLURM, KUBERNETES)
FROM_OUTSIDE = (CONSUL, VAULT, SLURM, KUBERNETES)
"""Those that are asked from the runner's own place; DNS from there is Consul's, and the cluster's from a workload."""
MOST_JOBS = 2000
"""What one target may submit to Slurm, whose queue holds 10,000 of all users by default."""
AROUND_OBJECTS, EACH_OBJECT = timedelta(seconds=60), timedelta(milliseconds=100)
"""How long objects may take to be made and removed: at least, and for each of them."""
AROUND_PODS = timedelta(seconds=240)
"""How long pods of workers may take to start and to be removed."""
Within = dict[Quantile, Duration]


class LoadLimits(Strict):
    """What no load on this bed goes beyond, whoever asks for it."""

    users: Count = Field(description="at the same time")
    requests: Count = Field(description="in one run")
    time: Duration = Field(description="of one run, warm-up included")


class Ratio(Strict):
    """A target that this one is measured beside: the same load, past what is under test."""

    of: Name = Field(description="another target, which is not inspected")
    rate: Share = Field(description="how many of its good answers a second must be borne here, at least: 30%")


class Spread(Strict):
    """Pods of a service that share a load, at the end of its steady phase."""

    replicas: Count = Field(
        description="so many of them are ready, at least: an autoscaler has long seen the load by then"
    )
    least: Share = Field(
        default=0.3, description="of what each uses on average: so much the idlest of them uses, at least"
    )


class Promise(Strict):
    """What a target must keep to in its steady phase. A time is that which so many percent of all answers keep to."""

    rate: Count | None = Field(default=None, description="good answers a second, at least")
    connections: Count | None = Field(default=None, description="new connections a second, at least")
    megabits: Count | None = Field(default=None, description="of bodies received a second (Mbit/s), at least")
    within: Within = Field(default={}, description="of the whole request: p99: 50ms")
    handshake: Within = Field(default={}, description="of TLS")
    first_byte: Within = Field(default={}, description="from the connection's being ready to the first byte")
    ratio: Ratio | None = Field(default=None, description="beside another target, by the same users without a pace")
    spread: Spread | None = Field(default=None, description="over the pods of its service")
    created: Within = Field(default={}, description="of an object: until the API server has answered")
    scheduled: Within = Field(default={}, description="of an object: until it is seen to have its agent")
    failed: Share | None = Field(
        default=None,
        description="of all requests, at most, as far as so many can tell; unsaid: 0.001% as counted, as RFC 9411 has it",
    )
    refused: Share | None = Field(
        default=None,
        description="of all requests, at least: an attack that has to be turned away. What fails of it is then no failure",
    )


class Factors(Strict):
    """What is varied beside the pace, where objects are made that agents fulfil (seed 004, independent variables)."""

    agents: Count = Field(description="NCA: nodes that exist for this run alone, and fulfil what is made")
    population: int = Field(
        default=0, ge=0, description="POP: fulfilled objects that are there before the first second"
    )
    servers: Count = Field(default=1, description="NKA: API servers that are asked, in turn")


class Target(Strict):
    """One load that the bed bears: who asks whom, how, how often, for how long, and what is promised."""

    profile: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", description="the file of locustfiles/ that says what a user does"
    )
    source: str = Field(default="", description="where that is told of")
    from_: Name | None = Field(
        default=None,
        alias="from",
        description="the workload from whose place in the network it is sent; without it, the runner's, outside of the cluster",
    )
    to: Name | None = Field(
        default=None,
        description="a persona, or all personas, over HTTPS; or consul, vault, slurm or kubernetes, their servers; or dns",
    )
    service: Name | None = Field(
        default=None,
        description="in place of to: a workload, over HTTP: by its Service, or from outside by its node_port on each node",
    )
    during: Name | None = Field(
        default=None, description="another target, an attack, that is driven for as long as this one is"
    )
    factors: Factors | None = Field(default=None, description="of objects that are made, where kubernetes is asked")
    objects: tuple[str, ...] = Field(default=("/",), min_length=1, description="paths that are asked for, in turn")
    protocol: Literal["http/1.1", "h2"] = "http/1.1"
    connections: Literal["kept", "new"] = Field(
        default="kept", description="new: a connection and a full handshake for each request"
    )
    users: Count
    workers: Count | None = Field(
        default=None,
        description="generators in pods of their own, at the place of `from`, which share its users; without it, one on this machine",
    )
    pace: Count | None = Field(
        default=None, description="requests planned a second (open loop); without it each follows an answer"
    )
    timeout: Duration = Field(default=timedelta(seconds=10), description="of a request; after it, it has failed")
    warm_up: Duration = timedelta(seconds=5)
    steady: Duration = timedelta(seconds=20)
    promise: Promise

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if (self.to is None) == (self.service is None):
            raise ValueError(f"either to (personas, or {', '.join(SYSTEMS)}) or service (a workload)")
        outside = self.to in FROM_OUTSIDE
        if self.service is None and (self.from_ is None) != outside and self.to != DNS:
            raise ValueError(
                f"from: a workload, but where {', '.join(FROM_OUTSIDE)} are asked: that is done from the runner's own place"
            )
        self._of_its_kind()
        if self.service and (self.protocol == "h2" or self.promise.handshake):
            raise ValueError("protocol http/1.1 and no time of handshakes, where a service is asked over HTTP")
        if self.pace and self.promise.rate and self.promise.rate > self.pace:
            raise ValueError(f"a promised rate of at most the pace, {self.pace} a second")
        if self.connections == "kept" and self.promise.connections:
            raise ValueError("connections: new, where connections a second are promised")
        if self.connections == "kept" and self.promise.handshake:
            raise ValueError("connections: new, where a time of handshakes is promised")
        self._can_be_told()
        if self.steady < timedelta(seconds=3):
            raise ValueError("a steady phase of at least 3s: an interval needs a few seconds to be told from")
        return self

    def _can_be_told(self) -> None:
        """A percentile takes so many answers. Without a pace nobody knows beforehand how many there will be."""
        promise, planned = self.promise, (self.pace or math.inf) * self.steady.total_seconds()
        for times in (promise.within, promise.handshake, promise.first_byte, promise.created, promise.scheduled):
            for name in times:
                if planned < (takes := needed(share_of(name))):
                    told = next((p for p in ("p95", "p90", "p50") if needed(share_of(p)) <= planned), "none")
                    raise ValueError(
                        f"a longer steady phase, or {told}: {name} takes {takes} answers, and {planned:g} are planned"
                    )

    def _of_its_kind(self) -> None:
        """What is no HTTP has no connections and no first byte, and jobs are counted before any is submitted."""
        promise = self.promise
        of_http = (promise.connections, promise.megabits, promise.handshake, promise.first_byte, promise.refused)
        if self.to in (DNS, SLURM) and (self.connections == "new" or any(of_http)):
            raise ValueError(f"connections: kept, and a promise of rate, within or failed, where {self.to} is asked")
        if self.to == SLURM and (self.pace or MOST_JOBS) * self.time.total_seconds() > MOST_JOBS:
            raise ValueError(f"a pace, and at most {MOST_JOBS} jobs by it in all, where slurm is asked")
        if (self.to == KUBERNETES) != bool(self.factors and self.pace):
            raise ValueError("a pace and factors, where kubernetes is asked, and factors nowhere else")
        if self.to != KUBERNETES and (promise.created or promise.scheduled):
            raise ValueError("to: kubernetes, where a stage of objects is promised")
        if promise.ratio and self.pace:
            raise ValueError("no pace, where a ratio is promised: what is planned is no measure of what is borne")
        if promise.spread and not self.service:
            raise ValueError("service, where a spread over its pods is promised")
        if self.workers and not self.from_:
            raise ValueError("from: the workload at whose place its workers are")
        if self.workers and self.workers > self.users:
            raise ValueError(f"a user for each worker at least, {self.workers}")

    @property
    def is_attack(self) -> bool:
        """Whether it has to be turned away, and not to be borne."""
        return self.promise.refused is not None

    @property
    def opens(self) -> float:
        """New connections a second that it has to open to keep its promise; 0 where it keeps its connections."""
        if self.connections == "kept":
            return 0.0
        return float(max(self.pace or 0, self.promise.connections or 0, self.promise.rate or 0))

    @property
    def time(self) -> timedelta:
        """How long a run takes."""
        return self.warm_up + self.steady

    @property
    def around(self) -> timedelta:
        """How long it may take beside that to make what has to be there before, and to remove what was made."""
        if self.factors is None:
            return AROUND_PODS if self.workers else timedelta()
        return AROUND_OBJECTS + EACH_OBJECT * self.made

    @property
    def made(self) -> float:
        """Objects that are made by its end, those that have to be there before among them; 0 where it makes none."""
        if self.factors is None:
            return 0.0
        return self.factors.agents + self.factors.population + (self.pace or 0) * self.time.total_seconds()


class Load(Strict):
    """Load targets, by name. They are run only where the bed allows load by name."""

    limits: LoadLimits
    noise: Share = Field(
        default=0.1,
        description="by how much a figure may be worse than in the last good run and be called no regression",
    )
    image: str | None = Field(
        default=None, description="what workers are made of: locustfiles/Containerfile, in a registry of the bed's"
    )
    targets: dict[Name, Target] = Field(default={})

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        for name, target in self.targets.items():
            seconds, end = target.time.total_seconds(), ENDS.total_seconds()
            for what, wanted, limit in (
                ("users", target.users, self.limits.users),
                (f"seconds of warm_up, steady and {end:g} s of end", seconds + end, self.limits.time.total_seconds()),
                ("requests by its pace", (target.pace or 0) * seconds, self.limits.requests),
                ("objects in all", target.made, self.limits.requests),
            ):
                if wanted > limit:
                    raise ValueError(
                        f"targets within load.limits: {name} asks for {wanted:g} {what}, {limit:g} are allowed"
                    )
            self._attacked(name, target)
            self._compared(name, target)
        return self

    def _compared(self, name: str, target: Target) -> None:
        """A ratio is of the same users doing the same: else it would tell of the difference between them."""
        if target.promise.ratio is None:
            return
        of = target.promise.ratio.of
        other = self.targets.get(of)
        if other is None or of == name:
            others = ", ".join(key for key in self.targets if key != name)
            raise ValueError(f"ratio.of: another target, where {name} has {of} (there are: {others or 'none'})")
        for what in ("profile", "protocol", "connections", "objects", "users", "pace", "during"):
            if getattr(other, what) != getattr(target, what):
                raise ValueError(f"the same {what} for {name} and for {of}, which its ratio is of")
        if other.promise.ratio:
            raise ValueError(f"a ratio of a target that has none itself: {of}, which {name} names, has one")

    def _attacked(self, name: str, target: Target) -> None:
        """What is driven during a target is another one, lasts as long, and is not itself driven during a third."""
        if target.during is None:
            return
        attack = self.targets.get(target.during)
        if attack is None or target.during == name:
            others = ", ".join(other for other in self.targets if other != name)
            raise ValueError(
                f"during: another target, where {name} has {target.during} (there are: {others or 'none'})"
            )
        if attack.during:
            raise ValueError(
                f"a target that nothing is driven during: {target.during}, which {name} names, has {attack.during}"
            )
        if attack.time < target.time + AROUND:
            raise ValueError(
                f"{target.during} to last {AROUND.total_seconds():g} s longer than {name}, since it is driven all the while"
            )
        if target.users + attack.users > self.limits.users:
            raise ValueError(
                f"targets within load.limits: {name} and {target.during} ask for {target.users + attack.users} users"
                f" together, {self.limits.users} are allowed"
            )
