"""What the suite of this folder speaks with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plumbline import x509
from plumbline.bed import Bed
from plumbline.bed.model import Certificate
from plumbline.facts import Facts
from plumbline.outcome import Unknown
from plumbline.subjects import Thing


@pytest.fixture(scope="session")
def leaf(facts: Facts) -> Callable[[Thing[Certificate]], x509.Certificate]:
    """The certificate that lies in the secret of a certificate; Unknown, caused by the secret, where there is none."""

    def read(thing: Thing[Certificate]) -> x509.Certificate:
        reference = thing.spec.secret
        secret = facts.kubernetes.secret(reference.namespace, reference.name)
        chain = secret.chain() if secret else ()
        if not chain:
            raise Unknown(f"there is no certificate in the secret {reference}", cause=f"secret:{reference}")
        return chain[0]

    return read


@pytest.fixture(scope="session")
def bundle(facts: Facts) -> Callable[[str], str]:
    """The published certificate (PEM) of an authority; Unknown, caused by the authority, where there is none."""

    def read(authority: str) -> str:
        pem = facts.kubernetes.bundle(authority)
        try:
            x509.parse(pem or "")
        except ValueError as error:
            raise Unknown(
                f"no certificate of {authority} is published: {error}", cause=f"authority:{authority}/published"
            ) from error
        return pem or ""

    return read


@pytest.fixture(scope="session")
def workload_of(bed: Bed) -> Callable[[Thing[Certificate]], str]:
    """The workload that serves a certificate; Unknown where none does."""

    def read(thing: Thing[Certificate]) -> str:
        for name, workload in bed.workloads.items():
            if workload.certificate == thing.name:
                return name
        raise Unknown(f"no workload of the bed file serves {thing.name}")

    return read


@pytest.fixture(scope="session")
def persona_of(bed: Bed, workload_of: Callable[[Thing[Certificate]], str]) -> Callable[[Thing[Certificate]], str]:
    """The persona whose workload serves a certificate; Unknown where none does."""

    def read(thing: Thing[Certificate]) -> str:
        workload = workload_of(thing)
        for name, persona in bed.personas.items():
            if persona.workload == workload:
                return name
        raise Unknown(f"{workload}, which serves {thing.name}, is no persona's")

    return read


@pytest.fixture(scope="session")
def cluster_ca(facts: Facts) -> Callable[[], str]:
    """The authority that the cluster publishes as its own (PEM); Unknown where it does not."""

    def read() -> str:
        pem = (facts.kubernetes.configmap("kube-system", "kube-root-ca.crt") or {}).get("ca.crt", "")
        try:
            x509.parse(pem)
        except ValueError as error:
            raise Unknown(f"kube-root-ca.crt holds no authority: {error}", cause="kubernetes:api") from error
        return pem

    return read
