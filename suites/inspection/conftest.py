"""What the suite of this folder speaks with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plumbline import x509
from plumbline.bed import Bed
from plumbline.facts import Facts, Ping, Tls
from plumbline.outcome import Unknown
from plumbline.subjects import Path


@pytest.fixture(scope="session")
def shown(facts: Facts) -> Callable[[Path], Tls]:
    """A handshake of a flow that was answered; Unknown, caused by the flow, where none was."""

    def read(path: Path) -> Tls:
        answers = facts.probes(Tls, "flow", source=path.source, target=path.target)
        for answer in answers:
            if answer.leaf is not None:
                return answer
        raise Unknown(f"no handshake: {answers[0]}", cause=f"flow:{path.source}>{path.target}")

    return read


@pytest.fixture(scope="session")
def page(facts: Facts) -> Callable[[Path], Tls]:
    """The page that an agent was given; Unknown, caused by the flow, where it was not even shown a certificate."""

    def read(path: Path) -> Tls:
        answer = facts.probe(Tls, "page", source=path.source, target=path.target)
        if answer.leaf is None:
            raise Unknown(f"no handshake: {answer}", cause=f"flow:{path.source}>{path.target}")
        return answer

    return read


@pytest.fixture(scope="session")
def require_alive(facts: Facts) -> Callable[[str], None]:
    """Unknown, caused by the persona, where it answers nobody: that it was not reached then says nothing."""

    def look(persona: str) -> None:
        answer = facts.probe(Tls, "own", target=persona)
        if not answer.ok:
            raise Unknown(f"{persona} does not answer its own pod: {answer}", cause=f"persona:{persona}")

    return look


@pytest.fixture(scope="session")
def require_gateway(facts: Facts, bed: Bed) -> Callable[[str], None]:
    """Unknown, caused by the path there, where the pods of a workload do not reach the gateway of their network."""

    def look(workload: str) -> None:
        attach = bed.workloads[workload].attach
        network = bed.attachments[attach].network if attach else ""
        answers = facts.probes(Ping, "gateway", source=workload, target=network)
        if not any(answer.received for answer in answers):
            raise Unknown(f"the gateway of {network} does not answer: {answers[0]}", cause=f"net1-path:{workload}")

    return look


@pytest.fixture(scope="session")
def roots(facts: Facts) -> Callable[[str], tuple[x509.Certificate, ...]]:
    """The published certificates of an authority; Unknown, caused by the authority, where there are none."""

    def read(authority: str) -> tuple[x509.Certificate, ...]:
        try:
            return x509.parse(facts.kubernetes.bundle(authority) or "")
        except ValueError as error:
            raise Unknown(f"{authority} is not published: {error}", cause=f"authority:{authority}/published") from error

    return read
