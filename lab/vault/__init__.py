"""A cluster of Vault servers: OpenBao, which speaks the same API, under Vault's unit name, user, paths and ports."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import templates
from lab.disks import FileSpec
from lab.errors import LabError
from lab.machine import Volume
from lab.pki import Pki
from lab.progress import Progress
from lab.vault import settle as settling
from plumbline.bed import Bed
from plumbline.bed.model import Vault

PROGRAM = "bao"
_BINARY = "/usr/bin/vault"


def programs(bed: Bed) -> tuple[str, ...]:
    """OpenBao. Not a Vault that may be on this machine: it would need a key service of a cloud to be opened by."""
    return (PROGRAM,) if bed.vault else ()


def files(bed: Bed, pki: Pki, folder: Path) -> dict[str, dict[str, FileSpec]]:
    """Configuration, environment and unit of each server; the key of their seal is made once."""
    if bed.vault is None:
        return {}
    _require_possible(bed)
    key = _seal_key(folder)
    return {node: _files(bed, bed.vault, node, key) for node in bed.vault.on}


def volumes(bed: Bed, binaries: Mapping[str, Path]) -> dict[str, dict[str, Volume]]:
    """The program, where Vault's own package puts it."""
    if bed.vault is None:
        return {}
    return {node: {_BINARY: Volume(binaries[PROGRAM])} for node in bed.vault.on}


def units(bed: Bed, node: str) -> tuple[str, ...]:
    """The server's unit."""
    return (bed.vault.unit,) if bed.vault and node in bed.vault.on else ()


def settle(bed: Bed, pki: Pki, folder: Path, deadline: float, progress: Progress) -> dict[str, str]:
    """Initialised once, its engines, policies and the gate's role made, every server a member that votes."""
    if bed.vault is None:
        return {}
    with progress.step("vault", estimate=12):
        return settling.settle(bed, bed.vault, pki, own_folder(folder), deadline)


def own_folder(folder: Path) -> Path:
    """Where what is secret of it is kept, for root only."""
    own = folder / "vault"
    own.mkdir(mode=0o700, exist_ok=True)
    return own


def _require_possible(bed: Bed) -> None:
    assert bed.vault is not None
    if bed.vault.seal.type != "static" or bed.vault.storage.type != "raft":
        raise LabError(
            f"a lab cannot realise a Vault with seal {bed.vault.seal.type} and storage {bed.vault.storage.type}",
            remedy="vault: {seal: {type: static}, storage: {type: raft}} in the bed file",
        )
    if missing := [node for node in bed.vault.on if bed.nodes[node].oobi is None]:
        raise LabError(f"Vault's servers have no address: {', '.join(missing)}", remedy="nodes.NODE.oobi")


def _seal_key(folder: Path) -> str:
    """32 bytes, hexadecimal, kept for root only; the same for as long as this lab lives."""
    file = own_folder(folder) / "seal.key"
    if not file.exists():
        part = file.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
            written.write(secrets.token_hex(32))
        part.rename(file)
    return file.read_text()


def _files(bed: Bed, vault: Vault, node: str, key: str) -> dict[str, FileSpec]:
    assert bed.step_ca is not None
    certificate = bed.service_certificates[vault.certificate]
    values: dict[str, Any] = {
        "vault": vault,
        "node": node,
        "address": bed.nodes[node].oobi,
        "others": [bed.nodes[other].oobi for other in vault.on if other != node],
        "certificate": certificate,
        "root": bed.step_ca.root,
        "settings": vault.settings,
        "telemetry": {
            name.partition(".")[2]: value for name, value in vault.settings.items() if name.startswith("telemetry.")
        },
        "binary": _BINARY,
        "folder": str(Path(vault.audit).parent) if vault.audit else "",
    }
    return {
        vault.configuration: FileSpec(_render("vault.hcl", values), 0o640, vault.user),
        vault.environment: FileSpec(f"{vault.seal.environment[0]}={key}\n", 0o600, vault.user),
        f"/etc/systemd/system/{vault.unit}.service": FileSpec(_render("vault.service", values)),
        f"/etc/tmpfiles.d/{vault.unit}.conf": FileSpec(_render("tmpfiles.conf", values)),
    }


def _render(template: str, values: Mapping[str, Any]) -> str:
    return templates.render(Path(__file__).parent, template, values)
