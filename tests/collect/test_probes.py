"""Every kind of probe, each with something that answers and something that does not."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from plumbline.remote import ping, workers
from plumbline.remote.types import Json, Probe
from tests.collect.certificates import Authority
from tests.collect.conftest import FAR, NEAR, Cable


def ask(cable: Cable, *probes: Probe, deadline: float = 8) -> dict[str, Json]:
    """The answers by id."""
    return workers.run(list(probes), cable.pods, time.monotonic() + deadline)


def one(cable: Cable, kind: str, timeout: float = 2, **args: Any) -> Json:
    """The answer to one probe from the near end."""
    return ask(cable, Probe("one", kind, args, cable.uid, timeout))["one"]


def test_a_ping_is_answered_with_its_class_of_service(cable: Cable) -> None:
    answer = one(cable, "ping", address=FAR, tos=0x88)

    assert answer["outcome"] == "ok"
    assert answer["facts"]["reply_tos"] == 0x88


def test_a_ping_of_nobody_is_unreachable_or_silent(cable: Cable) -> None:
    assert one(cable, "ping", address="192.0.2.200", timeout=0.5)["outcome"] in ("timeout", "unreachable")


def test_a_full_frame_crosses_unfragmented(cable: Cable) -> None:
    assert one(cable, "ping", address=FAR, size=9216, fragment=False)["facts"]["largest"] == 9216


def test_the_largest_frame_that_crosses_is_found(cable: Cable) -> None:
    answer = one(cable, "ping", address=FAR, size=9300, fragment=False, bisect=True)

    assert (answer["outcome"], answer["facts"]["largest"]) == ("too-big", 9216)


@pytest.mark.parametrize(("port", "outcome"), [(80, "ok"), (81, "refused")])
def test_a_port_takes_connections_or_refuses_them(cable: Cable, port: int, outcome: str) -> None:
    assert one(cable, "tcp", address=FAR, port=port)["outcome"] == outcome


@pytest.mark.parametrize(
    ("address", "gateway", "outcome", "syn"),
    [
        (FAR, FAR, "ok", "accepted"),
        ("198.51.100.7", FAR, "unreachable", "ICMP 3/0"),
        (FAR, "192.0.2.203", "timeout", ""),
    ],
)
def test_a_gateway_is_asked_whatever_the_routes_say(
    cable: Cable, address: str, gateway: str, outcome: str, syn: str
) -> None:
    answer = one(cable, "tcp", address=address, port=80, interface="net1", source=NEAR, gateway=gateway, timeout=0.8)

    assert (answer["outcome"], answer["facts"].get("syn", "")) == (outcome, syn)


def test_tls_is_verified_against_the_given_authority(cable: Cable, authority: Authority) -> None:
    facts = one(
        cable,
        "tls",
        address=FAR,
        name="good.test",
        ca=authority.certificate,
        alpn=["h2", "http/1.1"],
        resume=True,
        http={"path": "/"},
    )["facts"]

    assert facts["verified"] is True
    assert (facts["protocol"], facts["alpn"], facts["resumed"]) == ("TLSv1.3", "http/1.1", True)
    assert (facts["http"]["status"], facts["http"]["length"]) == (200, 5)
    assert len(facts["chain"]) == 1


def test_a_session_of_tls_1_2_is_resumed(cable: Cable, authority: Authority) -> None:
    facts = one(cable, "tls", address=FAR, port=445, name="good.test", ca=authority.certificate, resume=True)["facts"]

    assert (facts["protocol"], facts["resumed"]) == ("TLSv1.2", True)


@pytest.mark.parametrize(("port", "name"), [(444, "good.test"), (443, "other.test")])
def test_a_wrong_certificate_is_not_verified_but_shown(
    cable: Cable, authority: Authority, port: int, name: str
) -> None:
    facts = one(cable, "tls", address=FAR, port=port, name=name, ca=authority.certificate)["facts"]

    assert facts["verified"] is False
    assert facts["verify_error"]
    assert len(facts["chain"]) == 1


@pytest.mark.parametrize(("port", "outcome"), [(8001, "timeout"), (8002, "rubbish"), (8003, "refused")])
def test_what_is_not_tls_has_an_outcome_of_its_own(cable: Cable, port: int, outcome: str) -> None:
    assert one(cable, "tls", address=FAR, port=port, timeout=0.6)["outcome"] == outcome


@pytest.mark.parametrize(("port", "outcome"), [(80, "ok"), (8002, "rubbish"), (8001, "timeout")])
def test_http(cable: Cable, port: int, outcome: str) -> None:
    assert one(cable, "http", address=FAR, port=port, timeout=0.6)["outcome"] == outcome


@pytest.mark.parametrize(("port", "outcome"), [(443, "ok"), (444, "refused"), (53, "rubbish"), (161, "timeout")])
def test_quic_is_answered_refused_or_met_with_silence(cable: Cable, port: int, outcome: str) -> None:
    assert one(cable, "quic", address=FAR, port=port, timeout=1)["outcome"] == outcome


@pytest.mark.parametrize(("name", "rcode", "answers"), [("good.test", "NOERROR", [FAR]), ("bad.test", "NXDOMAIN", [])])
def test_a_name_server_is_asked(cable: Cable, name: str, rcode: str, answers: list[str]) -> None:
    facts = one(cable, "dns", address=FAR, name=name)["facts"]

    assert (facts["rcode"], facts["answers"]) == (rcode, answers)


@pytest.mark.parametrize(("community", "outcome"), [("right", "ok"), ("wrong", "timeout")])
def test_snmp_answers_the_right_community_only(cable: Cable, community: str, outcome: str) -> None:
    assert one(cable, "snmp", address=FAR, community=community, timeout=0.8)["outcome"] == outcome


@pytest.mark.parametrize(("address", "claims"), [(FAR, 1), ("192.0.2.201", 0), (NEAR, 0)])
def test_who_claims_an_address(cable: Cable, address: str, claims: int) -> None:
    assert len(one(cable, "arp", interface="net1", address=address, window=0.3)["facts"]["answers"]) == claims


def test_a_capture_sees_what_its_probes_send(cable: Cable) -> None:
    answers = ask(
        cable,
        Probe("wire", "capture", {"interface": "net1", "hosts": [FAR]}, cable.uid, 5),
        Probe("echo", "ping", {"address": FAR, "tos": 0x88}, cable.uid, 1, during="wire"),
    )
    frames = [f for f in answers["wire"]["facts"]["frames"] if f["protocol"] == 1 and f["target"] == FAR]

    assert answers["wire"]["seconds"] < 3
    assert [(f["vlan"], f["dscp"], f["count"]) for f in frames] == [(None, 34, 1)]


def test_a_hundred_handshakes_take_few_seconds(cable: Cable, authority: Authority) -> None:
    args = {"address": FAR, "name": "good.test", "ca": authority.certificate}
    started = time.monotonic()
    answers = ask(cable, *(Probe(str(n), "tls", args, cable.uid, 3) for n in range(100)))

    assert all(a["facts"]["verified"] for a in answers.values())
    assert time.monotonic() - started < 5


def test_a_hung_child_is_killed_at_the_deadline(cable: Cable) -> None:
    probes = [Probe(str(n), "tls", {"address": FAR, "port": 8001}, cable.uid, 60) for n in range(3)]
    started = time.monotonic()

    assert {a["outcome"] for a in ask(cable, *probes, deadline=0.5).values()} == {"timeout"}
    assert time.monotonic() - started < 2


def test_a_pod_that_is_gone_and_a_kind_that_does_not_exist(cable: Cable) -> None:
    answers = ask(cable, Probe("gone", "tcp", {}, "no-such-pod", 1), Probe("odd", "telepathy", {}, cable.uid, 1))

    assert answers["gone"]["outcome"] == "error"
    assert answers["odd"]["outcome"] == "error"


@pytest.mark.parametrize("vlan", [20, 30])
def test_a_capture_tells_the_vlan_on_the_wire(cable: Cable, vlan: int) -> None:
    """A tagged frame, made by hand since a kernel need not know 802.1Q, sent by another process."""
    frame = b"\xff" * 6 + b"\2" + bytes(5) + bytes.fromhex(f"8100{vlan:04x}08060001080006040001") + bytes(20)
    send = [
        "import socket, time",
        "s = socket.socket(17, 3)",
        "s.bind(('net1', 0))",
        f"for _ in range(9): s.send({frame!r}), time.sleep(0.05)",
    ]
    sender = subprocess.Popen(["ip", "netns", "exec", cable.far, sys.executable, "-c", "\n".join(send)])
    try:
        probes = (
            Probe("wire", "capture", {"interface": "net1"}, cable.uid, 5),
            Probe(
                "wait",
                "arp",
                {"interface": "net1", "address": "192.0.2.202", "window": 0.5},
                cable.uid,
                1,
                during="wire",
            ),
        )
        facts = ask(cable, *probes)["wire"]["facts"]
    finally:
        sender.wait(10)

    assert facts["vlans"].get(str(vlan), 0) > 0
    assert [f["ethertype"] for f in facts["frames"] if f["vlan"] == vlan] == [0x0806]


@pytest.mark.parametrize(
    ("protocol", "kind", "address", "mine"),
    [(1, 8, FAR, True), (17, 8, FAR, False), (1, 0, FAR, False), (1, 8, "192.0.2.9", False)],
)
def test_an_error_about_something_else_is_not_the_pings(protocol: int, kind: int, address: str, mine: bool) -> None:
    header = bytes([0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1]) + socket.inet_aton(address)
    message = bytes([kind, 0, 0, 0]) + (1208).to_bytes(2, "big") + b"\0\1"  # as long as what QUIC begins with

    with socket.socket() as unused:
        assert ping._about(header, message, ping._Target(unused, FAR, 1208)) is mine
