"""The daemons of Slurm run where they are declared, and nowhere else, on what they share."""

from __future__ import annotations

import os

from plumbline.bed import Bed
from plumbline.bed.model import Slurm
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.slurm import SlurmFacts
from suites.slurm import cases

_FRESH_S = 120.0
_LASTING = ("enabled", "static", "alias", "indirect", "generated")


@check(
    "slurm.service-active",
    severity="critical",
    remedy="on {node}: systemctl status {item}; journalctl -u {item} -n 50; systemctl start {item}",
    consequence="{node} does not do its part in Slurm",
    source="seed 001, fact 114 (L6686)",
)
@for_each("unit", cases.units("slurm-unit"))
def test_a_daemon_runs(unit: cases.Unit, facts: Facts) -> None:
    """A daemon of Slurm, munge, or the database of accounting is active."""
    state = facts.node(unit.node).unit(unit.name)

    assert state.active, found(state.state if state.loaded else "there is no such unit", expected="active (running)")


@check(
    "slurm.service-enabled",
    severity="major",
    remedy="on {node}: systemctl enable {item}",
    consequence="{item} is gone after the next boot of {node}",
    source="seed 001, fact 114 (L6686)",
)
@for_each("unit", cases.units("slurm-enabled"))
def test_a_daemon_comes_back_after_a_boot(unit: cases.Unit, facts: Facts) -> None:
    """Each daemon is enabled."""
    state = facts.node(unit.node).unit(unit.name)

    assert state.enabled in _LASTING, found(state.enabled or "there is no such unit", expected="enabled")


@check(
    "slurm.service-elsewhere",
    severity="major",
    remedy="on {name}: systemctl disable --now munge slurmd slurmctld slurmdbd, as far as they are not declared there",
    consequence="a daemon that nobody meant answers for the cluster, or registers a node that it must not use",
    source="seed 001, facts 112 and 114 (L10058-10062, L6686)",
)
@for_each("node", cases.absent)
def test_no_daemon_runs_where_none_is_declared(node: tuple[str, tuple[str, ...]], facts: Facts) -> None:
    """Where a part of Slurm is not declared, it neither runs nor starts at boot."""
    name, wrong = node
    units = [facts.node(name).unit(unit) for unit in wrong]
    there = [f"{u.name} is {u.state}, {u.enabled}" for u in units if u.active or u.enabled == "enabled"]

    assert not there, found("; ".join(there), expected=f"no {', '.join(wrong)}")


@check(
    "slurm.pidfile",
    severity="major",
    remedy="on {name}: PIDFile= in slurmctld.service.d/override.conf as SlurmctldPidFile in slurm.conf; daemon-reload",
    consequence="systemd loses slurmctld: it takes it for dead, or leaves an old number behind",
    source="seed 001, F39 and fact 114 (L10090-10102)",
)
@for_each("node", cases.controllers("slurm-pidfile"))
def test_systemd_and_slurm_agree_on_the_pidfile(node: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """systemd looks for the process number of slurmctld where slurmctld writes it."""
    path = slurm.pidfile(node).path
    wanted = os.path.normpath(declared.pidfile.replace("/var/run/", "/run/", 1))

    assert path == wanted, found(f"PIDFile={path}", expected=declared.pidfile)


@check(
    "slurm.base-reached",
    severity="critical",
    remedy="on {name}: namei -l PATH; chmod 755 what the user slurm cannot go into, on the server of the mount",
    consequence="Slurm can neither write its state nor a job its output",
    source="seed 001, F40 (L10104-10109)",
)
@for_each("node", cases.nodes("slurm-base"))
def test_slurm_reaches_what_its_nodes_share(node: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """The user slurm can go into the shared folder."""
    error = slurm.folder(node, declared.base)

    assert not error, found(error, expected=f"{declared.base}, open to the user slurm")


@check(
    "slurm.state-reached",
    severity="critical",
    remedy="on {name}: mount | grep nfs; ls -ld the folder; chown slurm:slurm, chmod 700",
    consequence="{name} cannot be in charge: it would lose all jobs",
    source="seed 001, fact 115 (L6690)",
)
@for_each("node", cases.controllers("slurm-state"))
def test_a_controller_reaches_the_state(node: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """The user slurm can go into the folder with the state."""
    error = slurm.folder(node, declared.state)

    assert not error, found(error, expected=f"{declared.state}, open to the user slurm")


@check(
    "slurm.state-shared",
    severity="critical",
    remedy="on {name}: mount | grep the folder; it must be the very one into which the primary writes",
    consequence="{name} takes over with no or old jobs, or takes over while the primary still works",
    source="seed 001, fact 115 (L6690)",
)
@for_each("node", cases.backups("slurm-heartbeat"))
def test_a_backup_sees_the_state_of_the_primary(node: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """A backup sees what the primary wrote into the shared state a moment ago, in the same folder."""
    own, first = slurm.heartbeat(node), slurm.heartbeat(declared.controllers[0])

    assert own.folder == first.folder, found("it is another folder than the primary's", expected="the same folder")
    assert own.age_s is not None, found("the primary never wrote there", expected="its sign of life")
    assert own.age_s < _FRESH_S, found(f"a sign of life {own.age_s:.0f} s old", expected=f"less than {_FRESH_S:g} s")


@check(
    "slurm.same-config",
    severity="major",
    remedy="copy /etc/slurm/slurm.conf of the first controller to {name}; scontrol reconfigure",
    consequence="{name} talks past the others: ports, nodes or time-outs differ",
    source="seed 001, chapter 032 (L6688)",
)
@for_each("node", cases.others("slurm-config"))
def test_the_configuration_is_the_same_everywhere(node: str, slurm: SlurmFacts, declared: Slurm) -> None:
    """slurm.conf is the same as on the first controller."""
    first = declared.controllers[0]

    assert slurm.config(node) == slurm.config(first), found("another slurm.conf", expected=f"that of {first}")


@check(
    "slurm.module",
    severity="major",
    remedy="on {node}: bash -lc 'module -t avail; module load {item}'; look at /etc/lmod/modulespath and its folders",
    consequence="jobs on {node} do not find what {item} brings",
    source="seed 001, fact 117 (L6741-6747)",
)
@for_each("module", cases.modules)
def test_a_module_loads(module: cases.Module, slurm: SlurmFacts) -> None:
    """The module loads in a new login shell of the user of jobs."""
    error = slurm.module(module.node, module.name)

    assert not error, found(error, expected=f"module load {module.name}")


@check(
    "slurm.timeout",
    severity="minor",
    remedy="in slurm.conf: {name} within the budget of the bed file; scontrol reconfigure",
    consequence="a controller or node that is dead is waited for longer than users will",
    source="seed 001, fact 115 (L6690)",
)
@for_each("timeout", cases.timeouts)
def test_a_timeout_is_within_its_budget(timeout: cases.Timeout, slurm: SlurmFacts, bed: Bed) -> None:
    """The controller's own time-out is within the budget."""
    seconds = int(slurm.setting(timeout.setting).split()[0])

    assert seconds <= timeout.most_s, found(
        f"{timeout.setting} = {seconds} s", expected=f"{timeout.most_s:g} s at most"
    )
