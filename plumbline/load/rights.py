"""Who makes and who plays agents and attachments (seed 004), and what they may do: what a lab applies, and a bed's owner."""

from __future__ import annotations

from pathlib import Path

from plumbline.bed import Bed
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
"""The rights, as objects of Kubernetes."""


def needed(bed: Bed) -> bool:
    """Whether any load target of the bed makes attachments."""
    targets = bed.load.targets.values() if bed.load else ()
    return bed.kubernetes is not None and any(target.to == KUBERNETES for target in targets)
