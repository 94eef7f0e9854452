"""Who makes pods as load or for load, and what they may do: what a lab applies, and a bed's owner.

Attachments and the agents that fulfil them (seed 004) are load; workers are generators of load, in pods of their own.
"""

from __future__ import annotations

from pathlib import Path

from plumbline.bed import Bed
from plumbline.bed.model import Target
from plumbline.bed.throughput import KUBERNETES

MAKER, PLAYER = "plumbline-load", "plumbline-agents"
"""The user who makes agents and attachments, and the one as whom kwok plays them."""
CREDENTIAL = "kubernetes-load"
"""Of access.credentials: the text of a kubeconfig whose user is the maker."""
NAMESPACE = "plumbline-load"
"""Where attachments are made. It is part of the rights: whoever may make namespaces may do more than load needs."""
MARK = "plumbline.load/agent"
"""Label and taint of every agent, and of nothing else. Who plays agents knows them by it."""
AGENT_PREFIX = "plumbline-agent-"
FILE = Path(__file__).with_name("attachments.yaml")
"""The rights of both, as objects of Kubernetes."""

WORKERS = "plumbline-workers"
"""The user who makes workers, and the namespace where they are."""
WORKERS_CREDENTIAL = "kubernetes-workers"
"""Of access.credentials: the text of a kubeconfig of that user."""
WORKERS_FILE = Path(__file__).with_name("workers.yaml")


def needed(bed: Bed) -> bool:
    """Whether any load target of the bed makes attachments."""
    return bed.kubernetes is not None and any(target.to == KUBERNETES for target in _targets(bed))


def workers_needed(bed: Bed) -> bool:
    """Whether any load target of the bed is driven from pods."""
    return bed.kubernetes is not None and any(target.workers for target in _targets(bed))


def _targets(bed: Bed) -> tuple[Target, ...]:
    return tuple(bed.load.targets.values()) if bed.load else ()
