"""What stands on what in a bed: the graph along which twenty red checks fold into one cause."""

from __future__ import annotations

from functools import lru_cache

from plumbline.bed import Bed
from plumbline.needs import cluster, consul, network, pki, slurm, traffic, vault
from plumbline.needs.cluster import namespaces, same_secret, secrets_of
from plumbline.needs.parts import Edges
from plumbline.needs.traffic import endpoints, network_of

__all__ = ["Edges", "endpoints", "graph", "namespaces", "needs", "network_of", "same_secret", "secrets_of"]

PARTS = (
    network.nodes, network.networks, cluster.kubernetes, cluster.workloads, traffic.certificates, traffic.data_plane,
    consul.consul,
    vault.servers,
    slurm.slurm,
    pki.authority, pki.certificates, pki.ssh,
)  # fmt: skip


def needs(bed: Bed, subject: str) -> tuple[str, ...]:
    """Everything that a subject stands on, directly or through others, nearest first; nothing where it is unknown."""
    edges = graph(bed)
    seen: dict[str, None] = {}
    waiting = list(edges.get(subject, ()))
    while waiting:
        under = waiting.pop(0)
        if under not in seen and under != subject:
            seen[under] = None
            waiting.extend(edges.get(under, ()))
    return tuple(seen)


def graph(bed: Bed) -> Edges:
    """For each subject of the bed, the subjects directly beneath it."""
    return _graph(_Same(bed))


class _Same:
    """A bed as a key; it is compared by identity, since comparing two beds would cost more than the graph."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.bed is self.bed

    def __hash__(self) -> int:
        return id(self.bed)


@lru_cache(maxsize=4)
def _graph(same: _Same) -> Edges:
    bed = same.bed
    edges: dict[str, list[str]] = {}
    for part in PARTS:
        for subject, under in part(bed):
            edges.setdefault(subject, []).extend(under)
    return {subject: tuple(dict.fromkeys(under)) for subject, under in edges.items()}
