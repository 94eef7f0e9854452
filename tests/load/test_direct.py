"""Connections of our own: kept, made anew, refused, mistrusted, cut short; each with its class of failure."""

from __future__ import annotations

import errno
import itertools
import socket

import pytest

from locustfiles.engine.model import Limits
from locustfiles.engine.reactor import System
from locustfiles.engine.request import Request, Script, Settings, get, post
from plumbline.load.verdict import REFUSALS
from tests.load.drive import Seen, drive
from tests.load.playing import OK, Player, playing

SLOW = Settings(timeout=0.2)


def repeating(request: Request) -> Script:
    yield itertools.repeat(request)


def asked(player: Player, settings: Settings | None = None, number: int = 3) -> Seen:
    url = f"http://{f'[{player.address}]' if ':' in player.address else player.address}:{player.port}/"
    return drive(lambda: repeating(get(url)), settings, limits=Limits(requests=number))


def test_what_the_server_closed_while_it_was_idle_is_asked_once_more() -> None:
    with playing([OK, OK]) as player:
        seen = asked(player, number=6)

    assert (seen.total.count, seen.failures) == (6, {})
    assert [len(heard) for heard in player.heard] == [2, 2, 2]
    assert seen.phases["connect"].count == 3


def test_what_is_reset_while_it_was_idle_is_asked_once_more() -> None:
    with playing([OK], end="reset") as player:
        seen = asked(player)

    assert (seen.total.count, seen.failures) == (3, {})


def test_what_is_lost_in_mid_work_is_not_asked_again() -> None:
    with playing([OK, b""], after=0.4) as player:
        seen = asked(player, number=4)

    assert (seen.total.count, seen.failures) == (2, {"closed without an answer": 2})
    assert [len(heard) for heard in player.heard] == [2, 2]


def test_what_changes_something_is_not_sent_again() -> None:
    with playing([OK, b""]) as player:
        url = f"http://127.0.0.1:{player.port}/"
        changing = drive(lambda: repeating(post(url, b"one")), limits=Limits(requests=4))
        putting = drive(lambda: repeating(Request("PUT", url, "put", body=b"one")), limits=Limits(requests=4))

    assert (changing.total.count, changing.failures) == (2, {"closed without an answer": 2})
    assert (putting.total.count, putting.failures) == (4, {})


def test_a_new_connection_that_is_closed_is_not_tried_again() -> None:
    with playing([b""]) as player:
        seen = asked(player)

    assert (seen.failures, len(player.heard)) == ({"closed without an answer": 3}, 3)
    assert set(seen.failures) < REFUSALS


def test_a_new_connection_that_is_reset_is_a_failure() -> None:
    with playing([b""], end="reset") as player:
        seen = asked(player)

    assert seen.failures == {"connection lost while receiving": 3}
    assert set(seen.failures) < REFUSALS


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "answer cut short"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "answer cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "answer cut short"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "status 503"),
        (b"HTTP/1.1 307 Elsewhere\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "status 307"),
    ],
    ids=["body", "head", "chunks", "another protocol", "status", "elsewhere"],
)
def test_bad_answers_have_their_class(answer: bytes, failure: str) -> None:
    with playing([answer]) as player:
        seen = asked(player)

    assert (seen.failures, seen.total.count) == ({failure: 3}, 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
        OK + b"and more",
    ],
    ids=["closed", "old", "without a length", "more than was asked for"],
)
def test_what_may_not_be_kept_is_not(answer: bytes) -> None:
    with playing([answer]) as player:
        seen = asked(player)

    assert (seen.total.count, seen.size, seen.failures) == (3, 6, {})
    assert seen.phases["connect"].count == 3


def test_hints_before_an_answer_are_no_answer() -> None:
    with playing([b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" + OK] * 3) as player:
        seen = asked(player)

    assert (seen.total.count, seen.size, len(player.heard)) == (3, 6, 1)


def test_a_head_a_put_and_a_large_body() -> None:
    body, said = b"x" * 5_000_000, []
    with playing([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", OK, OK]) as player:
        url = f"http://127.0.0.1:{player.port}"

        def script() -> Script:
            for request in (Request("HEAD", url, "head"), post(url, body), get(url, wants_body=True)):
                answer = yield request
                said.append((answer.status, answer.size, answer.body))

        drive(script, limits=Limits(requests=3))

    assert said == [(200, 0, b""), (200, 2, b""), (200, 2, b"ok")]
    assert [request.endswith(body) for request in player.heard[0]] == [False, True, False]


def test_an_answer_before_the_body_was_taken_ends_the_connection() -> None:
    """A server that wants no such body says so early: nothing that is still in the socket may follow it."""
    with playing([OK], end="early") as player:
        request = post(f"http://127.0.0.1:{player.port}/", b"x" * 20_000_000)
        seen = drive(lambda: repeating(request), limits=Limits(requests=2))

    assert (seen.total.count, len(player.heard)) == (2, 2)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [(b"", "timeout: no first byte"), (b"HTTP/1.1 200 OK\r\n", "timeout: answer did not end")],
    ids=["nothing", "a part"],
)
def test_who_says_no_more_is_left_when_the_time_is_up(answer: bytes, failure: str) -> None:
    with playing([answer, OK]) as player:
        seen = asked(player, SLOW, number=2)

    assert (seen.failures, len(player.heard)) == ({failure: 2}, 2)


def test_a_handshake_that_does_not_end_has_its_class() -> None:
    with playing([OK]) as player:
        url = f"https://127.0.0.1:{player.port}/"
        seen = drive(lambda: repeating(get(url)), SLOW, limits=Limits(requests=2))

    assert seen.failures == {"timeout: no end of the TLS handshake": 2}
    assert (seen.phases["connect"].count, "tls" in seen.phases) == (2, False)


@pytest.mark.parametrize(
    "settings", [Settings(interface="127.0.0.1"), Settings(interface="lo")], ids=["address", "name"]
)
def test_it_sends_from_where_it_is_told(settings: Settings) -> None:
    with playing([OK] * 3) as player:
        assert asked(player, settings).total.count == 3


@pytest.mark.parametrize("interface", ["192.0.2.1", "not-there"])
def test_an_interface_that_is_not_there_is_the_generators_fault(interface: str) -> None:
    with playing([OK]) as player:
        seen = asked(player, Settings(interface=interface))

    assert seen.failures == {"generator: cannot send from that interface": 3}


def test_addresses_may_be_of_version_6() -> None:
    with playing([OK] * 3, address="::1") as player:
        assert asked(player).total.count == 3


def test_a_name_that_stands_for_an_address_is_not_looked_up() -> None:
    with playing([OK] * 3) as player:
        settings = Settings(resolve=(f"Persona.Internal:{player.port}:127.0.0.1",))
        seen = drive(lambda: repeating(get(f"http://persona.internal:{player.port}/")), settings, limits=Limits(3))

    assert seen.total.count == 3
    assert f"Host: persona.internal:{player.port}".encode() in player.heard[0][0]


def test_too_many_open_files_are_the_generators_fault() -> None:
    def none(*_: int) -> socket.socket:
        raise OSError(errno.EMFILE, "too many")

    seen = drive(lambda: repeating(get("http://127.0.0.1:1/")), users=2, system=System(new_socket=none))

    assert seen.failures == {"generator: too many open files": 20}
