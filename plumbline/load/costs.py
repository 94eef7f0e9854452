"""What a control plane costs by purpose (seed 004, dependent variables), from two looks at the processes of its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plumbline.facts.source import Source
from plumbline.load.result import Cost

PURPOSES = {
    "kube-apiserver": "API server",
    "etcd": "etcd",
    "kube-scheduler": "scheduler",
    "kube-controller-manager": "controllers",
    "kwok": "agents",
    "k3s": "k3s, all in one",
}
"""What a program is there for. In seed 004: kapi, ketcd, kctrl, kctrl, comp."""
_ALONE = frozenset({"k3s"})
"""Programs that stand in for the others: neither they nor the others are missed where one is found."""
NOWHERE = "no such process on a node of the control plane that is reached over SSH"
Look = Mapping[str, Source]
"""By node, what plumbline.remote.processes told of it under `processes`, or why there is nothing."""


def between(first: Look, last: Look) -> tuple[Cost, ...]:
    """The costs of each purpose on each node that has it; where none has, or a node was silent, why that is not known."""
    both = [*first.items(), *last.items()]
    silent = {node: source.error or f"{node}: {source.outcome}" for node, source in both if not _told(source)}
    found = [cost for node in last if node not in silent and node in first for cost in _of(node, first, last)]
    named = {cost.purpose for cost in found}
    missed = [] if _ALONE & {name for name, purpose in PURPOSES.items() if purpose in named} else _missed(named, silent)
    return (*sorted(found, key=lambda cost: list(PURPOSES.values()).index(cost.purpose)), *missed)


def _missed(named: set[str], silent: Mapping[str, str]) -> list[Cost]:
    why = "; ".join(silent.values()) or NOWHERE
    return [
        Cost(purpose, said=why) for name, purpose in PURPOSES.items() if name not in _ALONE and purpose not in named
    ]


def _of(node: str, first: Look, last: Look) -> Iterator[Cost]:
    before, after = first[node].facts["processes"], last[node].facts["processes"]
    seconds = after["at"] - before["at"]
    unread = after.get("unread", "") or before.get("unread", "")
    for name, purpose in PURPOSES.items():
        pairs = [
            (before["processes"].get(pid), process)
            for pid, process in after["processes"].items()
            if process["name"] == name
        ]
        both = [(old, new) for old, new in pairs if old is not None]
        if not pairs:
            continue
        if not both or seconds <= 0:
            yield Cost(purpose, node, said="it was started anew meanwhile")
            continue
        yield Cost(
            purpose,
            node,
            cpu=sum(new["cpu"] - old["cpu"] for old, new in both) / seconds,
            memory=sum(new["memory"] for _, new in pairs),
            received=None if unread else _grown(both, 1) / seconds,
            sent=None if unread else _grown(both, 0) / seconds,
            said=unread,
        )


def _grown(both: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], way: int) -> int:
    """Bytes one way (0 sent, 1 received) over connections that are still there: those that have ended are not seen."""
    return sum(
        counts[way] - old["connections"].get(ends, (0, 0))[way]
        for old, new in both
        for ends, counts in new["connections"].items()
    )


def _told(source: Source) -> bool:
    return source.outcome == "ok" and "processes" in source.facts
