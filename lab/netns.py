"""Network namespaces of a lab: one a node, named `<bed>-<node>`; all in batches, for there are hundreds of interfaces.

What belongs to a bed is recorded in its runtime folder before it is made, so that it is found again after a kill.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lab.command import call
from lab.errors import LabError
from lab.places import run_dir

NAMED = Path("/run/netns")
SWITCH = "nexus"
"""Node that holds the other end of every cable."""


def name(bed: str, node: str) -> str:
    """Name of a node's network namespace."""
    return f"{bed}-{node}"


def path(bed: str, node: str) -> Path:
    """File that holds a node's network namespace open."""
    return NAMED / name(bed, node)


def short(text: str) -> str:
    """The text itself if it can name an interface (15 characters), else a stable abbreviation."""
    return text if len(text) <= 15 else f"{text[:8]}~{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def mac(bed: str, node: str, port: int | str) -> str:
    """Locally administered MAC address of a node's port: the same at each boot."""
    octets = hashlib.sha256(f"{bed}/{node}/{port}".encode()).digest()[:5]
    return ":".join(["02", *(f"{octet:02x}" for octet in octets)])


def create(bed: str, nodes: Iterable[str]) -> None:
    """Make the namespaces that are missing, with nothing in them but `lo`, up.

    Raises `LabError` when a namespace of that name exists and is not the bed's.
    """
    recorded, chosen, missing = set(_recorded(bed)), list(nodes), []
    for node in chosen:
        there = path(bed, node).exists()
        if there and node not in recorded:
            raise LabError(
                f"a network namespace {name(bed, node)} exists on this machine and is not the lab's",
                remedy=f"ip netns delete {name(bed, node)}, or give the bed another name",
            )
        if not there:
            missing.append(node)
    record = _record_dir(bed)
    for node in missing:
        (record / node).write_text("")
    batch(None, [f"netns add {name(bed, node)}" for node in missing])
    for node in chosen:
        if not (record / node).read_text():
            _settle(name(bed, node))
            (record / node).write_text("settled\n")


def delete(bed: str, nodes: Iterable[str] | None = None) -> None:
    """Remove namespaces (all of the bed's by default) with every interface in them; those already gone are no error."""
    chosen = list(nodes) if nodes is not None else _recorded(bed)
    batch(None, [f"netns delete {name(bed, node)}" for node in chosen if path(bed, node).exists()])
    for node in chosen:
        (_record_dir(bed) / node).unlink(missing_ok=True)


def batch(namespace: str | None, commands: Sequence[str], *, timeout: float = 60) -> None:
    """Run `ip` commands in one process inside a namespace (None: the host's own)."""
    if commands:
        where = ["-n", namespace] if namespace else []
        call(["ip", *where, "-batch", "-"], input="\n".join(commands) + "\n", timeout=timeout)


def links(namespace: str) -> dict[str, dict[str, Any]]:
    """Interfaces of a namespace by name, with their addresses, as `ip -j -d address` tells them."""
    return {link["ifname"]: link for link in json.loads(ask(namespace, "-details", "address", "show")) if link}


def ask(namespace: str, *argv: str) -> str:
    """What `ip -json` says inside a namespace; an empty list where it says nothing."""
    return call(["ip", "-n", namespace, "-json", *argv]).stdout.strip() or "[]"


def peer(node: str, interface: str) -> str:
    """Name, on the switch, of the other end of a node's interface `eth0`, `eth1` or `eth1.<vlan>`."""
    match interface.partition("."):
        case ["eth0", *_]:
            return short(f"oobi-{node}")
        case ["eth1", "", _]:
            return short(f"wire-{node}")
        case [_, _, vlan]:
            return short(f"{vlan}.{node}")
    raise AssertionError(interface)


def set_cables(bed: str, node: str, *, plugged: bool) -> None:
    """Plug or pull every cable of a node, data and OOBI, and wait until it has or lacks its carrier.

    Addresses and routes stay. An interface that is down stays down.
    """
    own, hub = name(bed, node), name(bed, SWITCH)
    ends = {peer(node, link): link for link in links(own) if link.partition(".")[0] in {"eth0", "eth1"}}
    there = ends.keys() & links(hub).keys()
    batch(hub, [f"link set dev {end} {'up' if plugged else 'down'}" for end in sorted(there)])
    deadline = time.monotonic() + 5
    # The kernel tells the change of a carrier with up to a second's delay, and drops what is sent meanwhile.
    while not _have_carrier(own, {ends[end] for end in there}, wanted=plugged):
        if time.monotonic() > deadline:
            raise LabError(f"{node} does not {'get' if plugged else 'lose'} its carrier")
        time.sleep(0.02)


def _have_carrier(namespace: str, chosen: set[str], *, wanted: bool) -> bool:
    found = [link for name, link in links(namespace).items() if name in chosen and "UP" in link["flags"]]
    return all((link["operstate"] == "UP") is wanted for link in found)


def clear(bed: str, node: str, root: Path) -> None:
    """Take from a node's namespace what a loss of power takes: packet filters and interfaces that its programs made.

    Its own interfaces stay, with their addresses and routes. `root` is a file system that has `nft`.
    """
    if node == SWITCH:
        return  # what is in its namespace is the lab's
    own = name(bed, node)
    made = [link for link in links(own) if link != "lo" and link.partition(".")[0] not in {"eth0", "eth1"}]
    # One may go with another (the ends of a pair), so each is tried by itself.
    call(["ip", "-n", own, "-force", "-batch", "-"], input="".join(f"link delete dev {x}\n" for x in made), check=False)
    call(["nsenter", f"--net={NAMED / own}", "chroot", str(root), "nft", "flush", "ruleset"], check=False)


def _settle(namespace: str) -> None:
    """Bring `lo` up, and start from the same network settings on every host: no forwarding, no IPv6 chatter."""
    batch(namespace, ["link set dev lo up"])
    settings = ["net.ipv4.ip_forward=0", "net.ipv4.conf.default.rp_filter=0", "net.ipv4.conf.all.rp_filter=0"]
    settings.append("net.ipv6.conf.default.disable_ipv6=1")
    call(["nsenter", f"--net={NAMED / namespace}", "sysctl", "--quiet", "--ignore", "--write", *settings])


def _record_dir(bed: str) -> Path:
    folder = run_dir(bed) / "netns"
    folder.mkdir(exist_ok=True)
    return folder


def _recorded(bed: str) -> list[str]:
    return sorted(entry.name for entry in _record_dir(bed).iterdir())
