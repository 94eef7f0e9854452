"""What Slurm said of itself, typed; each accessor raises Unknown where its part could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from plumbline.bed import Bed
from plumbline.facts.facts import Facts
from plumbline.outcome import Unknown

CLUSTER, ACCOUNTING = "slurm:cluster", "slurm:accounting"
_PARTS = ("nodes", "partitions", "config")
_LOST = frozenset({"NOT_RESPONDING", "POWERED_DOWN", "FAIL"})
_WELL = frozenset({"idle", "mixed", "allocated"})
Object = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """A node's key of munge: a digest that only this run can compare, whose it is, and who may read it."""

    digest: str
    owner: str
    mode: str


@dataclass(frozen=True)
class Credential:
    """What became, on one node, of a credential that another had made. Times are Unix time, each by its own clock.

    `within_s`: it was made and read within so many seconds, by the runner's clock.
    """

    status: str
    ok: bool
    encoded: int | None
    decoded: int | None
    within_s: float

    @property
    def wrong_time(self) -> bool:
        """Whether the keys agree and only the clocks do not."""
        return "Rewound" in self.status or "Expired" in self.status

    @property
    def ahead_s(self) -> float | None:
        """How far the clock of the one that made it is ahead at least (negative: behind); None where that is not known.

        Between its making and its reading time went by, as much as `within_s` at most: that is no fault of the clocks.
        """
        if self.encoded is None or self.decoded is None:
            return None
        apart = self.encoded - self.decoded
        return float(apart) if apart > 0 else min(0.0, apart + self.within_s)


@dataclass(frozen=True)
class Pidfile:
    """Where systemd expects the number of a daemon's process, and what that is."""

    path: str
    process: int


@dataclass(frozen=True)
class Heartbeat:
    """What a controller sees of the one in charge, in the state that they share: the folder, and how old its sign is."""

    age_s: float | None
    folder: int


@dataclass(frozen=True)
class SlurmNode:
    """A node as the controller knows it; memory in MB."""

    name: str
    state: str
    flags: frozenset[str]
    reason: str
    reason_by: str
    memory: int
    cpus: int
    version: str

    @property
    def registered(self) -> bool:
        """Whether it has what its configuration says (else Slurm calls it `inval`)."""
        return "INVALID_REG" not in self.flags

    @property
    def drained(self) -> bool:
        """Whether no job is to be started on it."""
        return "DRAIN" in self.flags

    @property
    def up(self) -> bool:
        """Whether it answers its controller."""
        return self.state.lower() in _WELL and not self.flags & _LOST

    def __str__(self) -> str:
        flags = "".join(f"+{flag}" for flag in sorted(self.flags))
        reason = f", reason: {self.reason}" + (f" (by {self.reason_by})" if self.reason_by else "")
        return f"{self.state.upper()}{flags}{reason if self.reason else ''}"


@dataclass(frozen=True)
class PartitionState:
    """A partition as the controller knows it."""

    name: str
    state: str
    nodes: tuple[str, ...]
    default: bool
    longest: str


@dataclass(frozen=True)
class Association:
    """Who may submit what: limits are as accounting writes them, such as cpu=3."""

    account: str
    user: str
    limits: str


@dataclass(frozen=True)
class Job:
    """What became of a job: `error` is what the submission was refused with, `unrecorded` why accounting did not tell."""

    name: str
    id: str
    error: str
    states: tuple[str, ...]
    reasons: tuple[str, ...]
    output: str
    records: tuple[Object, ...]
    unrecorded: str

    def __str__(self) -> str:
        if self.error:
            return f"refused: {' '.join(self.error.split())}"
        told = [f"{s} ({r})" if r not in ("", "None") else s for s, r in zip(self.states, self.reasons, strict=True)]
        return f"job {self.id}: {', '.join(dict.fromkeys(told)) or 'no longer known'}"


class SlurmFacts:
    """All of Slurm, from the facts of a run."""

    def __init__(self, facts: Facts, bed: Bed) -> None:
        assert bed.slurm is not None
        self._facts, self._slurm = facts, bed.slurm

    @cached_property
    def _asked(self) -> Object:
        return self._facts.service("slurm", CLUSTER)

    def _node(self, node: str, part: str, cause: str) -> Any:
        found = self._asked["nodes"].get(node, {})
        if "outcome" in found:
            raise Unknown(f"{node}: {found['outcome']}: {found['error']}", cause=f"node:{node}")
        if part not in found:
            error = found.get("errors", {}).get(part, "it was not read")
            raise Unknown(f"{node}: {part} could not be read: {error}", cause=cause)
        return found[part]

    def key(self, node: str) -> Key:
        """A node's key of munge."""
        return Key(**self._node(node, "key", f"node:{node}"))

    def config(self, node: str) -> str:
        """A digest of a node's slurm.conf."""
        return str(self._node(node, "config", f"slurm-config:{node}")["digest"])

    def folder(self, node: str, folder: str) -> str:
        """Why the user slurm cannot go into a folder of a node; empty where it can."""
        return str(self._node(node, "folders", f"node:{node}")[folder])

    def module(self, node: str, module: str) -> str:
        """Why a module cannot be loaded on a node; empty where it can."""
        return str(self._node(node, "modules", f"node:{node}")[module])

    def pidfile(self, node: str) -> Pidfile:
        """Where systemd expects the number of slurmctld's process."""
        return Pidfile(**self._node(node, "pidfile", f"node:{node}"))

    def heartbeat(self, node: str) -> Heartbeat:
        """What a controller sees of the one in charge."""
        return Heartbeat(**self._node(node, "heartbeat", f"slurm-state:{node}"))

    def encode_error(self, node: str) -> str:
        """Why munge on a node makes no credential; empty where it does."""
        found = self._asked["nodes"].get(node, {})
        if "outcome" in found:
            raise Unknown(f"{node}: {found['outcome']}: {found['error']}", cause=f"node:{node}")
        return str(found.get("errors", {}).get("encode", ""))

    def credential(self, source: str, target: str) -> Credential:
        """What became on `target` of a credential of `source`."""
        for node, part in ((source, "encode"), (target, "decode")):
            found = self._asked["nodes"].get(node, {})
            if "outcome" in found:
                raise Unknown(f"{node}: {found['outcome']}: {found['error']}", cause=f"node:{node}")
            if error := found.get("errors", {}).get(part):
                raise Unknown(f"{node}: {error}", cause=f"munge:{node}")
        told = self._asked["credentials"].get(f"{source}>{target}")
        if told is None:
            raise Unknown(f"no credential went from {source} to {target}", cause=f"munge:{source}")
        return Credential(**told)

    @cached_property
    def _state(self) -> Object:
        return dict(self._node(self._slurm.submit, "state", CLUSTER))

    def _said(self, part: str) -> Any:
        if part not in self._state:
            why = self._state["error"] or self._unread or "it said nothing"
            raise Unknown(f"the controller did not say its {part}: {why}", cause=CLUSTER)
        return self._state[part]

    @cached_property
    def controllers(self) -> dict[str, str]:
        """By node, what `scontrol ping` says of its slurmctld: UP or DOWN."""
        found = {}
        for line in self._said("ping").splitlines():
            words = line.split()
            if len(words) >= 5 and words[0].startswith("Slurmctld(") and words[1] == "at":
                found[words[2]] = words[4].strip(".")
        return found

    @cached_property
    def silence(self) -> str:
        """Why the controllers say nothing; empty where they do. Unknown where what they say cannot be read."""
        try:
            error = str(self._state["error"])
        except Unknown as unknown:
            if unknown.cause != CLUSTER:
                raise
            return unknown.reason
        if not error and (missing := [part for part in _PARTS if part not in self._state]):
            raise Unknown(
                f"what Slurm says of its {', '.join(missing)} cannot be read: {self._unread or 'it is empty'}"
            )
        return error

    @property
    def _unread(self) -> str:
        return "; ".join(f"{part}: {why}" for part, why in self._state["unread"].items())

    def setting(self, name: str) -> str:
        """A setting of the configuration that the controller runs with."""
        return str(self._said("config").get(name, ""))

    @cached_property
    def nodes(self) -> dict[str, SlurmNode]:
        """The nodes that the controller knows, by name."""
        return {n["name"]: _slurm_node(n) for n in self._said("nodes")}

    def node(self, name: str) -> SlurmNode:
        """A node that the controller knows. Unknown where it does not."""
        if name not in self.nodes:
            raise Unknown(f"Slurm knows no node {name}", cause="slurm:nodes")
        return self.nodes[name]

    @cached_property
    def partitions(self) -> dict[str, PartitionState]:
        """The partitions, by name."""
        found = (PartitionState(
            p["PartitionName"], p.get("State", ""), expanded(p.get("Nodes", "")), p.get("Default") == "YES",
            p.get("MaxTime", ""),
        ) for p in self._said("partitions"))  # fmt: skip
        return {partition.name: partition for partition in found}

    def partition(self, name: str) -> PartitionState:
        """A partition. Unknown where there is none of that name."""
        if name not in self.partitions:
            raise Unknown(f"there is no partition {name}", cause=f"slurm-partition:{name}")
        return self.partitions[name]

    @cached_property
    def _accounting(self) -> Object:
        return dict(self._node(self._slurm.submit, "accounting", ACCOUNTING))

    @cached_property
    def accounting_silence(self) -> str:
        """Why accounting says nothing; empty where it does."""
        try:
            return "" if self._accounting else "it says nothing"
        except Unknown as unknown:
            if unknown.cause != ACCOUNTING:
                raise
            return unknown.reason

    @property
    def clusters(self) -> dict[str, str]:
        """The address of the controller of each cluster that accounting knows; empty while none is in touch with it."""
        return {c["Cluster"]: c["ControlHost"] for c in self._accounting["clusters"]}

    @property
    def associations(self) -> tuple[Association, ...]:
        """Who may submit jobs to this cluster."""
        return tuple(
            Association(a["Account"], a["User"], a["MaxTRESPerJob"])
            for a in self._accounting["associations"]
            if a["Cluster"] == self._slurm.cluster
        )

    def job(self, name: str) -> Job:
        """One of the gate's jobs. Unknown where none was submitted."""
        told = self._facts.service("slurm-jobs", "slurm:jobs")
        if told.get("only-looks"):
            raise Unknown("no job was submitted: this run only looks")
        found = told["jobs"][name]
        return Job(
            name, found["id"], found["error"], tuple(t["state"] for t in found["tasks"]),
            tuple(t["reason"] for t in found["tasks"]), found["output"], tuple(found["records"]),
            told["unrecorded"],
        )  # fmt: skip


def _slurm_node(told: Object) -> SlurmNode:
    return SlurmNode(
        told["name"], str(told["state"]), frozenset(told["state_flags"] or ()), told["reason"] or "",
        told["reason_set_by_user"] or "", int(told["real_memory"]), int(told["cpus"]), told["slurmd_version"] or "",
    )  # fmt: skip


def expanded(text: str) -> tuple[str, ...]:
    """The names that Slurm writes in short, such as n[1-3,7],m: n1, n2, n3, n7 and m."""
    names: list[str] = []
    for part in _split(text):
        head, bracket, rest = part.partition("[")
        if not bracket:
            names.append(part)
            continue
        numbers, _, tail = rest.partition("]")
        for item in numbers.split(","):
            first, _, last = item.partition("-")
            names += [f"{head}{n:0{len(first)}d}{tail}" for n in range(int(first), int(last or first) + 1)]
    return tuple(names)


def _split(text: str) -> list[str]:
    """At commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part and part != "(null)"]
