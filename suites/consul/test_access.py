"""Who may do what: the gate itself, nobody, a stranger, and the policies that others were given."""

from __future__ import annotations

from plumbline.bed.consul import Access
from plumbline.bed.consul import Consul as Declared
from plumbline.check import check, for_each, found
from plumbline.collect.consul import MAY, MAY_NOT, right
from plumbline.facts.consul import Consul
from plumbline.facts.consul_agent import denied
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.consul.cases import certified, gate, on, policies, whole


@check(
    "consul.gate-token",
    severity="major",
    remedy="consul acl token read -self; make one with the policy that docs/consul.md shows, or add the right",
    consequence="part of Consul could not be judged",
    source="seed 001, F15 (L7217-7262)",
)
@for_each("declared", gate("token"))
def test_the_gates_token_may_read_what_it_has_to(declared: Declared, consul: Consul) -> None:
    """The gate's token is known to Consul and has each right that its checks need."""
    told = consul.refusal
    lacking = [right(*each) for each in MAY if not consul.rights.get(right(*each))] if not told else []

    assert not told, found(told, expected="a token that Consul knows")
    assert not lacking, found(f"it lacks: {', '.join(lacking)}", expected=", ".join(right(*each) for each in MAY))


@check(
    "consul.gate-rights",
    severity="major",
    remedy="consul acl policy update -name plumbline-gate, with reading alone",
    consequence="whoever finds the gate's token can change the cluster with it",
    source="seed 001, fact 132: policies scoped",
)
@for_each("declared", gate("rights"))
def test_the_gates_token_may_not_do_more(declared: Declared, consul: Consul) -> None:
    """The gate's token may write its own key and nothing else, and read no gossip key."""
    much = [right(*each) for each in MAY_NOT if consul.rights.get(right(*each))]

    assert not much, found(f"it may {', '.join(much)}", expected="none of them")


@check(
    "consul.key-elsewhere",
    severity="critical",
    kind="active",
    remedy="consul acl policy read -name plumbline-gate; take key_prefix from it, but for plumbline/",
    consequence="a token for one prefix of keys writes those of others: Vault's, Loki's",
    source="seed 001, fact 132 (L7400-7414): positive and negative writes",
)
@for_each("declared", whole("key-elsewhere", "policies"))
def test_a_key_of_others_is_not_written(declared: Declared, consul: Consul) -> None:
    """The token that wrote the gate's key cannot write one outside of its prefix."""
    key = consul.key

    if not key.elsewhere:
        raise Unknown(f"it was not tried: {key.error}", cause="consul:key")
    assert denied(key.elsewhere), found(f"status {key.elsewhere}", expected="403")


@check(
    "consul.anonymous-agent",
    severity="critical",
    remedy="consul acl token read -accessor-id 00000000-0000-0000-0000-000000000002; acl.default_policy on {name}",
    consequence="every user of {name} reads the whole state of its agent",
    source="seed 001, fact 125 (L7232)",
)
@for_each("node", on("anonymous"))
def test_nobody_reads_an_agents_state(node: str, consul: Consul) -> None:
    """The agent refuses to tell of itself to whoever shows no token."""
    status = consul.agent(node).status("nobody")

    assert denied(status), found(f"status {status} without a token", expected="403")


@check(
    "consul.stranger-agent",
    severity="critical",
    remedy="on {name}: acl.enabled in /etc/consul.d; systemctl restart consul",
    consequence="any token opens the agent, also one that was revoked",
    source="seed 001, fact 125",
)
@for_each("node", on("stranger"))
def test_a_token_that_is_no_more_does_not_open_an_agent(node: str, consul: Consul) -> None:
    """The agent refuses a token that does not exist."""
    status = consul.agent(node).status("stranger")

    assert denied(status), found(f"status {status} with a token that was never made", expected="403")


@check(
    "consul.anonymous-key",
    severity="critical",
    remedy="consul acl token read -accessor-id 00000000-0000-0000-0000-000000000002; take its policies from it",
    consequence="whoever reaches {name} reads what others keep in Consul",
    source="seed 001, fact 125 (L7232)",
)
@for_each("node", on("anonymous-api", "servers"))
def test_nobody_reads_keys_or_members(node: str, consul: Consul) -> None:
    """A server gives no key and no list of members to whoever shows no token."""
    said = consul.server(node)

    assert denied(said["nobody"]["keys"]), found(f"keys: status {said['nobody']['keys']}", expected="403")
    assert not said["nobody"]["members"], found(f"{said['nobody']['members']} members are shown", expected="none")


@check(
    "consul.stranger-key",
    severity="critical",
    remedy="on {name}: acl.enabled in /etc/consul.d; systemctl restart consul",
    consequence="any token reads the keys, also one that was revoked",
    source="seed 001, fact 125",
)
@for_each("node", on("stranger-api", "servers"))
def test_a_token_that_is_no_more_reads_no_keys(node: str, consul: Consul) -> None:
    """A server refuses a token that does not exist."""
    status = consul.server(node)["stranger"]

    assert denied(status), found(f"status {status} with a token that was never made", expected="403")


@check(
    "consul.anonymous-policies",
    severity="major",
    remedy="consul acl token update -accessor-id 00000000-0000-0000-0000-000000000002, without policies",
    consequence="whoever shows no token has the rights of these policies, everywhere",
    source="seed 001, fact 125 and F15 (L7242)",
)
@for_each("declared", whole("anonymous"))
def test_nobody_was_given_rights(declared: Declared, consul: Consul) -> None:
    """The anonymous token has no policy and no role."""
    given = consul.anonymous

    assert not given, found(f"it has {', '.join(given)}", expected="none")


@check(
    "consul.uncertified",
    severity="major",
    remedy="on {name}: tls.https.verify_incoming in /etc/consul.d; systemctl restart consul",
    consequence="whoever has found a token can use it from anywhere, without a certificate of this bed",
    source="seed 001, fact 127 (L7234)",
)
@for_each("node", certified(on("uncertified", "servers", where="client_certificate")))
def test_a_client_without_a_certificate_is_refused(node: str, consul: Consul) -> None:
    """HTTPS of a server refuses whoever shows no certificate, where the bed file wants one."""
    answered = consul.server(node)["uncertified"]

    assert not answered, found(f"it answered: {answered}", expected="no handshake")


@check(
    "consul.policy",
    severity="major",
    remedy="consul acl policy read -name {name}; consul acl policy update -name {name} -rules @…",
    consequence="whoever has {name}'s token may do more than {name} needs, or less",
    source="seed 001, fact 132 (L7400-7414, L7921-7929)",
)
@for_each("policy", policies)
def test_a_policy_allows_what_is_declared_and_no_more(
    policy: Thing[dict[str, dict[str, Access] | Access]], consul: Consul
) -> None:
    """A policy's rules are the declared ones."""
    rules = consul.policy(policy.name)

    assert rules is not None, found("there is no such policy", expected=policy.spec)
    assert rules == policy.spec, found(rules, expected=policy.spec)
