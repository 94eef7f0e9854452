"""On each node: the server runs as its unit says, may do no more than it must, and keeps its secrets to itself."""

from __future__ import annotations

from collections import Counter

from plumbline.bed import Bed
from plumbline.bed.model import Vault
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.vault import VaultNode
from plumbline.outcome import Unknown
from suites.vault import cases
from suites.vault.cases import PrivateFile, bits


@check(
    "vault.unit-active",
    severity="critical",
    remedy="on {node}: journalctl -u vault -n 50; systemctl start vault",
    consequence="one server fewer: of three the next one that is lost takes all of Vault along",
    source="seed 001, fact 133 (L7315-7352)",
)
@for_each("node", cases.units)
def test_the_unit_is_active(node: str, facts: Facts, declared: Vault) -> None:
    """The unit of the server runs."""
    unit = facts.node(node).unit(declared.unit)

    assert unit.active, found(unit.state if unit.loaded else "there is no such unit", expected="active (running)")


@check(
    "vault.unit-enabled",
    severity="major",
    remedy="on {node}: systemctl enable vault",
    consequence="the server is gone after the next boot of {node}",
    source="seed 001, fact 134 (L7279-7306)",
)
@for_each("node", cases.process("enabled"))
def test_the_unit_comes_back_after_a_boot(node: str, facts: Facts, declared: Vault) -> None:
    """The unit of the server is enabled."""
    unit = facts.node(node).unit(declared.unit)

    assert unit.enabled == "enabled", found(unit.enabled or "there is no such unit", expected="enabled")


@check(
    "vault.user",
    severity="major",
    remedy="on {node}: User= and Group= of the unit vault; systemctl daemon-reload; systemctl restart vault",
    consequence="whoever breaks into the server has the whole node",
    source="seed 001, fact 137 (L7427-7449)",
)
@for_each("node", cases.process("user"))
def test_the_process_is_nobody_else(node: str, facts: Facts, declared: Vault) -> None:
    """The process belongs to the user of the service."""
    user = _on(node, facts, declared).process.user

    assert user == declared.user, found(f"it runs as {user}", expected=declared.user)


@check(
    "vault.no-new-privileges",
    severity="major",
    remedy="on {node}: NoNewPrivileges=yes in the unit vault; systemctl daemon-reload; systemctl restart vault",
    consequence="a program that the server starts may become root",
    source="seed 001, fact 137 (L7427-7449)",
)
@for_each("node", cases.process("privileges"))
def test_the_process_can_gain_no_privileges(node: str, facts: Facts, declared: Vault) -> None:
    """The kernel lets the process and its children gain no privileges."""
    process = _on(node, facts, declared).process

    assert process.no_new_privileges, found("NoNewPrivs: 0 in /proc/PID/status", expected="NoNewPrivileges=yes")


@check(
    "vault.capabilities",
    severity="major",
    remedy="on {node}: CapabilityBoundingSet= of the unit vault; systemctl daemon-reload; systemctl restart vault",
    consequence="the server may do more to {node} than lock its memory",
    source="seed 001, fact 137 (L7427-7449)",
)
@for_each("node", cases.process("capabilities", "vault.capabilities"))
def test_the_process_has_no_capability_beyond_the_declared(node: str, facts: Facts, declared: Vault) -> None:
    """What the process may ever have is what the bed file names."""
    process = _on(node, facts, declared).process
    beyond = process.bounding & ~bits(declared.capabilities)

    assert not beyond, found(f"capabilities beyond: {beyond:#x}", expected=", ".join(declared.capabilities))


@check(
    "vault.file-private",
    severity="critical",
    remedy="on {node}: stat /{item}; chown and chmod it as declared, and see what made it so (a playbook, logrotate)",
    consequence="others on {node} read the key of the seal, or who asked for which secret",
    source="seed 001, fact 137 (L7427-7449)",
)
@for_each("file", cases.files)
def test_a_file_is_for_its_owner_alone(file: PrivateFile, facts: Facts, declared: Vault) -> None:
    """A file of the server belongs to whom it should, and allows no more than it may."""
    there = _on(file.node, facts, declared).file(file.path)
    most = int(file.allowed.mode, 8)

    assert there, found(f"there is no {file.path}", expected=f"{file.allowed.owner} {file.allowed.mode}")
    assert there.owner in (file.allowed.owner, "root"), found(f"it is {there.owner}'s", expected=file.allowed.owner)
    assert not there.mode & ~most, found(f"mode {there.mode:04o}", expected=f"{file.allowed.mode} at most")


@check(
    "vault.seal-key",
    severity="critical",
    remedy="on {node}: put back the seal's key that the other servers have, before anything restarts vault",
    consequence="the next restart of the server on {node}, by a renewed certificate or a boot, leaves it sealed",
    source="seed 001, fact 134 (L7279-7306): a restart unseals unattended",
)
@for_each("node", cases.keys)
def test_the_key_of_the_seal_is_the_one_that_all_have(node: str, facts: Facts, declared: Vault) -> None:
    """What the seal will open with at the next start is what it was opened with, and what the other servers have."""
    own = _on(node, facts, declared)
    wanted, missing = set(declared.seal.environment), set(declared.seal.environment) - set(own.keys)
    others = Counter(tuple(sorted(_on(n, facts, declared).keys.items())) for n in _answering(facts, declared))
    usual = others.most_common(1)[0][0]

    assert not missing, found(f"{declared.environment} lacks {', '.join(missing)}", expected=", ".join(wanted))
    assert tuple(sorted(own.keys.items())) == usual, found(
        f"{declared.environment} has another key", expected="the key that most servers have"
    )
    assert not own.loaded_keys or own.loaded_keys == own.keys, found(
        f"{declared.environment} has changed since the server was started", expected="the key that it was started with"
    )


@check(
    "vault.binding",
    severity="major",
    remedy="on {node}: listener address in /etc/vault.d/vault.hcl; systemctl restart vault; ss -ltnp | grep vault",
    consequence="Vault is reached over networks where it should not be, or not over the one where it is looked for",
    source="seed 001, fact 136 (L7348-7376), S16",
)
@for_each("node", cases.process("binding", "vault.port"))
def test_it_listens_on_the_declared_address_alone(node: str, facts: Facts, declared: Vault, bed: Bed) -> None:
    """Both ports are open on the node's own management address, and on no other."""
    host, own = facts.node(node), str(bed.nodes[node].oobi)
    if not host.unit(declared.unit).active:
        raise Unknown(f"no Vault runs on {node}", cause=f"service:{node}/{declared.unit}")

    for port in (declared.port, declared.cluster_port):
        bound = host.listening("tcp", port)
        assert bound == (own,), found(f"{port}: {', '.join(bound) or 'nobody'}", expected=f"{port}: {own}")


def _on(node: str, facts: Facts, declared: Vault) -> VaultNode:
    return VaultNode(facts.node(node), declared.unit)


def _answering(facts: Facts, declared: Vault) -> list[str]:
    return [node for node in declared.on if facts.raw(f"nodes/{node}").outcome == "ok"]
