"""Each service leads to its pods, answers from every node, and speaks the protocol that it is for."""

from __future__ import annotations

from plumbline.bed.model import Workload
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Http, Tcp
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.services import cases

_PASSWORD_ASKED = {3, 5, 10}
"""Kinds of an authentication request in PostgreSQL's protocol: clear text, MD5, SASL. 0 would let anybody in."""


def greets(answer: Tcp, program: str) -> bool:
    """Whether the first bytes are those of the protocol that a program speaks; others speak when they are spoken to."""
    if program in {"postgres", "pgbouncer"}:
        return answer.greeting == "S"
    if program == "nfs-server":
        return answer.greeting[4:12] == "plum\x00\x00\x00\x01"
    return True


@check(
    "services.endpoints",
    severity="critical",
    remedy="kubectl get services,endpointslices -A | grep {name}; its selector must be the labels of its pods",
    consequence="who asks for {name} by its service is refused",
    source="seed 000, chapter 5",
)
@for_each("workload", cases.served)
def test_a_service_leads_to_its_pods(workload: Thing[Workload], facts: Facts) -> None:
    """There is a service on the declared port, and its selector selects the pods of the workload."""
    labels = workload.spec.labels(workload.name)
    services = [
        s["metadata"]["name"]
        for s in facts.kubernetes.objects("services")
        if s["metadata"]["namespace"] == workload.spec.namespace
        and any(p["port"] == workload.spec.port for p in s["spec"].get("ports", ()))
        and (s["spec"].get("selector") or {"": ""}).items() <= labels.items()
    ]

    assert services, found("no service leads to its pods", expected=f"one on port {workload.spec.port}")


@check(
    "services.port",
    severity="critical",
    kind="active",
    remedy="kubectl get pods -A | grep {name}; kubectl logs of it; kubectl exec of it -- ss -tlnp",
    consequence="{name} is there and does not serve",
    source="seed 000, chapter 2",
)
@for_each("workload", cases.ports)
def test_a_pod_takes_connections(workload: Thing[Workload], facts: Facts) -> None:
    """The pod takes connections on its port and begins to speak the right protocol."""
    answer = facts.probe(Tcp, "port", target=workload.name)

    assert answer.ok, found(answer, expected="a connection")
    assert greets(answer, workload.spec.program), found(f"greeted with {answer.greeting!r}", expected="its protocol")


@check(
    "services.reached",
    severity="critical",
    kind="active",
    remedy="on {item}: systemctl status kube-proxy flanneld; iptables-save -t nat | grep the service of {node}",
    consequence="pods on {item} do without {node}",
    source="seed 000, chapter 2",
)
@for_each("access", cases.accesses)
def test_a_service_answers_from_each_node(access: cases.Access, facts: Facts) -> None:
    """From a pod on the node, the service's address takes a connection and begins to speak the right protocol."""
    answer = facts.probe(Tcp, "service", source=access.node, target=access.workload)

    assert answer.ok, found(answer, expected="a connection")
    assert greets(answer, access.spec.program), found(f"greeted with {answer.greeting!r}", expected="its protocol")


@check(
    "services.healthy",
    severity="critical",
    kind="active",
    remedy="kubectl get pods -A -o wide | grep {name}; kubectl logs of it; the page says what is wrong",
    consequence="{name} runs and does not work",
    source="seed 000, chapter 12",
)
@for_each("workload", cases.of_program("health", "dashboard", "prometheus", "snmp-exporter"))
def test_a_program_says_that_it_is_well(workload: Thing[Workload], facts: Facts) -> None:
    """The page by which the program tells its health says 200."""
    page = facts.probe(Http, "health", target=workload.name)

    assert page.status == 200, found(f"{page}, status {page.status}: {page.text[:120]}", expected="200")


@check(
    "services.asks-for-password",
    severity="critical",
    kind="active",
    remedy="kubectl exec of {name} -- cat pg_hba.conf, or auth_type of PgBouncer: trust must not stand there",
    consequence="whoever reaches the pod network reads and writes the database",
    source="seed 000, chapter 5.4",
)
@for_each("workload", cases.of_program("login", "postgres", "pgbouncer"))
def test_a_database_lets_nobody_in_without_a_password(workload: Thing[Workload], facts: Facts) -> None:
    """The database's owner, who shows no password, is refused, or asked for one."""
    answer = facts.probe(Tcp, "login", target=workload.name)
    greeting = answer.greeting.encode("latin-1")
    if not answer.ok or not greeting:
        raise Unknown(f"{workload.name} said nothing: {answer}", cause=f"listening:{workload.name}")
    asked = greeting[:1] == b"R" and int.from_bytes(greeting[5:9], "big") in _PASSWORD_ASKED

    assert asked or greeting[:1] == b"E", found(f"let in: {greeting!r}", expected="a question for the password, or no")
