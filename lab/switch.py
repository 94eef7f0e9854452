"""The switch of a lab, for which a Nexus stands on real hardware: Open vSwitch in user space, on a machine of its own.

Each node with a data NIC has `eth1`, whose cable `wire-<node>` leads to port `trunk-<node>` of the switch, and
an interface `eth1.<vlan>` for each of its VLANs (`vlan.py`: the kernel lacks 802.1Q). The `trunks` column of a trunk
port is its allowed-VLAN list. OOBI is a kernel bridge apart from all that, with a leg `eth0` in each node.

The trunk ports are persistent: a restart of Open vSwitch takes the carrier for a moment and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from lab import netns, ovs, vlan
from lab.disks import FileSpec
from lab.machine import Machine
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

_Links = Mapping[str, Mapping[str, Any]]


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


def machine() -> Machine:
    """The machine that the switch runs on, to be booted with the nodes; its own files come on top."""
    drop_in = "/etc/systemd/system/ovs-vswitchd.service.d/plumbline.conf"
    # Debian's ovs-ctl loads the kernel's module and lifts limits, neither of which a machine may do.
    # An empty unit is one that never starts: nobody logs in to the switch, and sshd fails where it is given no keys.
    files = {drop_in: FileSpec(_VSWITCHD), "/etc/systemd/system/ssh.service": FileSpec("")}
    return Machine(NODE, files=files, units=("openvswitch-switch.service",))


def apply(bed: str, nics: Sequence[Nic], oobi: Oobi | None) -> int:
    """Make the switch and every node's interfaces what the bed declares, whatever they are now.

    Returns the number of interfaces that had to be made or connected. It can be repeated at any time, also after it was
    killed, and takes back what faults changed. The namespaces must exist, and the switch's machine must have been
    booted; that its services run is waited for.
    """
    if oobi:
        _apply_oobi(bed, oobi)
    made = _make(bed, nics)
    wanted = [ovs.Trunk(_trunk(nic.node), nic.node, nic.trunk) for nic in nics]
    there = {name for (name,) in ovs.table(bed, "Port", "name")}
    surplus = sorted(there - {NODE} - {trunk.port for trunk in wanted})
    ovs.vsctl(bed, ovs.switch_commands(wanted, surplus))
    for number in mtus(bed):
        set_mtu(bed, number, None)
    hub = netns.name(bed, NODE)
    netns.batch(hub, [f"link delete dev {name}" for name in surplus if name in netns.links(hub)])
    return made


def set_mtu(bed: str, vlan: int, mtu: int | None) -> None:
    """Make the switch drop, without a word, packets of a VLAN that are larger than `mtu` bytes; None takes it back."""
    if mtu is None:
        ovs.ofctl(bed, "del-flows", NODE, f"dl_vlan={vlan}")
        ovs.vsctl(bed, [["remove", "Bridge", NODE, "external_ids", f"mtu-{vlan}"]])
        return
    ovs.vsctl(bed, [["set", "Bridge", NODE, f"external_ids:mtu-{vlan}={mtu}"]])
    ovs.ofctl(bed, "add-flow", NODE, "table=1,priority=1,reg0=1,actions=drop")
    ovs.ofctl(bed, "add-flow", NODE, "table=1,priority=0,actions=NORMAL")
    check = f"check_pkt_larger({mtu + _OVERHEAD})->NXM_NX_REG0[0],resubmit(,1)"
    ovs.ofctl(bed, "add-flow", NODE, f"priority=1,dl_vlan={vlan},actions={check}")


def mtus(bed: str) -> dict[int, int]:
    """VLANs to which the switch gives a smaller MTU than its own `LARGEST`, in bytes."""
    noted = ovs.identifiers(bed).items()
    return {int(key.removeprefix("mtu-")): int(value) for key, value in noted if key.startswith("mtu-")}


def _trunk(node: str) -> str:
    return netns.short(f"trunk-{node}")


def _make(bed: str, nics: Sequence[Nic]) -> int:
    """Make interfaces that are missing, give all of them their settings, and attach the programs that join them."""
    hub = netns.name(bed, NODE)
    there = netns.links(hub)
    if alien := [_trunk(nic.node) for nic in nics if _is_alien(there.get(_trunk(nic.node)))]:
        # Open vSwitch made these itself, before the lab had made persistent ones: they would go when it restarts.
        ovs.vsctl(bed, [["--if-exists", "del-port", NODE, name] for name in alien])
        there = netns.links(hub)
    netns.batch(hub, [command for nic in nics for command in _hub_commands(bed, nic, there)])
    there = netns.links(hub)
    hooks = []
    for nic in nics:
        wire, trunk = netns.peer(nic.node, "eth1"), _trunk(nic.node)
        hooks.append(vlan.Hook(wire, "ingress", vlan.forward(there[trunk]["ifindex"])))
        hooks.append(vlan.Hook(trunk, "ingress", vlan.forward(there[wire]["ifindex"])))
    return vlan.attach(hub, hooks, there) + sum(_make_node(bed, nic) for nic in nics)


def _is_alien(link: Mapping[str, Any] | None) -> bool:
    return link is not None and not link.get("linkinfo", {}).get("info_data", {}).get("persist", False)


def _hub_commands(bed: str, nic: Nic, there: _Links) -> list[str]:
    """Commands for the switch's namespace: trunk port, wire, and the ends that give VLAN interfaces their carrier."""
    own, trunk, wire = netns.name(bed, nic.node), _trunk(nic.node), netns.peer(nic.node, "eth1")
    commands = [] if trunk in there else [f"tuntap add dev {trunk} mode tap"]
    commands.append(f"link set dev {trunk} mtu {LARGEST} up")
    if wire not in there:
        address = netns.mac(bed, nic.node, "eth1")
        commands.append(f"link add {wire} type veth peer name eth1 netns {own} address {address}")
    commands.append(f"link set dev {wire} mtu {LARGEST} up")
    for port in nic.ports:
        interface = f"eth1.{port.vlan}"
        end, address = netns.peer(nic.node, interface), port.mac or netns.mac(bed, nic.node, port.vlan)
        if end not in there:
            commands.append(f"link add {end} type veth peer name {interface} netns {own} address {address}")
        commands.append(f"link set dev {end} mtu {port.mtu} up")
    return commands


def _make_node(bed: str, nic: Nic) -> int:
    own = netns.name(bed, nic.node)
    there = netns.links(own)
    wanted = {f"eth1.{port.vlan}" for port in nic.ports}
    commands = [f"link delete dev {link}" for link in there if link.startswith("eth1.") and link not in wanted]
    commands += _settings("eth1", LARGEST, netns.mac(bed, nic.node, "eth1"), None, there)
    for port in nic.ports:
        address = port.mac or netns.mac(bed, nic.node, port.vlan)
        commands += _settings(f"eth1.{port.vlan}", port.mtu, address, port.address, there)
    netns.batch(own, commands)
    index = {name: link["ifindex"] for name, link in there.items()}
    hooks = [vlan.Hook(f"eth1.{p.vlan}", "egress", vlan.tag(p.vlan, index["eth1"])) for p in nic.ports]
    hooks.append(vlan.Hook("eth1", "ingress", vlan.sort({p.vlan: index[f"eth1.{p.vlan}"] for p in nic.ports})))
    return vlan.attach(own, hooks, there)


def _settings(interface: str, mtu: int, mac: str, address: str | None, there: _Links) -> list[str]:
    """Commands that turn an interface from what it is now into what it should be; none when it is."""
    now, commands = there[interface], []
    if (now["mtu"], now["address"]) != (mtu, mac) or "UP" not in now["flags"]:
        commands.append(f"link set dev {interface} mtu {mtu} address {mac} up")
    has = {f"{entry['local']}/{entry['prefixlen']}" for entry in now.get("addr_info", []) if entry["family"] == "inet"}
    wanted = {str(address)} if address else set()
    commands += [f"address delete {gone} dev {interface}" for gone in sorted(has - wanted)]
    return commands + [f"address add {new} dev {interface}" for new in sorted(wanted - has)]


def _apply_oobi(bed: str, oobi: Oobi) -> None:
    hub = netns.name(bed, NODE)
    there = netns.links(hub)
    commands = [] if OOBI_BRIDGE in there else [f"link add {OOBI_BRIDGE} type bridge stp_state 0 mcast_snooping 0"]
    commands.append(f"link set dev {OOBI_BRIDGE} mtu {oobi.mtu} up")
    for node in oobi.addresses:
        leg, own, mac = netns.peer(node, "eth0"), netns.name(bed, node), netns.mac(bed, node, "eth0")
        if leg not in there:
            commands.append(f"link add {leg} type veth peer name eth0 netns {own} address {mac}")
        commands.append(f"link set dev {leg} mtu {oobi.mtu} master {OOBI_BRIDGE} up")
    netns.batch(hub, commands)
    for node, address in oobi.addresses.items():
        settings = [f"link set dev eth0 mtu {oobi.mtu} up", f"address replace {address}/{oobi.cidr.prefixlen} dev eth0"]
        netns.batch(netns.name(bed, node), settings)
