"""Every agent runs, answers, and finds on its disk what it needs for its next start."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.consul import Consul
from suites.consul.cases import on

_LOOP, _CALM_S, _BOOT_S = 3, 300.0, 120.0
_CLOCK_S = 1.0
"""How far ahead the note of a server may be: the clock that it is compared with is its own."""
_NOTED_S = 2 * 3600.0
"""A server notes each hour that it is there; twice that is late."""


@check(
    "consul.running",
    severity="critical",
    remedy="on {name}: systemctl status consul; journalctl -u consul -n 50; systemctl start consul",
    consequence="nothing on {name} is found by name, and its services count as dead",
    source="seed 001, F23 and F24 (L8274-8418)",
)
@for_each("node", on("unit"))
def test_the_agent_runs(node: str, facts: Facts) -> None:
    """The unit consul is active on each node that has an agent."""
    unit = facts.node(node).unit("consul")

    assert unit.active, found(unit.state if unit.loaded else "there is no such unit", expected="active (running)")


@check(
    "consul.enabled",
    severity="major",
    remedy="on {name}: systemctl enable consul",
    consequence="the agent is gone after the next boot of {name}",
    source="seed 001, fact 124 (L8423)",
)
@for_each("node", on("unit"))
def test_the_agent_comes_back_after_a_boot(node: str, facts: Facts) -> None:
    """The unit consul is enabled."""
    unit = facts.node(node).unit("consul")

    assert unit.enabled == "enabled", found(unit.enabled or "there is no such unit", expected="enabled")


@check(
    "consul.steady",
    severity="major",
    remedy="on {name}: journalctl -u consul -n 100; what it says before each restart is the cause",
    consequence="the agent is away again and again, for moments that single looks miss",
    source="seed 001, F26 (L8441)",
)
@for_each("node", on("unit"))
def test_the_agent_is_not_restarted_over_and_over(node: str, facts: Facts) -> None:
    """systemd does not start the agent again and again."""
    unit = facts.node(node).unit("consul")
    looping = unit.restarts >= _LOOP and unit.active_s < _CALM_S and unit.settled_s > _BOOT_S

    assert not looping, found(
        f"restarted {unit.restarts} times, the last time {unit.active_s:.0f} s ago", expected=f"fewer than {_LOOP}"
    )


@check(
    "consul.answers",
    severity="critical",
    remedy="on {name}: journalctl -u consul -n 50; consul monitor",
    consequence="{name} neither joins nor tells of its services, though its unit may be active",
    source="seed 001, F15 and F26 (L7242-7262, L8441)",
)
@for_each("node", on("agent"))
def test_the_agent_answers_on_its_node(node: str, consul: Consul) -> None:
    """The agent's API answers on the loopback of its node; where it does not, what it complains of is told."""
    agent = consul.agent(node)

    assert agent.answers, found(agent.why, expected="an answer of its API")


@check(
    "consul.token-kept",
    severity="critical",
    remedy="on {name}: put the agent's token into acl.tokens.agent of /etc/consul.d/consul.hcl; systemctl restart consul",
    consequence="after its next start the agent may not join: AutoEncrypt.Sign is denied to whoever shows no token",
    source="seed 001, F15 and fact 125 (L7242-7262)",
)
@for_each("node", on("token-kept"))
def test_the_agents_token_outlives_a_restart(node: str, consul: Consul) -> None:
    """The agent finds its own token again: in its configuration, or where it persists tokens."""
    kept = consul.agent(node).keeps_token

    assert kept, found("no token for the agent in /etc/consul.d, none persisted", expected="acl.tokens.agent")


@check(
    "consul.secrets-shut",
    severity="major",
    remedy="on {name}: chown consul: and chmod 0640 the files that are named",
    consequence="every user of {name} can join the gossip, or act as the agent",
    source="seed 001, fact 125 (L7260)",
)
@for_each("node", on("files"))
def test_secrets_of_the_agent_are_for_the_agent_alone(node: str, consul: Consul) -> None:
    """No file with a gossip key or a token in it can be read by others."""
    files = consul.agent(node).secret_files
    wrong = [f"{f.path} is {f.mode:04o}, of {f.owner}" for f in files if f.open]

    assert files, found("no file has a gossip key in it", expected="encrypt in /etc/consul.d")
    assert not wrong, found("; ".join(wrong), expected="no access for others")


@check(
    "consul.rejoin",
    severity="critical",
    remedy="on {name}: rm /opt/consul/server_metadata.json*; systemctl restart consul; then look at its clock",
    consequence="at its next start the server refuses to rejoin, and the datacenter is one server short",
    source="seed 001, F26 and fact 129 (L8441-8453)",
)
@for_each("node", on("rejoin", "servers", where="rejoin_age"))
def test_a_server_would_be_let_back_in(node: str, consul: Consul, bed: Bed) -> None:
    """The server has noted lately that it was there: what is older than server_rejoin_age_max may not come back."""
    unseen = consul.agent(node).unseen_s
    assert bed.consul
    most = min(_NOTED_S, bed.consul.rejoin_age.total_seconds())

    assert unseen is not None, found("it never noted that it was there", expected="server_metadata.json")
    assert -_CLOCK_S <= unseen <= most, found(f"noted {unseen / 3600:.1f} h ago", expected=f"0 to {most / 3600:.1f} h")
