"""Munge: one key for all, seen by nobody else; what one node signs, every other accepts, and at the right time."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.bed.model import Slurm
from plumbline.check import check, for_each, found
from plumbline.facts.slurm import SlurmFacts
from plumbline.outcome import Unknown
from suites.slurm import cases


@check(
    "slurm.munge-key",
    severity="critical",
    remedy="copy /etc/munge/munge.key of the first controller to {name} (munge:munge, 0400); systemctl restart munge",
    consequence="{name} and all others take each other's messages for forged",
    source="seed 001, F38 and fact 113 (L10017, L10066)",
)
@for_each("node", cases.others("munge-key"))
def test_the_key_is_that_of_the_first_controller(node: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """The key of munge is the same as on the first controller."""
    first = declared.controllers[0]

    assert slurm.key(node).digest == slurm.key(first).digest, found("another key", expected=f"the key of {first}")


@check(
    "slurm.munge-key-private",
    severity="critical",
    remedy="on {name}: chown munge:munge /etc/munge/munge.key; chmod 0400 /etc/munge/munge.key",
    consequence="whoever reads the key is root to Slurm; munged does not start with a key that others can read",
    source="seed 001, fact 113 (L10068-10088)",
)
@for_each("node", cases.nodes("munge-key-mode"))
def test_the_key_is_munges_alone(node: str, slurm: SlurmFacts) -> None:
    """The key is munge's, who alone may read it."""
    key = slurm.key(node)

    assert (key.owner, key.mode) == ("munge", "0400"), found(f"{key.owner} {key.mode}", expected="munge 0400")


@check(
    "slurm.munge",
    severity="critical",
    remedy="on {name}: munge -n; systemctl status munge; journalctl -u munge -n 30; is /run/munge/munge.socket.2 there?",
    consequence="{name} can prove to nobody who it is",
    source="seed 001, fact 113 (L10068-10088)",
)
@for_each("node", cases.nodes("munge"))
def test_munge_makes_a_credential(node: str, slurm: SlurmFacts) -> None:
    """munge makes a credential for an ordinary user, within seconds."""
    error = slurm.encode_error(node)

    assert not error, found(error, expected="a credential")


@check(
    "slurm.munge-decodes",
    severity="critical",
    remedy="on {name}, left to right: munge -n | ssh … unmunge; compare keys and clocks of both",
    consequence="what one of them asks, the other refuses: jobs do not start, nodes are lost",
    source="seed 001, fact 113 (L10068-10088)",
)
@for_each("pair", cases.pairs)
def test_what_one_node_signs_another_accepts(pair: cases.Pair, slurm: SlurmFacts) -> None:
    """A credential made on one node is accepted on the other."""
    credential = slurm.credential(pair.source, pair.target)
    if credential.wrong_time:
        raise Unknown(f"the clocks are apart: {credential.status}")  # whose is wrong slurm.munge-clock says

    assert credential.ok, found(credential.status, expected="Success")


@check(
    "slurm.munge-clock",
    severity="critical",
    remedy="on {name}: chronyc tracking; chronyc makestep; systemctl restart munge",
    consequence="credentials of {name} come from the future or are too old, as soon as clocks are minutes apart",
    source="seed 001, fact 113 and F25 (L8420)",
)
@for_each("node", cases.clocks)
def test_munge_has_the_same_time(node: str, slurm: SlurmFacts, declared: Slurm, bed: Bed) -> None:
    """By munge's own clocks, a credential is read when it was made, within the budget."""
    credential = slurm.credential(node, declared.submit)
    ahead, most = credential.ahead_s, bed.budgets["munge_clock"].total_seconds()
    if ahead is None:
        raise Unknown(f"when it was made cannot be read: {credential.status}", cause=f"munge-key:{node}")

    assert abs(ahead) <= most, found(
        f"{ahead:+.0f} s from {declared.submit}: {credential.status}", expected=f"{most:g} s at most"
    )
