"""What the checks of this folder are about: flows and their parts, personas, bad origins, agents' trust."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from plumbline.bed import Bed
from plumbline.bed.model import BadOrigin
from plumbline.check import Case, Cases
from plumbline.needs import network_of
from plumbline.subjects import Path, Thing, case, flows


def parts(part: str, *, on: Literal["flow", "source", "gateways"] = "flow") -> Cases:
    """One question about each inspected flow: Path, subject flow:SOURCE>TARGET/PART.

    It stands on the flow itself, or, where it is about what must not pass, on who asks and on the firewall's node, and,
    where the firewall must answer, on the way there.
    """

    def beneath(bed: Bed, path: Path, flow: str) -> list[str]:
        if on == "flow":
            return [flow]
        asking = [f"workload:{path.source}", *([f"node:{bed.ngfw.node}"] if bed.ngfw else [])]
        if on == "source":
            return asking
        ends = (path.source, bed.personas[path.target].workload)
        networks = (network_of(bed, path.source), network_of(bed, path.target))
        return [
            *asking,
            *(f"{kind}:{end}" for kind in ("net1-route", "net1-path") for end in ends),
            *(f"gateway:{name}" for name in networks),
        ]

    def cases(bed: Bed) -> list[Case]:
        return [
            case(
                bed,
                f"flow:{c.value.source}>{c.value.target}/{part}",
                c.value,
                id=c.id,
                where=f"flows.{bed.flows.index(c.value.flow)}",
                also=beneath(bed, c.value, c.subject),
            )
            for c in flows("inspected")(bed)
        ]

    return cases


def pages(bed: Bed) -> list[Case]:
    """The page of each inspected flow to a persona that names itself in its pages: Path, subject flow:SOURCE>TARGET/page."""
    return [one for one in parts("page")(bed) if bed.personas[one.value.target].header]


def records(part: str) -> Cases:
    """As `parts`, where the firewall keeps a record that somebody can read; no case where it does not.

    The last request of an agent to a persona may have been for its cloned page.
    """

    def cases(bed: Bed) -> list[Case]:
        found = parts(part)(bed) if bed.ngfw and bed.ngfw.record and bed.nodes[bed.ngfw.node].ssh else []
        return [replace(one, needs=(*one.needs, f"cloned:{one.value.target}")) for one in found]

    return cases


def firewall(bed: Bed) -> list[Case]:
    """The firewall: its node's name."""
    if bed.ngfw is None:
        return []
    trusted = f"authority:{bed.ngfw.authority}/published"  # without it nobody can ask
    return [case(bed, "ngfw:ngfw", bed.ngfw.node, id=bed.ngfw.node, where="ngfw", also=[trusted])]


def sources(part: str) -> Cases:
    """Each workload whose traffic is inspected: its name, subject trust:WORKLOAD/PART or reach:WORKLOAD."""

    def cases(bed: Bed) -> list[Case]:
        found = {flow.from_: index for index, flow in enumerate(bed.flows) if flow.expect == "inspected"}
        return [
            case(
                bed,
                f"trust:{name}/{part}",
                Thing(name, bed.workloads[name]),
                id=name,
                where=f"workloads.{name}",
                also=[f"workload:{name}", f"authority:{bed.workloads[name].trusts}", *(["ngfw:ngfw"] * bool(bed.ngfw))],
            )
            for name in found
        ]

    return cases


def personas(part: str = "") -> Cases:
    """Each persona, or a part of it that stands on it: Thing[Persona]."""

    def cases(bed: Bed) -> list[Case]:
        wire = [f"authority:{bed.ngfw.verifies}"] if bed.ngfw else []
        return [
            case(
                bed,
                f"persona:{name}/{part}" if part else f"persona:{name}",
                Thing(name, persona),
                id=name,
                where=f"personas.{name}",
                also=[f"persona:{name}", *wire] if part else [f"gateway:{persona.network}"],
            )
            for name, persona in bed.personas.items()
        ]

    return cases


def quic_personas(bed: Bed) -> list[Case]:
    """Personas that speak QUIC: Thing[Persona]."""
    return [c for c in personas("quic")(bed) if c.value.spec.quic]


@dataclass(frozen=True)
class Laundering:
    """A workload that asks for an origin whose certificate is bad in this way."""

    source: str
    kind: str
    origin: BadOrigin


def bad_origins(bed: Bed) -> list[Case]:
    """Each origin whose certificate is bad: Thing[BadOrigin], its name is what is wrong with it."""
    if bed.ngfw is None:
        return []
    trusted = f"authority:{bed.ngfw.verifies}/published"  # it is bad for those who trust this one
    return [
        case(
            bed,
            f"bad-origin:{kind}",
            Thing(kind, origin),
            where=f"ngfw.bad_origins.{kind}",
            also=[*_server(bed, origin), trusted],
        )
        for kind, origin in bed.ngfw.bad_origins.items()
    ]


def laundering(bed: Bed) -> list[Case]:
    """Each bad origin as each inspected workload asks for it: Laundering."""
    sources_ = dict.fromkeys(flow.from_ for flow in bed.flows if flow.expect == "inspected")
    return [
        case(
            bed,
            f"bad-origin:{kind}/{source}",
            Laundering(source, kind, origin),
            id=f"{source} {kind}",
            where=f"ngfw.bad_origins.{kind}",
            also=[
                "ngfw:ngfw",
                f"workload:{source}",
                f"net1-path:{source}",
                f"net1-route:{source}",
                f"bad-origin:{kind}",
                *_server(bed, origin),
            ],
        )
        for kind, origin in (bed.ngfw.bad_origins if bed.ngfw else {}).items()
        for source in sources_
    ]


def _server(bed: Bed, origin: BadOrigin) -> list[str]:
    """The workload that has the address of a bad origin."""
    attachments = {n for n, a in bed.attachments.items() if a.address == origin.address}
    return [f"workload:{n}" for n, w in bed.workloads.items() if w.attach in attachments]


def snmp(bed: Bed) -> list[Case]:
    """The firewall's SNMP agent: its node's name."""
    if bed.ngfw is None or bed.ngfw.snmp is None:
        return []
    namespace = bed.secrets[bed.ngfw.snmp.community.partition("/")[0]].namespace
    secret = f"secret:{namespace}/{bed.ngfw.snmp.community.partition('/')[0]}"
    port = f"port:{bed.ngfw.node}/{bed.ngfw.snmp.network}"
    return [case(bed, f"snmp:{bed.ngfw.node}", bed.ngfw.node, where="ngfw.snmp", also=[port, secret])]


def snmp_closed(bed: Bed) -> list[Case]:
    """The same agent, as who may not read it sees it: its node's name."""
    return [
        case(bed, f"{c.subject}/closed", c.value, id=c.id, where="ngfw.snmp", also=[c.subject, *c.needs])
        for c in snmp(bed)
    ]
