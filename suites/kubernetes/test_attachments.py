"""NetworkAttachmentDefinitions give pods what the bed file declares: a macvlan on the right VLAN, addresses, routes."""

from __future__ import annotations

import json
from typing import Any

from plumbline import subjects
from plumbline.bed import Bed
from plumbline.bed.model import Attachment
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.outcome import Unknown
from plumbline.subjects import Thing

Declared = Thing[Attachment]


def plugin(facts: Facts, attachment: Declared) -> dict[str, Any] | None:
    """The configuration of the plugin that a definition delegates to; None where there is no such definition."""
    kind, namespace = "networkattachmentdefinitions", attachment.spec.namespace
    known = facts.kubernetes.object(kind, namespace, attachment.name)
    if known is None:
        return None
    config: dict[str, Any] = json.loads(known["spec"]["config"])
    return config["plugins"][0] if config.get("plugins") else config


def defined(facts: Facts, attachment: Declared) -> dict[str, Any]:
    """The same; Unknown where there is none."""
    try:
        config = plugin(facts, attachment)
    except (ValueError, KeyError) as error:
        raise Unknown(f"it cannot be read: {error!r}", cause=f"attachment:{attachment.name}") from error
    if config is None:
        raise Unknown(f"there is no {attachment.name}", cause=f"attachment:{attachment.name}")
    return config


@check(
    "kubernetes.attachment",
    severity="critical",
    remedy="kubectl get network-attachment-definitions -A | grep {name}; apply its definition again",
    consequence="pods that ask for {name} do not start, or start without net1",
    source="seed 000, chapter 7.1",
)
@for_each("attachment", subjects.attachments)
def test_an_attachment_leads_to_its_vlan(attachment: Declared, facts: Facts, bed: Bed) -> None:
    """The definition exists: a macvlan on the interface of the VLAN."""
    config = plugin(facts, attachment)
    expected = {"type": "macvlan", "master": f"eth1.{bed.networks[attachment.spec.network].vlan}"}

    assert config is not None, found(f"no {attachment.name} in {attachment.spec.namespace}", expected=expected)
    assert {k: config.get(k) for k in expected} == expected, found(
        f"{config.get('type')} on {config.get('master')}", expected=f"{expected['type']} on {expected['master']}"
    )


@check(
    "kubernetes.attachment-mtu",
    severity="major",
    remedy="set mtu in the definition {name}; restart the pods that use it",
    consequence="frames of pods are cut up or lost, and the measured throughput is not the firewall's",
    source="seed 000, chapter 1",
)
@for_each("attachment", subjects.attachments)
def test_an_attachment_has_the_frames_of_its_vlan(attachment: Declared, facts: Facts, bed: Bed) -> None:
    """The definition gives pods the declared MTU."""
    declared = attachment.spec.mtu or bed.networks[attachment.spec.network].mtu
    mtu = defined(facts, attachment).get("mtu")

    assert mtu == declared, found(mtu, expected=declared)


@check(
    "kubernetes.attachment-addresses",
    severity="critical",
    remedy="set ipam in the definition {name}; restart the pods that use it",
    consequence="pods get addresses that are foreign to their VLAN, or somebody else's",
    source="seed 000, chapter 7.1",
)
@for_each("attachment", subjects.attachments)
def test_an_attachment_gives_the_declared_addresses(attachment: Declared, facts: Facts, bed: Bed) -> None:
    """The definition gives out what the bed file says: the VLAN's pool, its DHCP service, or one address."""
    network, ipam = bed.networks[attachment.spec.network], defined(facts, attachment).get("ipam", {})
    ranges = [r for group in ipam.get("ranges", ()) for r in group] or [ipam]
    given: dict[str, object] = {
        "dhcp": [],
        "static": [a.get("address") for a in ipam.get("addresses", ())],
        "host-local": [[r.get("subnet"), r.get("rangeStart"), r.get("rangeEnd")] for r in ranges],
    }
    pool = network.pool
    declared: dict[str, object] = {
        "dhcp": [],
        "static": [f"{attachment.spec.address}/{network.cidr.prefixlen}"],
        "host-local": [[str(network.cidr), str(pool.first), str(pool.last)]] if pool else [],
    }
    kind = attachment.spec.ipam

    assert ipam.get("type") == kind, found(f"ipam {ipam.get('type')}", expected=f"ipam {kind}")
    assert given[kind] == declared[kind], found(given[kind], expected=declared[kind])


@check(
    "kubernetes.attachment-routes",
    severity="critical",
    remedy="set ipam.routes in the definition {name}; restart the pods that use it",
    consequence="test traffic leaves over management and not through the firewall",
    source="seed 000, chapter 15",
)
@for_each("attachment", subjects.attachments)
def test_an_attachment_routes_through_the_gateway(attachment: Declared, facts: Facts, bed: Bed) -> None:
    """The definition routes the declared networks through the VLAN's gateway, and nothing else."""
    ipam = defined(facts, attachment).get("ipam", {})
    gateway = str(bed.gateway_address(attachment.spec.network))
    routes = {(r["dst"], r.get("gw", "none")) for r in ipam.get("routes", ())}
    declared = {(str(r), gateway) for r in attachment.spec.routes if attachment.spec.ipam != "dhcp"}

    assert routes == declared, found(sorted(routes), expected=sorted(declared))
