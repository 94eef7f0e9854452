"""The engine against real servers: every request counted once, by what became of it."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from pathlib import Path

import pytest

from locustfiles.engine.engine import Engine
from locustfiles.engine.model import Limits
from locustfiles.engine.request import Protocol, Request, Script, Settings, get, post
from tests.load.drive import drive
from tests.load.servers import ASKING, Origin


def repeating(request: Request) -> Script:
    yield itertools.repeat(request)


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_kept_alive_each_user_has_one_connection(origin: Origin, protocol: Protocol) -> None:
    settings = Settings(protocol, ca=origin.ca, resolve=origin.resolve)

    seen = drive(lambda: repeating(get(origin.url)), settings, users=3, limits=Limits(requests=300))

    assert (seen.total.count, seen.failures) == (300, {})
    assert seen.phases["tls"].count == 3
    assert seen.size == 3000


def test_new_connections_have_a_handshake_each(origin: Origin) -> None:
    settings = Settings(connections="new", ca=origin.ca, resolve=origin.resolve)

    seen = drive(lambda: repeating(get(origin.url)), settings, users=2)

    assert [seen.phases[phase].count for phase in ("connect", "tls", "first byte")] == [20, 20, 20]
    assert seen.total.least > seen.phases["tls"].least > 0


def test_a_user_reacts_to_its_answers(origin: Origin) -> None:
    said = []

    def script() -> Script:
        answer = yield get(origin.url, wants_body=True)
        said.append((answer.status, answer.body, answer.size))
        answer = yield [get(origin.url), get(origin.url + "/missing")]
        said.append((answer.status, answer.error))
        answer = yield post(origin.url + "/large", b"x" * 10)
        said.append((answer.status, answer.size))

    seen = drive(script, Settings(ca=origin.ca, resolve=origin.resolve), limits=Limits(requests=4))

    assert said == [(200, b"0123456789", 10), (404, "status 404"), (200, 100_000)]
    assert seen.failures == {"status 404": 1}


def test_a_server_that_asks_for_a_certificate_is_shown_one(origin: Origin) -> None:
    url, authority = f"https://{ASKING}:{origin.port}", Path(origin.ca).read_text()
    shown = Settings(authority=authority, resolve=origin.resolve, certificate=origin.pair)

    assert drive(lambda: repeating(get(url)), shown).failures == {}
    assert drive(lambda: repeating(get(url)), replace(shown, certificate="")).total.count == 0
    assert origin.pair not in repr(shown)


def test_who_is_not_trusted_is_a_failure_of_its_class(origin: Origin) -> None:
    wrong_ca = drive(lambda: repeating(get(origin.url)), Settings(ca=origin.stranger, resolve=origin.resolve))
    url = f"https://other.example.internal:{origin.port}"
    resolve = (f"other.example.internal:{origin.port}:{origin.address}",)
    wrong_name = drive(lambda: repeating(get(url)), Settings(ca=origin.ca, resolve=resolve))

    assert wrong_ca.failures == {"certificate not trusted": 20}
    assert sum(wrong_name.failures.values()) == 20
    assert wrong_name.total.count == 0


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/close", "closed without an answer"),
        ("/silent", "timeout: no first byte"),
        ("/short", "answer cut short"),
    ],
)
def test_failures_are_counted_under_their_class(rude: str, path: str, failure: str) -> None:
    seen = drive(lambda: repeating(get(rude + path)), Settings(timeout=0.1), limits=Limits(requests=3))

    assert seen.failures == {failure: 3}
    assert seen.total.count == 0


def test_nobody_listens() -> None:
    seen = drive(lambda: repeating(get("http://127.0.0.1:1")), limits=Limits(requests=3))

    assert seen.failures == {"connection refused": 3}


def test_a_slow_answer_does_not_hold_up_others(origin: Origin, rude: str) -> None:
    requests = iter([get(rude + "/slow"), *itertools.repeat(get(origin.url), 10_000)])

    def script() -> Script:
        yield itertools.repeat(next(requests))

    seen = drive(script, Settings(ca=origin.ca, resolve=origin.resolve), users=2, limits=Limits(requests=60))

    assert seen.total.count + len(seen.left) == 60
    assert seen.total.quantile(0.5) < 100_000


def test_in_an_open_loop_time_counts_from_the_plan(rude: str) -> None:
    """One user, answers after 0.2 s, ten planned a second: each is later than the one before."""
    seen = drive(lambda: repeating(get(rude + "/slow")), pace=10.0, limits=Limits(requests=5))

    assert seen.total.count == 5
    assert seen.total.largest > 500_000, "the fifth was planned 0.4 s after the first, and ended 1 s after it"


def test_in_an_open_loop_the_pace_is_kept(origin: Origin) -> None:
    settings, begun = Settings(ca=origin.ca, resolve=origin.resolve), time.monotonic()

    seen = drive(lambda: repeating(get(origin.url)), settings, users=4, pace=50.0, limits=Limits(requests=50))

    assert seen.total.count == 50
    assert 0.9 < time.monotonic() - begun < 5


def test_users_rest_between_their_scripts(origin: Origin) -> None:
    def once() -> Script:
        yield get(origin.url)

    begun = time.monotonic()
    drive(once, Settings(ca=origin.ca, resolve=origin.resolve), wait=lambda: 0.1, limits=Limits(requests=4))

    assert 0.3 < time.monotonic() - begun < 5


def test_a_mistake_in_a_script_ends_its_user_and_is_told(origin: Origin) -> None:
    def script() -> Script:
        yield get(origin.url)
        raise KeyError("page")

    seen = drive(script, Settings(ca=origin.ca, resolve=origin.resolve), users=2)

    assert seen.said == ["KeyError: 'page'"] * 2
    assert seen.total.count == 2


def test_it_is_bounded_in_time_and_what_is_under_way_is_left(rude: str) -> None:
    seen = drive(
        lambda: repeating(get(rude + "/silent")), users=2, limits=Limits(requests=100, seconds=0.1), stop_after=0.5
    )

    assert (seen.total.count, seen.failures, len(seen.left)) == (0, {}, 2)
    assert seen.spent == "0 seconds"
    assert all(0.4 < left.waited < 5 and abs(left.at - time.time()) < 5 for left in seen.left)


def test_what_was_due_and_not_begun_is_left_too(rude: str) -> None:
    """One user, who waits for an answer from its first request on; ten a second are planned."""
    seen = drive(lambda: repeating(get(rude + "/silent")), pace=10.0, limits=Limits(requests=100), stop_after=1.0)

    waits = sorted(left.waited for left in seen.left)
    assert 10 <= len(waits) <= 13
    assert waits[-1] - waits[0] > 0.8


def test_the_generator_is_watched(origin: Origin) -> None:
    settings = Settings(ca=origin.ca, resolve=origin.resolve)

    seen = drive(lambda: repeating(get(origin.url)), settings, users=2, limits=Limits(requests=500))

    assert all(0 <= sample.cpu <= 1.1 and sample.seconds > 0 for sample in seen.samples)
    assert max(sample.longest_turn for sample in seen.samples) > 0


def test_who_comes_too_late_disturbs_nobody() -> None:
    engine = Engine(lambda batch: None, Limits(seconds=1))
    engine.stop()
    engine.run()

    engine.leave("nobody")
    engine.stop()


def test_a_number_of_a_socket_that_is_given_again_is_no_standstill(origin: Origin) -> None:
    """A connection of each request ends before the next begins, which mostly is given the same descriptor."""
    settings = Settings(connections="new", ca=origin.ca, resolve=origin.resolve, timeout=3)

    seen = drive(lambda: repeating(get(origin.url)), settings, users=4, limits=Limits(requests=400))

    assert (seen.total.count, seen.failures) == (400, {})
