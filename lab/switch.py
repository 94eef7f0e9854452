"""The switch of a lab, for which a Nexus stands on real hardware: Open vSwitch in user space, on a machine of its own.

Every node with a data NIC has its VLAN interfaces `eth1.<vlan>` and, as on real hardware, `eth1`, which shows the tagged
frames of the whole trunk. The kernel lacks 802.1Q, so the NIC itself is a bridge of Open vSwitch, and a patch cable leads
from it to the node's trunk port on the switch. OOBI is a kernel bridge apart from all that, with `eth0` in each node.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from lab import machine, netns, ovs
from lab.machine import FileSpec, Machine
from lab.ovs import LARGEST, NODE

OOBI_BRIDGE = "oobi"

_OVERHEAD = 18
"""Bytes of an Ethernet header with its 802.1Q tag."""
_VSWITCHD = """\
[Service]
Type=forking
ExecStart=
ExecStart=/usr/sbin/ovs-vswitchd unix:/run/openvswitch/db.sock -vconsole:off -vsyslog:err -vfile:info --no-chdir \
--log-file=/var/log/openvswitch/ovs-vswitchd.log --pidfile=/run/openvswitch/ovs-vswitchd.pid --detach
ExecStop=
ExecReload=
"""


@dataclass(frozen=True)
class Port:
    """A VLAN interface of a node: `eth1.<vlan>`; `mtu` in bytes, `address` with its prefix length."""

    vlan: int
    mtu: int = LARGEST
    address: str | None = None
    mac: str | None = None


@dataclass(frozen=True)
class Nic:
    """The data NIC of a node: VLANs that the switch allows on its trunk, and interfaces that the node makes of them."""

    node: str
    trunk: frozenset[int]
    ports: tuple[Port, ...]


@dataclass(frozen=True)
class Oobi:
    """The out-of-band network: `eth0` of every node; `mtu` in bytes."""

    cidr: IPv4Network
    mtu: int
    addresses: Mapping[str, IPv4Address]


@dataclass(frozen=True)
class _Wire:
    """One interface of a node and the switch port that it is the other end of; `vlan` None: `eth1` itself."""

    node: str
    vlan: int | None
    mtu: int
    mac: str
    address: str | None = None

    @property
    def interface(self) -> str:
        return "eth1" if self.vlan is None else f"eth1.{self.vlan}"

    @property
    def port(self) -> str:
        return ovs.port_name(self.node, self.vlan)


_Links = dict[str, dict[str, Any]]


def as_machine() -> Machine:
    """The machine that the switch runs on, to be booted with the nodes; its own files come on top."""
    drop_in = "/etc/systemd/system/ovs-vswitchd.service.d/plumbline.conf"
    # Debian's ovs-ctl loads the kernel's module and lifts limits, neither of which a machine may do.
    return Machine(NODE, files={drop_in: FileSpec(_VSWITCHD)}, units=("openvswitch-switch.service",))


def apply(bed: str, nics: Sequence[Nic], oobi: Oobi | None) -> int:
    """Make the switch and every node's interfaces what the bed declares, whatever they are now.

    Returns the number of interfaces that were connected (none when nothing was missing). It can be repeated at any time,
    also after it was killed or the switch restarted, and takes back what faults changed. The namespaces of the nodes must
    exist, and the switch's machine must run.
    """
    if oobi:
        _apply_oobi(bed, oobi)
    ovs.vsctl(bed, ovs.switch_commands())
    there = ovs.rows(bed)
    links = {node: netns.links(netns.name(bed, node)) for node in {NODE, *(nic.node for nic in nics)}}
    wires = [wire for nic in nics for wire in _wires(bed, nic)]
    loose = [wire for wire in wires if not _connected(wire, there, links)]
    routes = _take_back(bed, loose, there, links)
    ovs.vsctl(bed, _desired(nics, wires, there))
    _hand_out(bed, wires, loose, links)
    for node, commands in routes.items():
        netns.batch(netns.name(bed, node), commands)
    ovs.ofctl(bed, "del-flows", NODE)
    ovs.ofctl(bed, "add-flow", NODE, "priority=0,actions=NORMAL")
    return len(loose)


def trunks(bed: str) -> dict[str, frozenset[int]]:
    """The allowed-VLAN list of every node's trunk, as the switch has it now."""
    found = {}
    for name, vlans in ovs.table(bed, "Port", "name", "trunks"):
        if name.startswith("trunk-"):
            found[name.removeprefix("trunk-")] = frozenset(vlans if isinstance(vlans, list) else [vlans]) - {ovs.NO_VLAN}
    return found


def allow(bed: str, node: str, vlan: int) -> None:
    """Put a VLAN on a node's trunk (`switchport trunk allowed vlan add`)."""
    ovs.vsctl(bed, [["add", "Port", f"trunk-{node}", "trunks", str(vlan)]])


def remove(bed: str, node: str, vlan: int) -> None:
    """Take a VLAN off a node's trunk (`switchport trunk allowed vlan remove`)."""
    ovs.vsctl(bed, [["remove", "Port", f"trunk-{node}", "trunks", str(vlan)]])


def set_mtu(bed: str, vlan: int, mtu: int | None) -> None:
    """Make the switch drop, without a word, packets of a VLAN that are larger than `mtu` bytes; None takes it back."""
    ovs.ofctl(bed, "del-flows", NODE, f"dl_vlan={vlan}")
    if mtu is None:
        ovs.vsctl(bed, [["remove", "Bridge", NODE, "external_ids", f"mtu-{vlan}"]])
        return
    ovs.ofctl(bed, "add-flow", NODE, "table=1,priority=1,reg0=1,actions=drop")
    ovs.ofctl(bed, "add-flow", NODE, "table=1,priority=0,actions=NORMAL")
    check = f"check_pkt_larger({mtu + _OVERHEAD})->NXM_NX_REG0[0],resubmit(,1)"
    ovs.ofctl(bed, "add-flow", NODE, f"priority=1,dl_vlan={vlan},actions={check}")
    ovs.vsctl(bed, [["set", "Bridge", NODE, f"external_ids:mtu-{vlan}={mtu}"]])


def mtus(bed: str) -> dict[int, int]:
    """VLANs to which the switch gives a smaller MTU than its own `LARGEST`, in bytes."""
    identifiers = dict(ovs.table(bed, "Bridge", "name", "external_ids")).get(NODE, {})
    return {int(key.removeprefix("mtu-")): int(value) for key, value in identifiers.items() if key.startswith("mtu-")}


def set_cable(bed: str, node: str, *, plugged: bool) -> None:
    """Plug or pull every cable of a node, data and OOBI: it gets or loses its carrier; addresses and routes stay."""
    netns.set_carrier(bed, node, on=plugged)
    hub, leg = netns.name(bed, NODE), netns.short(f"oobi-{node}")
    if leg in netns.links(hub):
        netns.batch(hub, [f"link set dev {leg} {'up' if plugged else 'down'}"])


def _wires(bed: str, nic: Nic) -> list[_Wire]:
    whole = _Wire(nic.node, None, LARGEST, netns.mac(bed, nic.node, "eth1"))
    return [
        whole,
        *(
            _Wire(nic.node, port.vlan, port.mtu, port.mac or netns.mac(bed, nic.node, port.vlan), port.address)
            for port in nic.ports
        ),
    ]


def _connected(wire: _Wire, there: ovs.Rows, links: Mapping[str, _Links]) -> bool:
    """Whether an interface lies in its node and the switch holds the other end of it.

    After a restart the switch makes a new interface of the port's name beside itself: the node's is dead then.
    """
    return wire.port in there.ports and wire.port not in links[NODE] and wire.interface in links[wire.node]


def _take_back(
    bed: str, loose: Sequence[_Wire], there: ovs.Rows, links: Mapping[str, _Links]
) -> dict[str, list[str]]:
    """Bring each loose interface to the switch, under its port's name; returns commands that restore its routes.

    It is moved rather than made anew, since the macvlan interfaces of pods hang on it.
    """
    if not loose:
        return {}
    hub = netns.name(bed, NODE)
    ovs.vsctl(bed, [["--if-exists", "del-port", wire.port] for wire in loose if wire.port in there.ports])
    left = netns.links(hub)
    routes: dict[str, list[str]] = {}
    moves: dict[str, list[str]] = {}
    for wire in loose:
        if wire.interface in links[wire.node]:
            routes.setdefault(wire.node, []).extend(_routes(netns.name(bed, wire.node), wire.interface))
            moves.setdefault(wire.node, []).append(f"link set dev {wire.interface} netns {hub} name {wire.port}")
    for node, commands in moves.items():
        netns.batch(netns.name(bed, node), commands)
    new = [wire.port for wire in loose if wire.interface not in links[wire.node] and wire.port not in left]
    # Persistent: it outlives a restart of the switch, without a carrier until it is connected again.
    netns.batch(hub, [f"tuntap add dev {port} mode tap" for port in new])
    return routes


def _routes(namespace: str, interface: str) -> list[str]:
    """Commands that restore the routes through gateways over an interface."""
    routes = json.loads(netns.ask(namespace, "route", "show", "dev", interface))
    return [f"route replace {route['dst']} via {route['gateway']} dev {interface}" for route in routes if "gateway" in route]


def _desired(nics: Sequence[Nic], wires: Sequence[_Wire], there: ovs.Rows) -> list[ovs.Command]:
    nodes = [nic.node for nic in nics]
    commands = ovs.surplus_commands(there, nodes, [wire.port for wire in wires])
    commands.append(["clear", "Bridge", NODE, "external_ids"])
    for nic in nics:
        ports = [(wire.vlan, wire.mtu) for wire in wires if wire.node == nic.node]
        commands += ovs.nic_commands(nic.node, ports, mirrored=ovs.bridge_name(nic.node) in there.mirrored)
        commands += ovs.trunk_commands(nic.node, nic.trunk)
    return commands


def _hand_out(bed: str, wires: Sequence[_Wire], loose: Sequence[_Wire], links: Mapping[str, _Links]) -> None:
    """Move connected interfaces to their nodes, give every interface its settings, delete those no longer declared."""
    moves = [f"link set dev {w.port} netns {netns.name(bed, w.node)} name {w.interface}" for w in loose]
    netns.batch(netns.name(bed, NODE), moves)
    moved = set(loose)
    commands: dict[str, list[str]] = {}
    for wire in wires:
        now = {} if wire in moved else links[wire.node][wire.interface]
        commands.setdefault(wire.node, []).extend(_settings(wire, now))
    for node, own in commands.items():
        wanted = {wire.interface for wire in wires if wire.node == node}
        surplus = [link for link in links[node] if link.startswith("eth1.") and link not in wanted]
        netns.batch(netns.name(bed, node), [*(f"link delete dev {link}" for link in surplus), *own])


def _settings(wire: _Wire, now: Mapping[str, Any]) -> list[str]:
    """Commands that turn an interface from what it is now into what it should be; none when it is."""
    commands = []
    if (now.get("mtu"), now.get("address")) != (wire.mtu, wire.mac) or "UP" not in now.get("flags", []):
        commands.append(f"link set dev {wire.interface} promisc off mtu {wire.mtu} address {wire.mac} up")
    has = {f"{entry['local']}/{entry['prefixlen']}" for entry in now.get("addr_info", []) if entry["family"] == "inet"}
    wanted = {wire.address} if wire.address else set()
    commands += [f"address delete {address} dev {wire.interface}" for address in sorted(has - wanted)]
    commands += [f"address add {address} dev {wire.interface}" for address in sorted(wanted - has)]
    return commands


def _apply_oobi(bed: str, oobi: Oobi) -> None:
    hub = netns.name(bed, NODE)
    there = netns.links(hub)
    commands = [] if OOBI_BRIDGE in there else [f"link add {OOBI_BRIDGE} type bridge stp_state 0 mcast_snooping 0"]
    commands.append(f"link set dev {OOBI_BRIDGE} mtu {oobi.mtu} up")
    for node in oobi.addresses:
        leg, own = netns.short(f"oobi-{node}"), netns.name(bed, node)
        if leg not in there:
            commands.append(f"link add {leg} type veth peer name eth0 netns {own} address {netns.mac(bed, node, 'eth0')}")
        commands.append(f"link set dev {leg} mtu {oobi.mtu} master {OOBI_BRIDGE} up")
    netns.batch(hub, commands)
    for node, address in oobi.addresses.items():
        settings = [f"link set dev eth0 mtu {oobi.mtu} up", f"address replace {address}/{oobi.cidr.prefixlen} dev eth0"]
        netns.batch(netns.name(bed, node), settings)
