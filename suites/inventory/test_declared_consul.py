"""The bed file declares a Consul that can be. No bed is needed to know."""

from __future__ import annotations

from plumbline.bed.consistency import cases
from plumbline.bed.consistency.found import Contradiction
from plumbline.check import check, for_each, found


@check(
    "inventory.consul-quorum",
    severity="critical",
    remedy="make the number of consul.servers odd",
    consequence="the quorum is lost with as few servers as one less would bear",
    source="seed 001, 3c (quorum)",
)
@for_each("thing", cases.consul_parts("peers"))
def test_the_number_of_servers_is_odd(thing: str, contradiction: Contradiction) -> None:
    """The number of servers is odd."""
    wrong = contradiction("consul-quorum", thing)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.consul-twice",
    severity="critical",
    remedy="take {name} out of consul.clients or of consul.servers",
    consequence="nobody knows which of the two {name} is to be",
    source="seed 001, S38",
)
@for_each("thing", cases.consul_parts("agent"))
def test_a_node_is_a_server_or_a_client(thing: str, contradiction: Contradiction) -> None:
    """A node is a server or a client."""
    wrong = contradiction("consul-twice", thing)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.consul-certificate",
    severity="critical",
    remedy="add {name} to the nodes of the certificate and of step_ca",
    consequence="{name} shows no certificate, and nobody speaks to it",
    source="seed 001, fact 127 and F19 (L7602)",
)
@for_each("thing", cases.consul_parts("api"))
def test_every_server_has_its_certificate(thing: str, contradiction: Contradiction) -> None:
    """Every server has its certificate."""
    wrong = contradiction("consul-certificate", thing)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.consul-server-name",
    severity="critical",
    remedy="add the name to the certificate of consul.certificate",
    consequence="no agent believes that it speaks to a server",
    source="seed 001, fact 127 (L7236)",
)
@for_each("thing", cases.consul_parts("name-of-servers"))
def test_the_servers_certificate_is_for_agents_to_know_them(thing: str, contradiction: Contradiction) -> None:
    """The servers' certificate is for server.DATACENTER.consul."""
    wrong = contradiction("consul-server-name", thing)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.consul-service-without-agent",
    severity="major",
    remedy="add its node to consul.clients, or take it out of the service",
    consequence="{name} is never registered",
    source="seed 001, fact 130",
)
@for_each("thing", cases.consul_parts("service"))
def test_an_instance_is_told_of_by_the_agent_of_its_node(thing: str, contradiction: Contradiction) -> None:
    """An instance is told of by the agent of its node."""
    wrong = contradiction("consul-service-without-agent", thing)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.consul-check-unnamed",
    severity="major",
    remedy="add the name to the certificate, or let the check ask for another",
    consequence="the check of {name} never passes",
    source="seed 001, S14 (L10990-11016, L11125)",
)
@for_each("thing", cases.consul_parts("service"))
def test_a_check_asks_for_a_name_that_the_certificate_has(thing: str, contradiction: Contradiction) -> None:
    """A check asks for a name that the certificate has."""
    wrong = contradiction("consul-check-unnamed", thing)

    assert not wrong, found(wrong.found, expected=wrong.expected)


@check(
    "inventory.consul-check-overlapping",
    severity="minor",
    remedy="shorten the timeout or lengthen the interval of {name}",
    consequence="checks of {name} pile up on its agent",
    source="seed 001, fact 130 (L12045)",
)
@for_each("thing", cases.consul_parts("name"))
def test_a_check_ends_before_the_next_one(thing: str, contradiction: Contradiction) -> None:
    """A check ends before the next one."""
    wrong = contradiction("consul-check-overlapping", thing)

    assert not wrong, found(wrong.found, expected=wrong.expected)
