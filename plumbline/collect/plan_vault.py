"""What is asked of the nodes that run Vault: their processes and files, and whether requests are written down.

kind     purpose            source > target
audit    vault              node > itself: is a request to its server in its file of requests
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from plumbline.bed import Bed
from plumbline.collect.planned import Planned, World


def probes(world: World) -> Iterator[Planned]:
    """All of them."""
    vault = world.bed.vault
    if vault is None or vault.audit is None:
        return
    certificate = world.bed.service_certificates[vault.certificate]
    marker = f"plumbline-{secrets.token_hex(6)}"
    for node in vault.on:
        args: dict[str, Any] = {
            "address": str(world.bed.nodes[node].oobi), "port": vault.port, "file": vault.audit,
            "certificate_file": certificate.certificate, "key_file": certificate.key, "marker": f"{marker}/{node}",
        }  # fmt: skip
        yield Planned("audit", "vault", node, node, node, args, 3.0)


def host_request(bed: Bed, node: str) -> dict[str, Any] | None:
    """What is read on a node of Vault; None where none runs there."""
    vault = bed.vault
    if vault is None or node not in vault.on:
        return None
    return {
        "unit": vault.unit, "environment": vault.environment, "keys": list(vault.seal.environment),
        "files": sorted(vault.files),
    }  # fmt: skip
