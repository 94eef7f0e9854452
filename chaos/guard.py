"""Before an experiment: whether this bed allows it, and whether it would cut the way that the runner itself needs."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from chaos.call import Call
from chaos.declared import Declared
from chaos.reach import Reach
from chaos.session import NotAllowed, allowed
from plumbline.bed import Bed


def refuse(bed: Bed, reach: Reach, declared: Declared, steps: Iterable[Call]) -> None:
    """NotAllowed where the experiment may not run here; the text says why."""
    allowed(bed)
    own = own_path(bed, reach, declared)
    for step in steps:
        cut = step.understood(bed).cuts(bed) & own.keys()
        for node in sorted(cut):
            raise NotAllowed(
                f"{declared.experiment}: `{step}` would cut the runner's own way to {node}, {own[node]}\n"
                "remedy: choose another node, or record from another"
            )


def own_path(bed: Bed, reach: Reach, declared: Declared) -> dict[str, str]:
    """The nodes that the runner must reach while the experiment runs, and what for."""
    needed = dict.fromkeys(_api_nodes(bed), "which has the API server")
    for name, record in declared.records.items():
        for node in record.made().nodes(bed, reach):
            needed.setdefault(node, f"where the record {name} is made")
    return needed


def _api_nodes(bed: Bed) -> list[str]:
    """The nodes whose OOBI address the API server is reached at."""
    if bed.kubernetes is None:
        return []
    host = urlsplit(bed.kubernetes.api).hostname or ""
    try:
        address = IPv4Address(host)
    except ValueError:
        return [name for name in bed.nodes if name == host]
    return [name for name, node in bed.nodes.items() if node.oobi == address]
