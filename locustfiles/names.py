"""Which names a target asks for, whom, and what the right answer is, by the bed file; and one question. No Locust here."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from locustfiles.failed import CallFailed
from plumbline.bed import Bed
from plumbline.bed.model import Target
from plumbline.remote import dns

_DNS = 53
_CONSUL = "consul"


@dataclass(frozen=True)
class Question:
    """A name, the zone that it is counted under, and all addresses that it may have."""

    name: str
    zone: str
    addresses: frozenset[str]

    def is_right(self, answers: Sequence[str]) -> bool:
        """Whether these are some of its addresses, and no others: a server need not tell all, nor those that are ill."""
        return bool(answers) and self.addresses.issuperset(answers)


def servers(bed: Bed, target: Target) -> list[tuple[str, int]]:
    """Address and port of each server that a target asks."""
    if target.from_:
        assert bed.kubernetes is not None, "see plumbline.bed.asked"
        return [(str(bed.kubernetes.dns), _DNS)]
    assert bed.consul is not None, "see plumbline.bed.asked"
    assert bed.consul.server.dns is not None, "see plumbline.bed.asked"
    return [(str(bed.nodes[node].oobi), bed.consul.server.dns.port) for node in bed.consul.servers]


def questions(bed: Bed, target: Target) -> list[Question]:
    """The names that those servers know, at least one."""
    return list(_of_cluster(bed) if target.from_ else _of_consul(bed))


def _of_cluster(bed: Bed) -> Iterator[Question]:
    """The API server's, whose address is the first of all services; and personas, where the cluster answers for them."""
    kubernetes = bed.kubernetes
    assert kubernetes is not None
    first = frozenset([str(kubernetes.services[1])])
    yield Question(f"kubernetes.default.svc.{kubernetes.domain}", kubernetes.domain, first)
    for zone in kubernetes.zones:
        for persona in bed.personas.values():
            if persona.name.endswith(f".{zone}"):
                yield Question(persona.name, zone, frozenset([str(persona.address)]))


def _of_consul(bed: Bed) -> Iterator[Question]:
    """Its servers, and all services that it tells of."""
    consul = bed.consul
    assert consul is not None
    on = {_CONSUL: consul.servers, **{name: service.on for name, service in consul.services.items()}}
    for name, nodes in on.items():
        addresses = frozenset(str(bed.nodes[node].oobi) for node in nodes)
        yield Question(f"{name}.service.{_CONSUL}", f"service.{_CONSUL}", addresses)


def ask(sock: socket.socket, question: Question, timeout: float) -> None:
    """CallFailed where no right answer comes within `timeout` seconds. A late answer to an earlier question is none."""
    number, end, data = os.urandom(2), time.monotonic() + timeout, b""
    try:
        sock.send(dns.query(number, question.name))
        while data[:2] != number:
            sock.settimeout(max(0.001, end - time.monotonic()))
            data = sock.recv(4096)
    except TimeoutError:
        raise CallFailed("timeout: no answer") from None
    except OSError as error:
        raise CallFailed.by(error) from None
    try:
        told = dns.reply(data, number)
    except ValueError:
        raise CallFailed("not DNS") from None
    if told["rcode"] != "NOERROR":
        raise CallFailed(f"rcode {told['rcode']}")
    if not question.is_right(told["answers"]):
        raise CallFailed("wrong answer")
