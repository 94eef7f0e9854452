"""Three Vault servers on machines of their own: up, looked at, one of them lost, and gone again (needs root)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaos import vault_admin
from chaos.call import Call
from chaos.reach import Reach
from lab import machine, up
from lab.progress import Progress
from plumbline import namespace
from plumbline.bed import Bed, load
from plumbline.collect import vault as collecting
from plumbline.collect.access import Access
from plumbline.facts.vault import VaultFacts

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="machines need root"), pytest.mark.timeout(400)]
OPEN_LIMIT = 60.0
"""Seconds for a server that was killed to start and open again; `vault_failover` is what the others may take."""


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    loaded = load(Path(__file__).parent / "beds" / "vault.yaml")
    try:
        up.up(loaded, Progress())
        yield loaded
    finally:
        up.down(loaded.bed, Progress())


@pytest.fixture
def reach(bed: Bed) -> Iterator[Reach]:
    with Reach(bed) as made:
        yield made


def asked(bed: Bed) -> VaultFacts:
    """What the servers say to the gate, from where it stands."""
    access = Access.of(bed)
    with ThreadPoolExecutor(1, "gate", namespace.enter, (access.netns,)) as pool:
        source = pool.submit(collecting.ask, bed, access, True, 1.0).result()
    assert source.outcome == "ok", source.error
    assert bed.vault is not None
    return VaultFacts(source.facts, bed.vault)


def test_the_cluster_is_whole_and_the_gate_may_only_look(bed: Bed) -> None:
    vault = asked(bed)

    assert bed.vault is not None
    assert sorted(server.state for server in vault.servers) == ["active", "standby", "standby"]
    assert {node for node, peer in vault.peers.items() if peer["voter"]} == set(bed.vault.on)
    assert all(vault.rights(path) == set(rights) for path, rights in bed.vault.allowed.items())
    assert not any(vault.rights(path) for path in bed.vault.forbidden)
    assert all(vault.copied(node)[2] for node in bed.vault.on)
    assert all(not vault.stranger(node, kind)[0] for node in bed.vault.on for kind in ("none", "foreign"))
    assert {vault.secret(node, "private")[0].status for node in bed.vault.on} == {403}


def test_a_second_up_changes_nothing(bed: Bed) -> None:
    before = {node: machine.leader(bed.bed, node) for node in bed.nodes}
    up.up(bed, Progress())

    assert {node: machine.leader(bed.bed, node) for node in bed.nodes} == before


def test_another_server_takes_over_and_the_first_opens_by_itself(bed: Bed, reach: Reach) -> None:
    active = next(node for node, state in vault_admin.states(bed, reach).items() if state == "active")
    machine.run(bed.bed, active, ["systemctl", "kill", "--signal=KILL", "vault"])
    limit, began = bed.budgets["vault_failover"].total_seconds(), time.monotonic()
    while "active" not in [state for node, state in vault_admin.states(bed, reach).items() if node != active]:
        assert time.monotonic() - began < limit, "no other server took over"
        time.sleep(0.1)
    began = time.monotonic()
    while vault_admin.states(bed, reach)[active] != "standby":
        assert time.monotonic() - began < OPEN_LIMIT, f"{active} did not open by itself"
        time.sleep(0.1)


def test_a_secret_comes_back_as_it_was(bed: Bed, reach: Reach) -> None:
    call = Call("vault.secret", {"secret": "canary", "present": False})
    undo = call.reverse(bed, reach)
    call.apply(bed, reach)
    gone = {asked(bed).secret(node, "canary")[0].status for node in bed.nodes}
    for step in undo:
        step.apply(bed, reach)

    assert gone == {404}
    assert {asked(bed).secret(node, "canary")[0].status for node in bed.nodes} == {200}
