"""Names of budgets: those that checks and the lab read, each of which has a default; experiments name others.

A name that is none of them is one that an experiment asks for, or will: it is refused where it is nearly one of these,
for then the default would be kept without a word. An experiment whose budget is missing says so itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from plumbline.bed.errors import Problem
from plumbline.bed.model import Bed
from plumbline.bed.tree import Tree

READ = (
    "ssh", "renewal", "clock", "consul_api", "consul_replication", "vault_failover", "vault_steady",
    "vault_replication", "slurm_answer", "slurm_takeover", "slurm_node_lost", "munge_clock",
)  # fmt: skip
_NEAR = 0.85


def misspelt(bed: Bed, tree: Tree) -> Iterator[Problem]:
    """Budgets that nobody reads, though somebody reads one of nearly that name."""
    for name in bed.budgets:
        if name not in READ and (meant := get_close_matches(name, READ, n=1, cutoff=_NEAR)):
            path = f"budgets.{name}"
            yield Problem(tree.find(path).key, path, found=f"nobody reads {name}", hint=f"did you mean {meant[0]}?")
