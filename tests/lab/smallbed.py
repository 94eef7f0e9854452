"""A small bed of real machines for the tests of the lab: two nodes and the switch, with prefixes for tests of devices."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from time import monotonic

from lab import containment, disks, machine, netns, places, rootfs, switch
from lab.switch import Nic, Oobi, Port

BED = "t1"
NODES = ("a", "b")
OOBI = Oobi(
    IPv4Network("198.18.1.0/25"),
    1500,
    {"a": IPv4Address("198.18.1.1"), "b": IPv4Address("198.18.1.2"), "runner": IPv4Address("198.18.1.3")},
)
NICS = (
    Nic("a", frozenset({20, 30}), (Port(20, address="198.18.0.1/25"), Port(30, address="198.18.0.129/25"))),
    Nic("b", frozenset({20, 30}), (Port(20, address="198.18.0.2/25"), Port(30, address="198.18.0.130/25"))),
)
PREFIXES = (OOBI.cidr, IPv4Network("198.18.0.0/25"), IPv4Network("198.18.0.128/25"))


@contextmanager
def running() -> Iterator[None]:
    """The bed is up meanwhile, and gone without a trace afterwards."""
    take_away()
    try:
        containment.contain(BED, PREFIXES)
        bring_up()
        yield
    finally:
        take_away()


def bring_up() -> None:
    """Make what is missing of the bed; a second call changes nothing."""
    base = rootfs.ensure()
    netns.create(BED, [*NODES, "runner", switch.NODE])
    machines = [switch.machine(), *(machine.Machine(node) for node in NODES)]
    machine.boot(BED, [without_ssh(each) for each in machines], base)
    switch.apply(BED, NICS, OOBI)
    for each in machines:
        machine.wait_running(BED, each.name, monotonic() + 30)


def without_ssh(each: machine.Machine) -> machine.Machine:
    """The machine without sshd, which would fail without keys."""
    return replace(each, files={**each.files, "/etc/systemd/system/ssh.service": disks.FileSpec("")})


def take_away() -> None:
    """Remove all of it."""
    machine.remove_all(BED)
    netns.delete(BED)
    containment.release(BED)
    places.forget(BED)


def ping(source: str, target: str, *, size: int = 56) -> bool:
    """Whether an echo of `size` bytes, not to be fragmented, is answered: one of three, for a carrier may be new."""
    argv = ["ping", "-c", "3", "-i", "0.3", "-W", "1", "-M", "do", "-s", str(size), target]
    return machine.run(BED, source, argv, timeout=5).returncode == 0
