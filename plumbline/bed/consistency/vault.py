"""Rules about Vault: how many servers, what they show to clients, where secrets are kept."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed.consistency.found import Inconsistency
from plumbline.bed.model import Bed


def vault_even_quorum(bed: Bed) -> Iterator[Inconsistency]:
    """An odd number of servers, since of an even one no more may be lost than of one fewer."""
    vault = bed.vault
    if vault and vault.storage.type == "raft" and len(vault.on) % 2 == 0:
        yield Inconsistency(
            "vault-even-quorum", f"vault-cluster:{vault.cluster}", bed.where("vault.on"), "1, 3 or 5 servers",
            f"{len(vault.on)}: {', '.join(vault.on)}", "add a server to vault.on, or take one out",
        )  # fmt: skip


def vault_without_certificate(bed: Bed) -> Iterator[Inconsistency]:
    """Every server is given the certificate that it serves."""
    vault = bed.vault
    missing = [node for node in vault.on if node not in bed.service_certificates[vault.certificate].on] if vault else []
    if vault and missing:
        yield Inconsistency(
            "vault-without-certificate", f"vault-cluster:{vault.cluster}", bed.where("vault.certificate"),
            f"the certificate {vault.certificate} on {', '.join(vault.on)}", f"none on {', '.join(missing)}",
            f"add {', '.join(missing)} to service_certificates.{vault.certificate}.on",
        )  # fmt: skip


def vault_unnamed(bed: Bed) -> Iterator[Inconsistency]:
    """The certificate has the name by which clients look for Vault, and is looked at where Vault listens."""
    vault = bed.vault
    if vault is None:
        return
    shown, where = bed.service_certificates[vault.certificate], f"service_certificates.{vault.certificate}"
    if vault.name not in shown.names:
        yield Inconsistency(
            "vault-unnamed", f"vault-cluster:{vault.cluster}", bed.where(f"{where}.names"),
            f"{vault.name} among the names of {vault.certificate}", ", ".join(shown.names) or "none",
            f"add {vault.name} to {where}.names",
        )  # fmt: skip
    if shown.port != vault.port:
        yield Inconsistency(
            "vault-unnamed", f"vault-cluster:{vault.cluster}", bed.where(f"{where}.port"),
            f"port {vault.port}", f"port {shown.port}", f"make {where}.port and vault.port agree",
        )  # fmt: skip


def vault_engine_missing(bed: Bed) -> Iterator[Inconsistency]:
    """A secret is kept by an engine that is declared, and of the right kind; certificates come from one too."""
    vault = bed.vault
    if vault is None:
        return
    wanted = [
        (f"vault-secret:{name}", f"vault.secrets.{name}", secret.path.partition("/")[0], "kv")
        for name, secret in vault.secrets.items()
    ]
    if vault.issuing:
        wanted.append((f"vault-issuer:{vault.issuing.engine}", "vault.issuing", vault.issuing.engine, "pki"))
    if vault.load:
        path = f"{vault.load_paths()[0]}*"
        wanted.append((f"vault-right:{path}", "vault.load", vault.load.partition("/")[0], "kv"))
    for subject, path, engine, kind in wanted:
        there = vault.engines.get(engine)
        if there is None or there.type != kind:
            yield Inconsistency(
                "vault-engine-missing", subject, bed.where(path), f"an engine {engine} of type {kind}",
                f"one of type {there.type}" if there else f"engines {', '.join(vault.engines) or 'none'}",
                f"add {engine} to vault.engines, or mend the path",
            )  # fmt: skip
