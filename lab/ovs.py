"""How the lab talks to Open vSwitch on the machine of the switch: transactions on its database, OpenFlow commands."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lab import machine, netns
from lab.errors import LabError

NODE = netns.SWITCH
"""Machine, namespace and bridge of the switch."""
LARGEST = 9216
"""Bytes of the largest packet that the switch carries, as on a Nexus with jumbo frames."""
NO_VLAN = 4095
"""Stands in every allowed-VLAN list, since an empty one would allow all; no frame can carry this number."""

Command = list[str]

# The switch may still be booting.
_VSCTL = ("ovs-vsctl", "--retry")
# As few threads and as little polling of statistics as it can run with: the host has two cores and ten machines.
_SETTINGS = ("n-handler-threads=1", "n-revalidator-threads=1", "stats-update-interval=60000")


@dataclass(frozen=True)
class Trunk:
    """A port of the switch, the node at its other end, and the VLANs that it lets through."""

    port: str
    node: str
    vlans: frozenset[int]


def vsctl(bed: str, commands: Iterable[Sequence[str]], *, timeout: int = 30) -> str:
    """Run `ovs-vsctl` commands in one transaction, wait until they are in force, and return what was said."""
    argv = [*_VSCTL, f"--timeout={timeout}"]
    for command in commands:
        argv += ["--", *command]
    return _said(bed, argv, timeout) if "--" in argv else ""


def ofctl(bed: str, *argv: str) -> str:
    """Run one `ovs-ofctl` command and return what was said."""
    return _said(bed, ["ovs-ofctl", "--timeout=10", *argv], 10)


def table(bed: str, name: str, *columns: str) -> list[list[Any]]:
    """Rows of a table of the switch's database, the given columns, sets and maps in plain Python."""
    argv = [*_VSCTL, "--timeout=30", "--format=json", f"--columns={','.join(columns)}", "list", name]
    found = json.loads(_said(bed, argv, 30) or '{"headings": [], "data": []}')
    order = [found["headings"].index(column) for column in columns if found["data"]]
    return [[_plain(row[index]) for index in order] for row in found["data"]]


def identifiers(bed: str) -> dict[str, str]:
    """What the lab noted on the bridge of the switch; nothing before the switch has its bridge."""
    bridges: dict[str, dict[str, str]] = dict(table(bed, "Bridge", "name", "external_ids"))
    return bridges.get(NODE, {})


def switch_commands(trunks: Iterable[Trunk], surplus: Iterable[str]) -> list[Command]:
    """The switch with these trunk ports and without the ports in `surplus`."""
    bridge = ["datapath_type=netdev", "rstp_enable=false", "mcast_snooping_enable=false"]
    commands = [
        ["set", "Open_vSwitch", ".", *(f"other_config:{setting}" for setting in _SETTINGS)],
        ["--may-exist", "add-br", NODE],
        ["set", "Bridge", NODE, *bridge, "other_config:mac-table-size=16384"],
    ]
    commands += [["--if-exists", "del-port", NODE, name] for name in surplus]
    for trunk in trunks:
        allowed = ",".join(str(vlan) for vlan in sorted({*trunk.vlans, NO_VLAN}))
        column = [f"trunks=[{allowed}]", "vlan_mode=trunk", "tag=[]", f"external_ids:node={trunk.node}"]
        commands += [
            ["--may-exist", "add-port", NODE, trunk.port],
            ["set", "Interface", trunk.port, "type=internal", f"mtu_request={LARGEST}"],
            ["set", "Port", trunk.port, *column],
        ]
    return commands


def _said(bed: str, argv: list[str], timeout: int) -> str:
    done = machine.run(bed, NODE, argv, timeout=timeout + 2)
    if done.returncode != 0:
        raise LabError(f"the switch refuses: {done.stderr.strip()}", remedy=f"python -m lab logs {NODE} ovs-vswitchd")
    return done.stdout.strip()


def _plain(value: Any) -> Any:
    match value:
        case ["set", members]:
            return [_plain(member) for member in members]
        case ["map", pairs]:
            return {key: _plain(member) for key, member in pairs}
        case ["uuid", text]:
            return text
    return value
