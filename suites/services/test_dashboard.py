"""The dashboard knows the agents, and whom to tell."""

from __future__ import annotations

from plumbline.bed.model import Workload
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Http
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.services import cases

FRESH_S = 60


@check(
    "services.registered",
    severity="critical",
    kind="active",
    remedy="kubectl -n web-agents logs deployment/{name} --tail=20; compare AGENT_API_TOKEN of both secrets",
    consequence="agents of {name} are not given any work",
    source="seed 000, chapter 5.2",
)
@for_each("workload", cases.registered)
def test_every_agent_is_registered(workload: Thing[Workload], facts: Facts) -> None:
    """The dashboard has heard of each agent's pod within the last minute."""
    page = facts.probe(Http, "agents")
    if page.status != 200:
        raise Unknown(f"the dashboard does not list its agents: {page}, status {page.status}", cause="list:dashboard")
    heard = {agent["name"]: agent["seconds_ago"] for agent in page.json()}
    missing = [p.name for p in facts.kubernetes.pods(workload.name) if heard.get(p.name, FRESH_S + 1) > FRESH_S]

    assert not missing, found(f"not heard of: {', '.join(missing[:4])}", expected=f"all within {FRESH_S} s")


@check(
    "services.dashboard-lists",
    severity="major",
    kind="active",
    remedy="kubectl -n web-agents rollout restart deployment {name}: it must run with the ADMIN_BASIC_AUTH of its secret",
    consequence="nobody sees what the bed does",
    source="seed 000, chapter 5.5",
)
@for_each("workload", cases.of_program("list", "dashboard"))
def test_an_administrator_is_let_in(workload: Thing[Workload], facts: Facts) -> None:
    """With the name and password of the secret, the dashboard lists its agents."""
    page = facts.probe(Http, "agents", target=workload.name)

    assert page.status == 200, found(f"{page}, status {page.status}", expected="200")


@check(
    "services.dashboard-refuses",
    severity="critical",
    kind="active",
    remedy="kubectl -n web-agents get secret dashboard-secrets; restart {name}; nothing before it may add credentials",
    consequence="whoever reaches the dashboard starts and stops tests",
    source="seed 000, chapter 5.5",
)
@for_each("workload", cases.of_program("refusal", "dashboard"))
def test_strangers_are_kept_out(workload: Thing[Workload], facts: Facts) -> None:
    """Without a password, and with a wrong one, the dashboard answers 401 or 403."""
    for purpose in ("agents-anonymous", "agents-wrong"):
        page = facts.probe(Http, purpose, target=workload.name)

        assert page.status in {401, 403}, found(f"{purpose}: {page}, status {page.status}", expected="401 or 403")


@check(
    "services.dashboard-refuses-agents",
    severity="critical",
    kind="active",
    remedy="kubectl -n web-agents get secret dashboard-secrets: AGENT_API_TOKEN must not be empty; restart {name}",
    consequence="anybody registers as an agent, and results are not those of the bed",
    source="seed 000, chapter 5.5",
)
@for_each("workload", cases.of_program("registering", "dashboard"))
def test_an_agent_with_a_wrong_token_is_refused(workload: Thing[Workload], facts: Facts) -> None:
    """Whoever registers with a wrong token is answered 401 or 403."""
    page = facts.probe(Http, "register-wrong", target=workload.name)

    assert page.status in {401, 403}, found(f"{page}, status {page.status}", expected="401 or 403")
