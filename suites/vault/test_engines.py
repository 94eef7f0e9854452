"""The engines that keep and make secrets are there and work, and the active server is set as the bed file says."""

from __future__ import annotations

import datetime as dt

from plumbline import x509
from plumbline.bed.vault import Vault, VaultEngine
from plumbline.check import check, for_each, found
from plumbline.facts.vault import VaultFacts
from plumbline.subjects import Thing
from suites.vault import cases


@check(
    "vault.engine",
    severity="critical",
    remedy="vault secrets list -detailed; vault secrets enable -path={name}, or vault secrets move it back",
    consequence="no secret below {name} can be read",
    source="seed 001, L7535 (KV, PKI)",
)
@for_each("engine", cases.engines)
def test_an_engine_is_mounted(engine: Thing[VaultEngine], vault: VaultFacts) -> None:
    """A declared engine is at its path, of its kind and version."""
    there, wanted = vault.engines.get(engine.name), engine.spec
    version = ((there or {}).get("options") or {}).get("version")

    assert there, found(f"engines: {', '.join(sorted(vault.engines))}", expected=f"{wanted.type} at {engine.name}/")
    assert there["type"] == wanted.type, found(there["type"], expected=wanted.type)
    assert wanted.version is None or version == str(wanted.version), found(
        f"version {version}", expected=f"version {wanted.version}"
    )


@check(
    "vault.setting",
    severity="minor",
    remedy="on every server: {name} in /etc/vault.d/vault.hcl; systemctl restart vault, the active server last",
    consequence="Vault runs otherwise than it is believed to: its log holds too much, its metrics too little",
    source="seed 001, fact 138 (L7317-7320, L7457-7475)",
)
@for_each("setting", cases.settings)
def test_a_setting_has_its_value(setting: tuple[str, str | int | bool], vault: VaultFacts) -> None:
    """The active server runs with the declared value."""
    path, wanted = setting
    value = vault.setting(path)

    assert _same(value, wanted), found(f"{path} = {value} on {vault.active.node}", expected=f"{path} = {wanted}")


@check(
    "vault.authority",
    severity="major",
    remedy="vault list -detailed {name}/issuers; vault read {name}/cert/ca; make a new one before this one ends",
    consequence="certificates of {name} are worth nothing, or will be when it ends",
    source="seed 001, L7535 (PKI), fact 34 (one authority)",
)
@for_each("engine", cases.issuers)
def test_the_authority_is_valid_for_long_enough(engine: str, vault: VaultFacts, declared: Vault) -> None:
    """The engine's authority is one, and will be valid for longer than the bed file wants."""
    pem, least = vault.authority, declared.issuing.authority if declared.issuing else dt.timedelta()
    assert pem, found("it has none", expected="an authority")
    authority = x509.one(pem)

    assert authority.is_ca, found(f"{authority}: it may sign nothing", expected="an authority")
    assert authority.left() > least, found(str(authority), expected=f"valid for {least.days} days more")


@check(
    "vault.issues",
    severity="major",
    remedy="vault read {name}/roles/plumbline; vault write {name}/issue/plumbline common_name=…",
    consequence="whoever gets certificates from {name} gets none, or none that are believed",
    source="seed 001, L7535 (PKI)",
    kind="active",
)
@for_each("engine", cases.issuers)
def test_a_certificate_is_issued(engine: str, vault: VaultFacts, declared: Vault) -> None:
    """The gate is given a certificate for its name, signed by the engine's authority, that lives as long as declared."""
    issuing, (said, pem) = declared.issuing, vault.issued
    assert issuing is not None
    assert said.status == 200, found(said, expected="a certificate")
    made, authority = x509.one(pem), x509.one(vault.authority)
    late = made.left() - issuing.lifetime

    assert made.signed_by(authority), found(f"{made}", expected=f"signed by {authority.subject}")
    assert made.names == (issuing.name,), found(f"for {', '.join(made.names)}", expected=issuing.name)
    assert late < dt.timedelta(seconds=30), found(f"it lives {made.left()}", expected=f"{issuing.lifetime}")


@check(
    "vault.revocations",
    severity="minor",
    remedy="vault read {name}/config/crl; vault read {name}/crl/rotate",
    consequence="who looks at the list of revoked certificates trusts none of them, or those that were taken back",
    source="seed 001, L7535 (PKI)",
)
@for_each("engine", cases.issuers)
def test_the_list_of_revoked_certificates_is_fresh(engine: str, vault: VaultFacts) -> None:
    """The engine publishes a list of revoked certificates whose next one is not overdue."""
    pem = vault.revocations
    assert pem, found("there is none", expected="a list")
    due = x509.next_update(pem)

    assert due > dt.datetime.now(dt.UTC), found(f"its next one was due {due:%Y-%m-%d %H:%M:%S}", expected="a fresh one")


def _same(value: object, wanted: str | int | bool) -> bool:
    """Durations are told in seconds, of a kind that the server chooses."""
    if value is None or isinstance(wanted, bool):
        return value is wanted
    duration = cases.seconds(wanted)
    return str(value) == str(wanted) or (duration is not None and cases.seconds(value) == duration)
