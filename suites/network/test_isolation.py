"""What must not pass: between agents, between personas, from the data plane to management."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed import Bed
from plumbline.check import Case, check, for_each, found
from plumbline.facts import Facts, Tcp
from plumbline.needs.traffic import workload_of
from plumbline.subjects import Path, case, flows
from suites.network.cases import Second, second


def refused(bed: Bed) -> Iterator[Case]:
    """Each way that must be refused: Path, subject apart:SOURCE>TARGET."""
    for one in flows("refused")(bed):
        path: Path = one.value
        yield _apart(bed, path.source, path.target, one.declared)


def agents(bed: Bed) -> Iterator[Case]:
    """From each workload of agents to each other one: Path, subject apart:SOURCE>TARGET."""
    names = [n for n in dict.fromkeys(f.from_ for f in bed.flows) if n in bed.workloads and bed.workloads[n].attach]
    for source in names:
        for target in names:
            if source != target:
                yield _apart(bed, source, target, bed.where(f"workloads.{source}"))


def _apart(bed: Bed, source: str, target: str, declared: str) -> Case:
    also = [f"net1-path:{workload_of(bed, end)}" for end in (source, target)]
    made = case(
        bed, f"apart:{source}>{target}", Path(source, target, bed.flows[0]), id=f"{source} to {target}", also=also
    )
    return Case(made.id, made.subject, made.value, made.needs, declared)


@check(
    "network.refused",
    severity="critical",
    kind="active",
    remedy="on the NGFW: find the rule that lets {name} pass, and deny it before",
    consequence="a way is open that the bed declares closed: {name}",
    source="seed 000, chapters 1 and 2",
)
@for_each("path", refused)
def test_a_refused_way_is_closed(path: Path, facts: Facts, bed: Bed) -> None:
    """Where the bed file refuses a flow, the gateway passes no connection on."""
    answer = facts.probe(Tcp, "refused", source=workload_of(bed, path.source), target=path.target)

    assert not answer.ok, found(str(answer), expected="a refusal, or silence")


@check(
    "network.agents-apart",
    severity="critical",
    kind="active",
    remedy="on the NGFW: deny traffic between the VLANs of {name}",
    consequence="agents disturb each other's measurements: {name}",
    source="seed 000, chapters 1 and 2",
)
@for_each("path", agents)
def test_agents_do_not_reach_each_other(path: Path, facts: Facts) -> None:
    """The gateway of one agents' VLAN passes nothing on to another's."""
    answer = facts.probe(Tcp, "apart", source=path.source, target=path.target)

    assert not answer.ok, found(str(answer), expected="a refusal, or silence")


@check(
    "network.oobi-closed-to-pods",
    severity="critical",
    kind="active",
    remedy="on the NGFW: deny everything from the VLANs to OOBI, its own address among them",
    consequence="whoever takes over a pod of {name} reaches management from the data plane",
    source="seed 000, chapter 2 (OOBI isolation)",
)
@for_each("second", lambda bed: [c for c in second("oobi-from")(bed) if c.value.network.gateway])
def test_nothing_of_the_data_plane_reaches_management(second: Second, facts: Facts) -> None:
    """The gateway of a VLAN passes nothing of its pods on to nodes' addresses on OOBI."""
    passed = [f"{a.target}: {a}" for a in facts.probes(Tcp, "to-oobi", source=second.workload) if a.ok]

    assert not passed, found("; ".join(passed), expected="a refusal, or silence")
