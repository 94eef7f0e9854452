"""The inspecting firewall of the bed: HAProxy between agents and personas, transparent, with nftables around it.

`files` and `units` turn the bed into what its node needs; the node then works by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from lab import templates
from lab.disks import FileSpec
from lab.errors import LabError
from lab.ngfw.certificates import Pair
from lab.ngfw.policy import interface, policy
from plumbline.bed import Bed

UNIT = "ngfw.service"
"""Its journal (`journalctl -u ngfw.service -o cat`) has one JSON object a line for each inspected connection, and for
each request that no origin answered: client, origin, SNI, status, and how leg 1 and leg 2 were made.
"""
RUN = "/run/ngfw"
ADMIN = f"{RUN}/admin.sock"
"""HAProxy's command socket on the node; `show stat` gives exact counters."""

_PORT, _MARK, _TABLE, _THREADS = 8443, 1, 100, 2


class Pki(Protocol):
    """What the firewall needs of the lab's PKI."""

    def authority(self, name: str) -> Pair: ...


def files(bed: Bed, pki: Pki, secrets: Mapping[str, str]) -> dict[str, FileSpec]:
    """Files of the node `bed.ngfw.node`; `secrets` gives values by secret/key, the SNMP community among them.

    Raises ValueError where the bed declares no firewall, LabError where it has no address for SNMP.
    """
    rules = policy(bed)
    assert bed.ngfw is not None
    forging, verifying = pki.authority(bed.ngfw.authority), pki.authority(bed.ngfw.verifies)
    values: dict[str, Any] = {
        "policy": rules,
        "node": bed.ngfw.node,
        "user": "haproxy",
        "run": RUN,
        "tls": "/etc/ngfw/tls",
        "proxy_port": _PORT,
        "mark": _MARK,
        "table": _TABLE,
        "threads": _THREADS,
        "forged": max(1000, 4 * len(bed.personas)),
        "snmp": None,
    }
    made: dict[str, FileSpec] = {}
    if bed.ngfw.snmp:
        network = bed.networks[bed.ngfw.snmp.network]
        name = interface(network.vlan) if network.vlan is not None else rules.management
        address = network.addresses.get(bed.ngfw.node)
        if address is None:
            where = f"networks.{bed.ngfw.snmp.network}.addresses"
            raise LabError(f"ngfw.snmp: {bed.ngfw.node} has no address in {where}", remedy="declare it in the bed file")
        values["snmp"] = {"interface": name, "cidr": network.cidr, "address": address}
        values["community"] = secrets[bed.ngfw.snmp.community]
        values["bed"] = bed
        made["/etc/snmp/snmpd.conf"] = FileSpec(_render("snmpd.conf", values), 0o600)
        made["/etc/systemd/system/snmpd.service.d/ngfw.conf"] = FileSpec(_render("snmpd.service.conf", values))
    return made | {
        "/etc/ngfw/rules.nft": FileSpec(_render("rules.nft", values)),
        "/usr/local/sbin/ngfw-rules": FileSpec(_render("rules.sh", values), 0o755),
        "/usr/local/sbin/ngfw-forge": FileSpec(_render("forge.sh", values), 0o755),
        "/etc/ngfw/names": FileSpec("".join(f"{name}\n" for name in names(bed))),
        "/etc/ngfw/haproxy.cfg": FileSpec(_render("haproxy.cfg", values)),
        "/etc/ngfw/tls/authority.pem": FileSpec(forging.certificate + forging.key, 0o600),
        "/etc/ngfw/tls/verifies.pem": FileSpec(verifying.certificate, 0o600),
        "/etc/systemd/system/ngfw-rules.service": FileSpec(_render("ngfw-rules.service", values)),
        "/etc/systemd/system/ngfw.service": FileSpec(_render("ngfw.service", values)),
    }


def units(bed: Bed) -> tuple[str, ...]:
    """Units of the firewall's node to enable."""
    snmp = ("snmpd.service",) if bed.ngfw and bed.ngfw.snmp else ()
    return ("ngfw-rules.service", UNIT, *snmp)


def names(bed: Bed) -> list[str]:
    """Names of all origins that the bed knows, the bad ones included."""
    bad = bed.ngfw.bad_origins.values() if bed.ngfw else ()
    return sorted({origin.name for origin in (*bed.personas.values(), *bad)})


def _render(template: str, values: Mapping[str, Any]) -> str:
    return templates.render(Path(__file__).parent, template, values)
