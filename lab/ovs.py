"""How the lab talks to Open vSwitch: one transaction on its database, OpenFlow commands, and the names that it gives.

A node's NIC is the bridge `br-<node>` with a port `<vlan>.<node>` for each VLAN interface, `all.<node>` for `eth1`, and
`uplink-<node>`, whose other end is `trunk-<node>` on the bridge of the switch.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lab import machine, netns
from lab.errors import LabError

NODE = "nexus"
"""Machine, namespace and bridge of the switch."""
LARGEST = 9216
"""Bytes of the largest packet that the switch carries, as on a Nexus with jumbo frames."""
NO_VLAN = 4095
"""Stands in every allowed-VLAN list, since an empty one would allow all; no frame can carry this number."""

Command = list[str]


@dataclass(frozen=True)
class Rows:
    """What the switch's database holds: ports, bridges, and the bridges that mirror their uplink."""

    ports: frozenset[str]
    bridges: frozenset[str]
    mirrored: frozenset[str]


def vsctl(bed: str, commands: Iterable[Sequence[str]], *, timeout: int = 30) -> str:
    """Run `ovs-vsctl` commands in one transaction, wait until they are in force, and return what was said."""
    argv = ["ovs-vsctl", f"--timeout={timeout}"]
    for command in commands:
        argv += ["--", *command]
    return _said(bed, argv, timeout) if len(argv) > 2 else ""


def ofctl(bed: str, *argv: str) -> str:
    """Run one `ovs-ofctl` command and return what was said."""
    return _said(bed, ["ovs-ofctl", "--timeout=10", *argv], 10)


def table(bed: str, name: str, *columns: str) -> list[list[Any]]:
    """Rows of a table of the switch's database, the given columns, sets and maps in plain Python."""
    said = _said(bed, ["ovs-vsctl", "--timeout=10", "--format=json", f"--columns={','.join(columns)}", "list", name], 10)
    found = json.loads(said) if said.strip() else {"headings": list(columns), "data": []}
    order = [found["headings"].index(column) for column in columns]
    return [[_plain(row[index]) for index in order] for row in found["data"]]


def rows(bed: str) -> Rows:
    """What there is now."""
    bridges = table(bed, "Bridge", "name", "mirrors")
    return Rows(
        ports=frozenset(name for (name,) in table(bed, "Port", "name")),
        bridges=frozenset(name for name, _ in bridges),
        mirrored=frozenset(name for name, mirrors in bridges if mirrors),
    )


def bridge_name(node: str) -> str:
    """Bridge that is a node's NIC."""
    return netns.short(f"br-{node}")


def port_name(node: str, vlan: int | None) -> str:
    """Port of a node's VLAN interface; None: of `eth1` itself."""
    return netns.short(f"{'all' if vlan is None else vlan}.{node}")


def nic_commands(node: str, ports: Sequence[tuple[int | None, int]], *, mirrored: bool) -> list[Command]:
    """The NIC of a node with its ports: VLAN (None: `eth1`) and MTU in bytes; `mirrored` when it has its mirror already."""
    bridge, uplink, wire = bridge_name(node), f"uplink-{node}", port_name(node, None)
    commands = [*_bridge(bridge), *_patch(bridge, uplink, f"trunk-{node}")]
    for vlan, mtu in ports:
        name = port_name(node, vlan)
        access = [f"tag={vlan}", "vlan_mode=access"] if vlan is not None else ["vlan_mode=trunk"]
        commands += [
            ["--may-exist", "add-port", bridge, name],
            ["set", "Port", name, *access],
            ["set", "Interface", name, "type=internal", f"mtu_request={mtu}"],
        ]
    if not mirrored:
        mirror = ["name=wire", f"select_src_port=@up-{node}", f"select_dst_port=@up-{node}", f"output_port=@wire-{node}"]
        commands += [
            [f"--id=@up-{node}", "get", "Port", uplink],
            [f"--id=@wire-{node}", "get", "Port", wire],
            [f"--id=@mirror-{node}", "create", "Mirror", *mirror],
            ["set", "Bridge", bridge, f"mirrors=@mirror-{node}"],
        ]
    return commands


def trunk_commands(node: str, vlans: Iterable[int]) -> list[Command]:
    """The switch's end of a node's trunk, with its allowed VLANs."""
    name = f"trunk-{node}"
    allowed = ",".join(str(vlan) for vlan in sorted({*vlans, NO_VLAN}))
    return [*_patch(NODE, name, f"uplink-{node}"), ["set", "Port", name, "vlan_mode=trunk", f"trunks=[{allowed}]"]]


def switch_commands() -> list[Command]:
    """The switch itself, with as few threads as it can run on."""
    settings = ["n-handler-threads=1", "n-revalidator-threads=1", "stats-update-interval=60000"]
    return [["set", "Open_vSwitch", ".", *(f"other_config:{setting}" for setting in settings)], *_bridge(NODE)]


def surplus_commands(there: Rows, nodes: Iterable[str], ports: Iterable[str]) -> list[Command]:
    """Take away what is neither a wanted node's nor a wanted port."""
    names = list(nodes)
    bridges = {NODE, *(bridge_name(node) for node in names)}
    wanted = bridges | set(ports) | {f"{end}-{node}" for node in names for end in ("uplink", "trunk")}
    gone = [["--if-exists", "del-br", name] for name in sorted(there.bridges - bridges)]
    return gone + [["--if-exists", "del-port", name] for name in sorted(there.ports - wanted - there.bridges)]


def _bridge(name: str) -> list[Command]:
    settings = ["datapath_type=netdev", "rstp_enable=false", "mcast_snooping_enable=false"]
    return [["--may-exist", "add-br", name], ["set", "Bridge", name, *settings, "other_config:mac-table-size=16384"]]


def _patch(bridge: str, name: str, peer: str) -> list[Command]:
    return [["--may-exist", "add-port", bridge, name], ["set", "Interface", name, "type=patch", f"options:peer={peer}"]]


def _said(bed: str, argv: list[str], timeout: int) -> str:
    done = machine.run(bed, NODE, argv, timeout=timeout + 2)
    if done.returncode != 0:
        raise LabError(f"the switch refuses: {done.stderr.strip()}", remedy=f"python -m lab logs {NODE} ovs-vswitchd")
    return done.stdout


def _plain(value: Any) -> Any:
    match value:
        case ["set", members]:
            return [_plain(member) for member in members]
        case ["map", pairs]:
            return {key: _plain(member) for key, member in pairs}
        case ["uuid", text]:
            return text
    return value
