"""What the suite of this folder speaks with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from plumbline.bed import Bed
from plumbline.facts import Facts
from plumbline.facts.renewers import Renewer
from plumbline.facts.ssh import Signed, SignedKey, SshFacts, read
from plumbline.outcome import Unknown
from suites.ssh.cases import Renewing, User


@pytest.fixture(scope="session")
def ssh(facts: Facts) -> Callable[[str], SshFacts]:
    """What a node has of certificates of SSH."""
    return lambda node: SshFacts(facts.node(node))


@pytest.fixture(scope="session")
def shown_by(facts: Facts) -> Callable[[str], Signed]:
    """The host certificate that a node shows before any login; Unknown, caused by that, where it shows none."""

    def read_off(node: str) -> Signed:
        shown = facts.host_key(node).certificates
        if not shown:
            raise Unknown(f"{node} shows no certificate", cause=f"ssh-host-file:{node}")
        return read(shown[0])

    return read_off


@pytest.fixture(scope="session")
def shown(ssh: Callable[[str], SshFacts]) -> Callable[[User], SignedKey]:
    """What a user shows."""
    return lambda user: ssh(user.node).user(user.name)


@pytest.fixture(scope="session")
def renewer(ssh: Callable[[str], SshFacts]) -> Callable[[Renewing], Renewer]:
    """What renews a certificate."""
    return lambda renewing: ssh(renewing.node).renewer(renewing.unit)


@pytest.fixture(scope="session")
def authority(bed: Bed, ssh: Callable[[str], SshFacts]) -> Callable[[str], str]:
    """The fingerprint of the authority for `host` or `user`; Unknown where it cannot be read on its own node."""

    def read(kind: str) -> str:
        if bed.step_ca is None or bed.ssh_certificates is None or bed.step_ca.node not in bed.ssh_certificates.on:
            raise Unknown("the authority's node is none of those that SSH is declared for")
        return ssh(bed.step_ca.node).authority(kind)

    return read


@pytest.fixture(scope="session")
def lateness(bed: Bed) -> timedelta:
    """How long a renewal may take from the moment at which the timer should have looked (budgets.renewal)."""
    return bed.budgets.get("renewal", timedelta(minutes=1))


@pytest.fixture(scope="session")
def up_for(facts: Facts) -> Callable[[str], timedelta]:
    """How long a node has been up."""
    return lambda node: timedelta(seconds=facts.node(node).up_for_s)
