"""The plan of a run: what to read on each node, and which probes start where. Pure: bed and cluster in, plan out.

Suites find answers by kind and purpose; source > target are names of the bed:

kind     purpose            source > target
ping     oobi               node > node
ping     gateway            node > network, workload > network; from eth1.N, or from net1; with the network's class
ping     frame              the same, with a whole frame of the network's MTU that must not be fragmented
ping     route              workload > address that its attachment has a route of its own for
ping     class              workload > persona, with the class of the persona's network
ping     overlay            node (from a pod on it) > node: a pod there; overlay-frame: the largest packet
tcp      to-oobi            workload > node, tcp apart: agents > agents; both asked of the gateway of net1
tcp      from-oobi          node > persona, asked of the NGFW's address on OOBI
trunk    foreign            node > eth1: who answers in VLANs that are not on its trunk
arp      neighbour          node > network: who has the gateway's address
arp      duplicate          node > network: who else has the node's own
arp      claim              gateway node > persona: who has the persona's
arp      around-neighbour   workload > persona: is it a neighbour of agents, past the NGFW
capture  wire               node > eth1, while that node's gateway and neighbour probes run
tls      flow               workload > persona, from every pod, trusting what the workload trusts
tls      page               workload > persona, from one pod: HTTP/1.1, a page, and a second handshake that may resume
tls      origin             NGFW's node (or the persona's workload) > persona, trusting what the NGFW verifies
tls      own                the persona's workload > persona: what it shows to its own pod
tls      distrust           workload > persona, trusting the origins' authority and not the NGFW's
journal  record             NGFW's node > itself: what it wrote down of the pages that agents asked for
tls      bad-origin         workload > kind of bad origin, through the NGFW
tls      bad-origin-direct  NGFW's node > kind of bad origin
tls      api-anonymous      node > api; kubelet-anonymous: node > node
quic     quic               workload > persona; origin-quic: the persona's workload > persona
tcp      around             workload > persona over eth0
tcp      refused            workload (of a persona too) > workload or persona, asked of the gateway itself, where a flow must be refused
tcp      api                node > api
tcp      port               node > workload: on its pod
tcp      service            node (from a pod on it) > workload: on the address of its service
dns      dns                workload > persona, workload with a service, "kubernetes" or "nothing" (a name that must not exist)
dns      dns-node           node (from a pod on it) > kubernetes
http     prometheus         node > workload
http     health             node (from a pod on it) > workload with a page that tells its health, by its service
http     agents             the same > dashboard: who is registered; agents-anonymous, agents-wrong, register-wrong
tcp      login              the same > database: what it says to its owner, who shows no password
tcp      nfs-data-plane     gateway node > workload that uses an export, on its net1
tls      cloned             workload > persona: a page that the cloner has captured
dns      cloner             the cloner > kubernetes
dns      consul-dns         node (its own agent) > consul, consul-tcp, a service, or nothing (a name that must not exist)
tcp      consul-rpc         node > server: the port of its RPC; consul-gossip: node > node
tcp      consul-direct      node > instance of a service: what its check asks, http or tls where that is a page
tls      authority          node > step-ca's node: its health; authority-anonymous: a request without a certificate
tls      served             node > NODE/NAME: a service's certificate there, which another node of the service asks for
step     issue, issue-long  step-ca's node > itself: a certificate, and one that would live too long
ssh      login              node > node; login-plain: with a key that nobody signed; login-other: as another user
snmp     snmp, snmp-wrong   workload or node > NGFW's node, with the right community and with another
audit    vault              node > itself: is a request to its Vault server in its file of requests
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from plumbline.bed import Bed
from plumbline.bed.slurm import UNITS
from plumbline.collect import (
    plan_consul,
    plan_inspection,
    plan_network,
    plan_pki,
    plan_services,
    plan_traffic,
    plan_vault,
    plan_workloads,
)
from plumbline.collect.planned import Planned, World
from plumbline.load import conntrack

PARTS = (
    plan_network, plan_traffic, plan_inspection, plan_services, plan_workloads, plan_consul, plan_vault, plan_pki,
)  # fmt: skip


def probes(world: World) -> dict[str, list[Planned]]:
    """All probes by the node on which they start, each id once."""
    result: dict[str, dict[str, Planned]] = defaultdict(dict)
    for part in PARTS:
        for planned in part.probes(world):
            result[planned.node].setdefault(planned.id, planned)
    return {node: list(found.values()) for node, found in result.items()}


def host_request(bed: Bed, node: str) -> dict[str, Any]:
    """What is read on a node: everything that a host profile names for it, and what services have there."""
    labels = bed.nodes[node].labels
    profiles = [p for p in bed.host if p.on.items() <= labels.items() and (p.on or bed.nodes[node].kubernetes)]
    units = {unit for profile in profiles for unit in profile.services}
    vault = plan_vault.host_request(bed, node)
    return {
        "sysctls": sorted({*conntrack.settings(bed, node), *(name for p in profiles for name in p.sysctls)}),
        "modules": sorted({name for profile in profiles for name in profile.modules}),
        "units": sorted({"ssh", *units, *_units(bed, node), *([vault["unit"]] if vault else [])}),
        **({"vault": vault} if vault else {}),
        **plan_pki.requests(bed, node),
    }


def _units(bed: Bed, node: str) -> Iterator[str]:
    """Units of services outside the cluster on a node."""
    if bed.consul and node in bed.consul.nodes:
        yield "consul"
    if bed.slurm:  # on every node, for some must not have them
        yield from (*UNITS, *bed.slurm.units(node))
    if bed.step_ca and node == bed.step_ca.node:
        yield bed.step_ca.unit
