"""TLS on connections of our own: who is trusted, by which name, what is shown, and how it ends."""

from __future__ import annotations

import datetime as dt
import itertools
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from locustfiles.engine.model import Limits
from locustfiles.engine.request import Script, Settings, get
from tests.collect.certificates import Authority
from tests.load.drive import Seen, drive
from tests.load.playing import OK, playing, server_context

NAME, DAY = "origin.example.internal", dt.timedelta(days=1)
AUTHORITY = Authority("load-test")
TRUSTING = Settings(authority=AUTHORITY.certificate)
Shown = Callable[..., ssl.SSLContext]


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    """What a server shows: a certificate for these names."""
    return lambda *names, **when: server_context(tmp_path, AUTHORITY.leaf(*names, **when))


def asked(port: int, settings: Settings, host: str = NAME) -> Seen:
    def script() -> Script:
        yield itertools.repeat(get(f"https://{host}:{port}/"))

    return drive(script, replace(settings, resolve=(f"{NAME}:{port}:127.0.0.1",)), limits=Limits(requests=3))


@pytest.mark.parametrize("connections", ["kept", "new"])
def test_each_connection_has_a_whole_handshake(shown: Shown, connections: str) -> None:
    context = shown(NAME)
    with playing([OK] * 3, tls=context) as player:
        seen = asked(player.port, replace(TRUSTING, connections=connections))  # type: ignore[arg-type]

    assert (seen.total.count, seen.failures) == (3, {})
    assert seen.phases["tls"].count == len(player.heard) == (1 if connections == "kept" else 3)
    assert context.session_stats()["hits"] == 0


@pytest.mark.parametrize(
    ("names", "host", "trusted"),
    [
        (["other.example.internal"], NAME, False),
        (["*.example.internal"], NAME, True),
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.2", NAME], "127.0.0.1", False),
    ],
    ids=["another name", "a wildcard", "an address", "another address"],
)
def test_the_name_is_verified(shown: Shown, names: list[str], host: str, trusted: bool) -> None:
    with playing([OK] * 3, tls=shown(*names)) as player:
        seen = asked(player.port, TRUSTING, host)

    assert seen.failures == ({} if trusted else {"certificate not trusted": 3})


def test_a_certificate_that_is_over_is_not_trusted(shown: Shown) -> None:
    with playing([OK], tls=shown(NAME, start=-2 * DAY, end=-DAY)) as player:
        assert asked(player.port, TRUSTING).failures == {"certificate not trusted": 3}


@pytest.mark.parametrize("settings", [Settings(), Settings(authority=Authority("stranger").certificate)])
def test_a_certificate_of_a_stranger_is_not_trusted(shown: Shown, settings: Settings) -> None:
    with playing([OK], tls=shown(NAME)) as player:
        assert asked(player.port, settings).failures == {"certificate not trusted": 3}


def test_who_is_trusted_need_not_be_a_root(tmp_path: Path) -> None:
    leaf = AUTHORITY.leaf(NAME)
    with playing([OK] * 3, tls=server_context(tmp_path, leaf)) as player:
        assert asked(player.port, Settings(authority=leaf.certificate)).total.count == 3


@pytest.mark.parametrize(
    ("settings", "failure"),
    [
        (Settings(ca="/nowhere.pem"), "generator: CA file not readable"),
        (Settings(authority="nobody"), "generator: CA file not readable"),
        (replace(TRUSTING, certificate="nothing"), "generator: certificate or key not usable"),
    ],
    ids=["no file", "no certificate", "no pair"],
)
def test_what_is_wrong_here_is_the_generators_fault(settings: Settings, failure: str) -> None:
    assert asked(1, settings).failures == {failure: 3}


def test_who_speaks_no_tls_has_failed_its_handshake() -> None:
    with playing([OK], end="early") as player, playing([b""], end="early") as silent:
        assert asked(player.port, TRUSTING).failures == {"TLS handshake failed": 3}
        assert asked(silent.port, TRUSTING).failures == {"TLS handshake failed": 3}


def test_a_large_answer_has_many_records(shown: Shown) -> None:
    body = b"x" * 1_000_000
    large = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n" + body + b"\r\n0\r\n\r\n"
    with playing([large] * 3, tls=shown(NAME)) as player:
        seen = asked(player.port, TRUSTING)

    assert (seen.total.count, seen.size, len(player.heard)) == (3, 3_000_000, 1)


def test_without_a_length_the_end_of_tls_is_the_end_of_the_answer(shown: Shown) -> None:
    """An end that TLS does not tell of may be anybody's."""
    context, endless = shown(NAME), b"HTTP/1.1 200 OK\r\n\r\nok"
    with playing([endless], tls=context) as told, playing([endless], tls=context, end="cut") as cut:
        assert asked(told.port, TRUSTING).total.count == 3
        assert asked(cut.port, TRUSTING).failures == {"answer cut short": 3}


@pytest.mark.parametrize("end", ["close", "cut", "reset"])
def test_what_the_server_closed_while_it_was_idle_is_asked_once_more(shown: Shown, end: str) -> None:
    with playing([OK], tls=shown(NAME), end=end) as player:  # type: ignore[arg-type]
        seen = asked(player.port, TRUSTING)

    assert (seen.total.count, seen.failures, len(player.heard)) == (3, {}, 3)


def test_chosen_curves_are_libcurls(shown: Shown) -> None:
    with playing([OK] * 3, tls=shown(NAME)) as player:
        seen = asked(player.port, replace(TRUSTING, curves="P-384:P-256"))

    assert seen.total.count == 3
    assert b"libcurl" in player.heard[0][0]
