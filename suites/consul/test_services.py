"""What Consul tells of services is true: registered, honestly checked, found by name on every node."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.consul import ConsulService
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.consul import Consul
from plumbline.facts.replies import Dns, Http, Reply, Tcp, Tls
from plumbline.subjects import Thing
from suites.consul.cases import InstanceOf, instances, names, on


@check(
    "consul.registered",
    severity="major",
    remedy="on the node: ls /etc/consul.d/service-*.json; consul reload; journalctl -u consul -n 50",
    consequence="nobody finds {name}, though it may run",
    source="seed 001, fact 130 (L12024-12049)",
)
@for_each("instance", instances("service"))
def test_an_instance_is_registered(instance: InstanceOf, consul: Consul, bed: Bed) -> None:
    """The instance SERVICE-NODE is in the catalog: on its node, at its address and port, in the declared cluster."""
    listed = consul.instance(instance.id, instance.name)
    assert bed.consul
    wanted = (instance.node, str(bed.nodes[instance.node].oobi), instance.spec.port, bed.consul.cluster)

    assert listed is not None, found("it is not in the catalog", expected=f"{instance.id} on {instance.node}")
    assert (listed.node, listed.address, listed.port, listed.cluster) == wanted, found(
        (listed.node, listed.address, listed.port, listed.cluster), expected=wanted
    )


@check(
    "consul.check-made",
    severity="major",
    remedy="on the node: interval and timeout in /etc/consul.d/service-*.json; consul reload",
    consequence="a dead instance is handed out for longer than the bed file promises",
    source="seed 001, fact 130 (L12045)",
)
@for_each("instance", instances("check"))
def test_an_instance_is_checked_as_often_as_declared(instance: InstanceOf, consul: Consul) -> None:
    """The agent makes a check of each instance, with the declared interval and timeout."""
    made = consul.checks(instance.node, instance.id)
    check = instance.spec.check
    declared = check.interval.total_seconds(), check.timeout.total_seconds()
    other = [f"every {every:g} s, {long:g} s long" for every, long in made if (every, long) != declared]

    assert made, found("its agent makes no check of it", expected="a check")
    assert not other, found("; ".join(other), expected=f"every {declared[0]:g} s, {declared[1]:g} s long")


@check(
    "consul.check-begins-critical",
    severity="minor",
    remedy="on the node: take `status` out of /etc/consul.d/service-*.json; consul reload",
    consequence="a service that is dead when its agent starts is handed out until its first check",
    source="seed 001, S15 (L12039-12048)",
)
@for_each("instance", instances("begins"))
def test_a_check_does_not_begin_as_passing(instance: InstanceOf, consul: Consul) -> None:
    """No check of an instance is called passing before it was made."""
    states = consul.agent(instance.node).first_states(instance.id)

    assert "passing" not in states, found("its definition has status: passing", expected="critical until it was made")


@check(
    "consul.passing",
    severity="major",
    remedy="on the node: systemctl status of what is behind it; consul monitor",
    consequence="Consul hands out no address of {name}",
    source="seed 001, fact 130 (L7533)",
)
@for_each("instance", instances("passing"))
def test_an_instance_passes_its_check(instance: InstanceOf, consul: Consul) -> None:
    """All checks of an instance pass."""
    listed = consul.instance(instance.id, instance.name)
    assert listed is not None, found("it is not in the catalog", expected="passing")

    assert listed.state == "passing", found(f"{listed.state}: {listed.said}", expected="passing")


@check(
    "consul.honest",
    severity="critical",
    kind="active",
    remedy="on the node: ask what the check asks by hand; compare with /etc/consul.d/service-*.json; consul reload",
    consequence="Consul hands out the address of something that is dead",
    source="seed 001, S15 (L12039-12048, L12081)",
)
@for_each("instance", instances("honest"))
def test_what_is_called_passing_is_alive(instance: InstanceOf, consul: Consul, facts: Facts) -> None:
    """What Consul calls passing answers the gate too, asked what the check should ask."""
    listed = consul.instance(instance.id, instance.name)
    check = instance.spec.check
    kind: type[Reply] = Tcp if check.http is None else Tls if check.scheme == "https" else Http
    reply = facts.probe(kind, "consul-direct", source=instance.node, target=instance.id)
    passing = listed is not None and listed.state == "passing"

    assert _well(reply) or not passing, found(f"Consul says passing; asked directly: {reply}", expected="an answer")


@check(
    "consul.dns",
    severity="critical",
    kind="active",
    remedy="on {name}: dig @127.0.0.1 -p 8600 consul.service.consul; acl.tokens.dns in /etc/consul.d",
    consequence="nothing on {name} finds a service by its name",
    source="seed 001, fact 128 (L7228)",
)
@for_each("node", on("dns"))
def test_an_agent_names_the_servers(node: str, facts: Facts, bed: Bed) -> None:
    """The agent of each node resolves consul.service.consul to the servers."""
    reply = facts.probe(Dns, "consul-dns", source=node, target="consul")
    assert bed.consul
    wanted = sorted(str(bed.nodes[server].oobi) for server in bed.consul.servers)

    assert reply.ok, found(reply, expected=", ".join(wanted))
    assert sorted(reply.answers) == wanted, found(
        f"{reply.rcode} {', '.join(reply.answers)}", expected=", ".join(wanted)
    )


@check(
    "consul.dns-tcp",
    severity="minor",
    kind="active",
    remedy="on {name}: dig +tcp @127.0.0.1 -p 8600 consul.service.consul",
    consequence="answers that are too long for one packet never come",
    source="seed 001, fact 128 (L7228)",
)
@for_each("node", on("dns-tcp"))
def test_names_are_told_over_tcp_too(node: str, facts: Facts) -> None:
    """The agent answers over TCP as over UDP."""
    reply = facts.probe(Dns, "consul-dns", source=node, target="consul-tcp")

    assert reply.ok, found(reply, expected="an answer over TCP")
    assert reply.answers, found(reply.rcode, expected="addresses")


@check(
    "consul.dns-nothing",
    severity="major",
    kind="active",
    remedy="on {name}: dig @127.0.0.1 -p 8600 no-such-name.service.consul; see recursors and prepared queries",
    consequence="names of services that do not exist lead somewhere",
    source="seed 001, fact 128 (L7228)",
)
@for_each("node", on("dns-nothing"))
def test_a_name_that_nobody_has_leads_nowhere(node: str, facts: Facts) -> None:
    """The name of a service that does not exist is answered with NXDOMAIN."""
    reply = facts.probe(Dns, "consul-dns", source=node, target="nothing")

    assert reply.ok, found(reply, expected="NXDOMAIN")
    assert reply.rcode == "NXDOMAIN", found(f"{reply.rcode} {', '.join(reply.answers)}", expected="NXDOMAIN")


@check(
    "consul.service-name",
    severity="major",
    kind="active",
    remedy="dig @127.0.0.1 -p 8600 {name}.service.consul; consul catalog services; see the checks of {name}",
    consequence="whoever asks for {name} gets no address, a dead one, or not all",
    source="seed 001, fact 128 (L7373, L7533)",
)
@for_each("service", names)
def test_a_service_is_found_by_its_name(service: Thing[ConsulService], facts: Facts, bed: Bed) -> None:
    """Every agent resolves SERVICE.service.consul to addresses of nodes with an instance; one that has many, to three."""
    wanted = {str(bed.nodes[node].oobi) for node in service.spec.on}
    replies = facts.probes(Dns, "consul-dns", target=service.name)
    silent = [str(reply) for reply in replies if not reply.ok]
    wrong = [f"{r.node}: {r.rcode} {', '.join(r.answers)}" for r in replies if r.ok and not _of(set(r.answers), wanted)]

    assert not silent, found("; ".join(silent), expected=", ".join(sorted(wanted)))
    assert not wrong, found("; ".join(wrong), expected=", ".join(sorted(wanted)))


def _of(answers: set[str], wanted: set[str]) -> bool:
    """Consul answers a question over UDP with three addresses at most, chosen anew each time."""
    return answers <= wanted and len(answers) >= min(3, len(wanted))


def _well(reply: Reply) -> bool:
    """Whether what was asked answered as a passing check wants: connected, or a page of 200 to 299."""
    return reply.ok and (isinstance(reply, Tcp) or 200 <= (getattr(reply, "status", None) or 0) < 300)
