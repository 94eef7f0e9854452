"""A real Chromium opens pages as the profile browser asks it to, and tells what a visitor would see."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from locustfiles import pages
from locustfiles.pages import Browsing, CannotBrowse, Visit
from locustfiles.waits import Waits
from tests.load.servers import NAME, Origin

LIMIT = 60
PAGE_URLS = ("/", "/missing", "/large")


@pytest.fixture
def how(origin: Origin) -> Browsing:
    """Visitors who trust the authority of the server."""
    return Browsing({NAME: origin.address}, Path(origin.ca).read_text(encoding="ascii"), "load-test", 5.0)


def visits(how: Browsing, *urls: str) -> list[Visit]:
    """What became of these pages, in their order."""
    asked = [json.dumps(asdict(how)), *(json.dumps({"number": at, "url": url}) for at, url in enumerate(urls))]
    with subprocess.Popen(
        [sys.executable, "-m", "locustfiles.pages"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("\n".join(asked) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {}
        answers = [Visit(**json.loads(process.stdout.readline())) for _ in urls]
        process.stdin.close()
        assert process.wait(LIMIT) == 0
    return sorted(answers, key=lambda visit: visit.number)


def test_a_page_is_complete_and_shows_who_signed(how: Browsing, origin: Origin) -> None:
    page, missing, large = visits(how, *(f"{origin.url}{path}" for path in PAGE_URLS))

    assert (page.error, missing.error, large.error) == ("", "status 404", "")
    assert large.size > 100_000 > page.size > 0
    assert 0 < page.seconds < how.timeout


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"authority": ""}, "net::ERR_CERT_AUTHORITY_INVALID"),
        ({"issuer": "somebody else"}, "certificate by load-test"),
        ({"addresses": {}}, "net::ERR_NAME_NOT_RESOLVED"),
        ({"addresses": {NAME: "127.0.0.9"}}, "net::ERR_CONNECTION_REFUSED"),
    ],
)
def test_what_is_wrong_has_its_class(how: Browsing, origin: Origin, change: dict[str, object], error: str) -> None:
    [page] = visits(replace(how, **change), f"{origin.url}/")  # type: ignore[arg-type]

    assert page.error == error


def test_a_server_that_says_nothing_is_given_up(how: Browsing, rude: str) -> None:
    named = {**how.addresses, "127.0.0.1": "127.0.0.1"}
    [page] = visits(replace(how, addresses=named, issuer="", timeout=1.0), f"{rude}/silent")

    assert page.error == "timeout: page not complete"
    assert 1.0 <= page.seconds < 3.0


def test_without_a_browser_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)

    with pytest.raises(CannotBrowse, match="remedy: apt-get install chromium"):
        pages.program()


def test_waits_of_other_processes_are_those_of_their_session() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) as busy:
        waits = Waits(busy.pid, "busy")
        with pytest.raises(subprocess.TimeoutExpired):
            busy.wait(0.5)
        sample = waits.sample(1, 0)
        busy.kill()

    assert 0.05 < sample.cpu <= 1.0
    assert 0.0 <= sample.queued < 1.0
