"""No packet for an address of the bed leaves the machine, and the host's own addresses are never taken."""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest

from lab import containment, netns, places, registries
from lab.command import call
from lab.errors import LabError
from plumbline import namespace

BED = "t2"
PREFIX = IPv4Network("198.18.2.192/27")
INSIDE = "198.18.2.200"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="routes and namespaces need root"),
    pytest.mark.xdist_group("t2"),
]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    netns.delete(BED)
    containment.release(BED)
    places.forget(BED)


@pytest.fixture
def contained() -> None:
    containment.contain(BED, [PREFIX])


@pytest.mark.usefixtures("contained")
def test_the_host_cannot_reach_the_bed_and_learns_it_at_once() -> None:
    began = monotonic()

    with socket.socket() as client:
        client.settimeout(5)
        assert client.connect_ex((INSIDE, 443)) == errno.EHOSTUNREACH

    assert monotonic() - began < 0.5


@pytest.mark.usefixtures("contained")
def test_no_frame_for_the_bed_leaves_by_any_interface() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as wire:
        wire.settimeout(0.3)
        knock(INSIDE)

        assert seen_destinations(wire) & {INSIDE} == set()


@pytest.mark.usefixtures("contained")
def test_the_watch_on_the_wire_sees_what_does_leave() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as wire:
        wire.settimeout(0.3)
        knock("127.0.0.77")

        assert "127.0.0.77" in seen_destinations(wire)


def test_release_gives_the_prefix_back() -> None:
    before = call(["ip", "route"]).stdout
    containment.contain(BED, [PREFIX])
    containment.contain(BED, [PREFIX])
    assert containment.contained(BED) == [PREFIX]

    containment.release(BED)
    containment.release(BED)

    assert containment.contained(BED) == []
    assert call(["ip", "route"]).stdout == before


def test_a_bed_file_that_has_changed_leaves_no_old_route() -> None:
    containment.contain(BED, [PREFIX])
    containment.contain(BED, [IPv4Network("198.18.2.224/27")])

    assert containment.contained(BED) == [IPv4Network("198.18.2.224/27")]


@pytest.mark.usefixtures("contained")
def test_a_prefix_of_another_lab_is_refused() -> None:
    with pytest.raises(LabError, match="belongs to bed t2"):
        containment.contain("t3", [IPv4Network("198.18.2.0/24")])
    places.forget("t3")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.9.9.0/26", "eth9 has 10.9.9.9"),
        ("10.9.8.0/22", "eth9 has 10.9.9.9"),
        ("10.9.9.128/27", "eth9 is in 10.9.9.0/24"),
        ("10.9.7.0/24", "the host has a route to 10.9.7.0/25"),
        ("10.9.6.0/24", "the default gateway 10.9.6.1"),
        ("10.9.5.0/24", "the resolver 10.9.5.53 of the host"),
        ("10.9.4.0/24", "mirror.test, from which the host fetches programs, has 10.9.4.80"),
    ],
)
def test_a_prefix_in_which_the_host_lives_is_refused(text: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError, match=f"in conflict with the bed: {why}, and the bed has {text}"):
        _contain_on_another_host(text, monkeypatch)
    assert containment.contained("t3") == []
    places.forget("t3")


def _contain_on_another_host(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "address": [{"ifname": "eth9", "addr_info": [{"family": "inet", "local": "10.9.9.9", "prefixlen": 24}]}],
        "route": [{"dst": "default", "gateway": "10.9.6.1"}, {"dst": "10.9.7.0/25"}, {"dst": "10.0.0.0/8"}],
    }
    with monkeypatch.context() as other:
        other.setattr(containment, "_ip", lambda *argv: answers[argv[0] if argv[0] in answers else argv[1]])
        other.setattr(containment, "_resolvers", lambda: [IPv4Address("10.9.5.53")])
        other.setattr(registries, "addresses", lambda: {IPv4Address("10.9.4.80"): "mirror.test"})
        containment.contain("t3", [IPv4Network(text)])


def test_what_enters_a_namespace_stays_there() -> None:
    netns.create(BED, ["x"])
    found: list[int] = []

    def work() -> None:
        namespace.enter(netns.name(BED, "x"))
        found.append(here())

    thread = Thread(target=work)
    thread.start()
    thread.join(5)
    assert found == [os.stat(netns.path(BED, "x")).st_ino]


def here() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


def knock(address: str) -> None:
    """Try to send there by UDP and TCP; that it is refused is what other tests look at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, suppress(OSError):
        client.sendto(b"plumbline", (address, 53))
    with socket.socket() as client:
        client.settimeout(0.5)
        client.connect_ex((address, 443))


def seen_destinations(wire: socket.socket) -> set[str]:
    """Destinations of the IPv4 packets that a packet socket has seen until it is quiet."""
    seen = set()
    deadline = monotonic() + 2
    while monotonic() < deadline:
        try:
            frame, origin = wire.recvfrom(2048)
        except TimeoutError:
            break
        if origin[1] == 0x0800 and len(frame) >= 20:
            seen.add(str(IPv4Address(struct.unpack_from("!I", frame, 16)[0])))
    return seen
