"""Names are looked up without keeping anybody waiting, and each of their addresses is tried."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from locustfiles.engine.model import Limits
from locustfiles.engine.reactor import System
from locustfiles.engine.request import Request, Script, Settings, get
from tests.load.drive import drive
from tests.load.playing import OK, playing


class Resolver:
    """Stands in for the system's."""

    def __init__(self, *addresses: str, seconds: float = 0.0) -> None:
        self.addresses, self.seconds, self.asked = addresses, seconds, list[str]()

    def __call__(self, name: str, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        self.asked.append(name)
        time.sleep(self.seconds)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [(0, 0, 0, "", (address, 0)) for address in self.addresses]


def repeating(request: Request) -> Callable[[], Script]:
    def script() -> Script:
        yield itertools.repeat(request)

    return script


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1", "127.0.0.2", "127.0.0.1"]], ids=["one", "the third"])
def test_a_name_is_looked_up_once_for_all_users(addresses: list[str]) -> None:
    resolver = Resolver(*addresses)
    with playing([OK] * 20) as player:
        url = f"http://persona.internal:{player.port}/"
        seen = drive(repeating(get(url)), users=4, limits=Limits(requests=20), system=System(getaddrinfo=resolver))

    assert (seen.total.count, seen.failures, resolver.asked) == (20, {}, ["persona.internal"])
    assert seen.phases["connect"].count == len(player.heard) <= 4


def test_nobody_at_any_address() -> None:
    system = System(getaddrinfo=Resolver("127.0.0.1", "127.0.0.2"))

    assert drive(repeating(get("http://persona.internal:1/")), users=2, system=system).failures == {
        "connection refused": 20
    }


def test_a_name_that_nobody_knows() -> None:
    system = System(getaddrinfo=Resolver())

    assert drive(repeating(get("http://persona.internal/")), system=system).failures == {"name not resolved": 20}


def test_a_slow_resolver_keeps_nobody_else_waiting() -> None:
    system, slow = System(getaddrinfo=Resolver("127.0.0.1", seconds=0.5)), get("http://slow.internal:1/")
    with playing([OK] * 40) as player:
        requests = iter([slow, get(f"http://127.0.0.1:{player.port}/")])

        def script() -> Script:
            yield itertools.repeat(next(requests))

        seen = drive(script, Settings(timeout=0.2), users=2, limits=Limits(requests=20), system=system)

    assert seen.total.count + seen.failures["timeout: no connection"] + len(seen.left) == 20
    assert seen.total.count >= 18
    assert seen.total.largest < 200_000


def test_the_systems_resolver_knows_this_machine() -> None:
    with playing([OK] * 3) as player:
        seen = drive(repeating(get(f"http://localhost:{player.port}/")), limits=Limits(requests=3))

    assert (seen.total.count, len(player.heard)) == (3, 1)
