"""The gate gets in by its role and may do what it must and nothing else; nobody gets in without a token that is valid."""

from __future__ import annotations

from plumbline.bed.model import Vault
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.vault import VaultFacts
from suites.vault import cases
from suites.vault.cases import OnServer, Right


@check(
    "vault.login",
    severity="critical",
    remedy="vault read auth/approle/role/{name}; vault write -f auth/approle/role/{name}/secret-id; access.credentials.vault",
    consequence="no secret, right or member of Vault can be checked, and whoever else uses an AppRole may be locked out too",
    source="seed 001, F15 (L9916: a token that was lost)",
)
@for_each("role", cases.gate)
def test_the_gate_can_log_in(role: str, facts: Facts, declared: Vault) -> None:
    """The gate's AppRole gives a token with the declared policy and lifetime."""
    source = facts.raw("vault")
    assert source.outcome == "ok", found(f"{source.outcome}: {source.error}", expected="credentials that can be used")
    said = VaultFacts(source.facts, declared).login
    policies, lifetime = set(said.held.get("policies", ())), declared.role.lifetime.total_seconds()

    assert said.status == 200, found(said, expected="a token")
    assert policies == {"default", declared.role.policy}, found(
        f"policies {', '.join(sorted(policies))}", expected=f"default, {declared.role.policy}"
    )
    assert said.held["lifetime"] == lifetime, found(f"it lives {said.held['lifetime']} s", expected=f"{lifetime:.0f} s")


@check(
    "vault.right-missing",
    severity="major",
    remedy="vault policy read plumbline; add path {name} to it",
    consequence="the gate cannot look at {name}: what stands on it is unknown",
    source="seed 001, fact 132 (L7400-7414)",
)
@for_each("right", cases.allowed)
def test_the_gate_may_do_what_it_must(right: Right, vault: VaultFacts) -> None:
    """The gate's policy grants what the checks of the bed file need."""
    missing = right.capabilities - vault.rights(right.path)

    assert not missing, found(f"not allowed: {', '.join(missing)}", expected=", ".join(sorted(right.capabilities)))


@check(
    "vault.right-beyond",
    severity="critical",
    remedy="vault policy read plumbline; take path {name}, or the pattern that fits it, out of it",
    consequence="who has the gate's credentials may do more than look",
    source="seed 001, fact 132 (L7400-7414: minimal permissions)",
)
@for_each("right", cases.forbidden)
def test_the_gate_may_do_nothing_else(right: Right, vault: VaultFacts) -> None:
    """The gate's policy grants nothing where nothing is needed."""
    beyond = vault.rights(right.path)

    assert not beyond, found(f"allowed: {', '.join(sorted(beyond))}", expected="nothing")


@check(
    "vault.anonymous-refused",
    severity="critical",
    remedy="on {node}: who listens on 8200? An agent or proxy that adds a token of its own must not",
    consequence="every client with a certificate reads secrets without a token",
    source="seed 001, fact 136 (L7348-7376)",
)
@for_each("node", cases.forwards)
def test_a_client_without_a_token_is_refused(node: str, vault: VaultFacts) -> None:
    """A secret is not told to a client with a certificate and no token."""
    status = vault.anonymous(node)

    assert status in (400, 401, 403), found(f"status {status}", expected="status 403")


@check(
    "vault.revoked-token-refused",
    severity="critical",
    remedy="on {node}: journalctl -u vault -n 50; vault token lookup; is something before it that adds a token?",
    consequence="a token that was taken from somebody goes on opening Vault",
    source="seed 001, fact 132; a stale token",
    kind="active",
)
@for_each("node", cases.forwards)
def test_a_token_that_was_given_back_is_refused(node: str, vault: VaultFacts) -> None:
    """A token that was revoked a moment ago is refused."""
    status = vault.revoked(node)

    assert status == 403, found(f"status {status}", expected="status 403")


@check(
    "vault.secret-read",
    severity="critical",
    remedy="vault kv metadata get {name}; vault kv undelete, or write it again",
    consequence="whoever needs the secret is without it",
    source="seed 001, L7535 (KV)",
)
@for_each("asked", cases.secrets(readable=True))
def test_a_secret_is_told_to_whom_it_is_for(asked: OnServer, vault: VaultFacts, declared: Vault) -> None:
    """The gate reads its secret by way of every server, and each tells the same."""
    said, digest = vault.secret(asked.node, asked.name)

    assert said.status == 200, found(f"{declared.secrets[asked.name].path}: {said}", expected="status 200")
    assert vault.digests(asked.name) == {digest}, found(
        "another value than another server tells", expected="the same everywhere"
    )


@check(
    "vault.secret-kept",
    severity="critical",
    remedy="vault policy read plumbline: it, or one that fits, lets the secret {name} be read",
    consequence="one team reads the secrets of another",
    source="seed 001, fact 132 (isolated key space, L7400-7414)",
)
@for_each("asked", cases.secrets(readable=False))
def test_a_secret_is_not_told_to_others(asked: OnServer, vault: VaultFacts, declared: Vault) -> None:
    """What was written under one policy is not told to the gate, which has another."""
    said, _ = vault.secret(asked.node, asked.name)

    assert said.status == 403, found(f"{declared.secrets[asked.name].path}: {said}", expected="status 403")
