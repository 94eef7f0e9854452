"""Together the servers are one Vault: one active and for a while, all members, each able to serve what it is asked."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.model import Vault
from plumbline.check import check, for_each, found
from plumbline.collect.vault import ACTIVE
from plumbline.facts import Facts
from plumbline.facts.vault import Audited, VaultFacts
from plumbline.outcome import Unknown
from suites.vault import cases

_STEADY_S = 5.0


@check(
    "vault.one-active",
    severity="critical",
    remedy="vault operator raft list-peers; on each server: journalctl -u vault | grep -iE 'leader|seal' | tail",
    consequence="without an active server no secret can be read or written; with two of them some writes are lost",
    source="seed 001, fact 133 (L7274, L7318)",
)
@for_each("name", cases.cluster)
def test_exactly_one_server_is_active(name: str, vault: VaultFacts, bed: Bed) -> None:
    """One server answers 200 to the question for its health, the others 429, within the time of the bed file."""
    states = {server.node: server.state for server in vault.open}
    active = [node for node, state in states.items() if state == "active"]
    limit = bed.budgets[ACTIVE].total_seconds() if ACTIVE in bed.budgets else vault.waited
    told = ", ".join(f"{node} {state}" for node, state in states.items()) or "no server is open"

    assert len(active) == 1, found(f"{told}, after {vault.waited:.0f} s", expected=f"one active within {limit:.0f} s")
    assert set(states.values()) <= {"active", "standby"}, found(told, expected="the others standby")


@check(
    "vault.steady",
    severity="major",
    remedy="on each server: journalctl -u vault | grep -iE 'acquired lock|stepp|election' | tail; look at its clock and disk",
    consequence="Vault looks healthy at each single look, and fails whoever asks in between",
    source="seed 001, S12 (L11406, L11427: leadership that cycles every 3 s)",
)
@for_each("name", cases.cluster)
def test_the_active_server_stays_the_same(name: str, vault: VaultFacts, bed: Bed) -> None:
    """The active server has been so for a while, and is the same at the end of the look as at its beginning."""
    least = bed.budgets["vault_steady"].total_seconds() if "vault_steady" in bed.budgets else _STEADY_S
    active, age = vault.active, vault.active.active_for
    later = set(vault.later_leaders.values())
    if age is None:
        raise Unknown(f"{active.node} does not say since when it is active", cause=f"vault:{active.node}")

    assert age >= least, found(f"{active.node} has been active for {age:.0f} s", expected=f"{least:.0f} s or more")
    assert later <= {active.leader}, found(f"first {active.leader}, then {', '.join(later)}", expected="the same")


@check(
    "vault.members",
    severity="critical",
    remedy="vault operator raft list-peers; vault operator raft join on the one that is missing, remove-peer for a stranger",
    consequence="the store has fewer copies than it seems, or waits for a server that is no more",
    source="seed 001, fact 133; quorum of 3 (L1547)",
)
@for_each("name", cases.members)
def test_every_server_is_a_member_that_votes(name: str, vault: VaultFacts, declared: Vault, bed: Bed) -> None:
    """The members of the store are the declared servers, at their addresses, and each may vote."""
    peers = vault.peers
    wanted = {node: f"{bed.nodes[node].oobi}:{declared.cluster_port}" for node in declared.on}
    seen = {node: str(peer.get("address")) for node, peer in peers.items()}

    assert seen == wanted, found(_listed(seen), expected=_listed(wanted))
    assert all(peer.get("voter") for peer in peers.values()), found(
        f"may not vote: {', '.join(node for node, peer in peers.items() if not peer.get('voter'))}", expected="all may"
    )


@check(
    "vault.members-healthy",
    severity="critical",
    remedy="vault operator raft autopilot state; between the servers: port 8201 both ways",
    consequence="one more server that is lost stops Vault",
    source="seed 001, fact 133; quorum of 3 survives 1 (L1547)",
)
@for_each("name", cases.membership)
def test_the_store_survives_the_loss_of_a_server(name: str, vault: VaultFacts, declared: Vault) -> None:
    """Every member has been heard of lately and holds the data; as many may be lost as their number allows."""
    state, least = vault.autopilot, (len(declared.on) - 1) // 2
    ill = [node for node, server in (state.get("servers") or {}).items() if not server.get("healthy")]

    assert not ill, found(f"not healthy: {', '.join(sorted(ill))}", expected="every member healthy")
    assert state.get("failure_tolerance", 0) >= least, found(
        f"{state.get('failure_tolerance')} may be lost", expected=f"{least} or more"
    )


@check(
    "vault.write-seen-elsewhere",
    severity="critical",
    remedy="from {node}: nc -zv ACTIVE 8201; journalctl -u vault -n 50 on {node}",
    consequence="clients whose requests reach {node} are refused, or told what is old",
    source="seed 001, fact 135 (consistency strong, L7335)",
    kind="active",
)
@for_each("node", cases.forwards)
def test_what_one_server_took_another_tells(node: str, vault: VaultFacts) -> None:
    """A write by way of this server is taken, and this server tells what was written by way of another."""
    written = vault.written(node)
    said, other, same = vault.copied(node)
    taken = vault.written(other)

    assert written.status in (200, 204), found(f"a write: {written}", expected="status 204")
    assert same or taken.status not in (200, 204), found(
        f"{said}, of what {other} had taken", expected=f"what was written by way of {other}"
    )


@check(
    "vault.requests-recorded",
    severity="critical",
    remedy="on the active server: vault audit list; the stanza audit in /etc/vault.d/vault.hcl; ls -l {item}",
    consequence="who read which secret cannot be told afterwards",
    source="seed 001, L7502-7541 (monitoring and audit)",
    kind="active",
)
@for_each("path", cases.record)
def test_a_request_is_written_down(path: str, vault: VaultFacts, facts: Facts) -> None:
    """The active server writes a request into its file: a moment later it is there."""
    active = vault.active.node
    said = facts.probe(Audited, "vault", source=active, target=active)

    assert said.ok, found(f"the request: {said}", expected="an answer")
    assert said.written, found(
        f"{path} on {active}: " + ("there is no such file" if said.size is None else "the request is not in it"),
        expected="the request",
    )


def _listed(members: dict[str, str]) -> str:
    return ", ".join(f"{node} {address}" for node, address in sorted(members.items())) or "none"
