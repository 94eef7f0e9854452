"""Requests are written as a server expects them; what is unusual is left to libcurl."""

from __future__ import annotations

import pytest

from locustfiles.engine.request import Request, get, post
from locustfiles.engine.written import Origin

USUAL = ["User-Agent: plumbline", "Accept: */*"]


def lines(request: Request) -> list[str]:
    assert request.written is not None
    return request.written.data.decode().split("\r\n")


def test_a_get() -> None:
    request = get("https://persona.internal/page?a=b#here")

    assert request.written is not None
    assert request.written.to == Origin("https", "persona.internal", 443)
    assert lines(request) == ["GET /page?a=b HTTP/1.1", "Host: persona.internal", *USUAL, "", ""]


@pytest.mark.parametrize(
    ("url", "to", "host"),
    [
        ("http://persona.internal", Origin("http", "persona.internal", 80), "persona.internal"),
        ("https://Persona.Internal:443/", Origin("https", "persona.internal", 443), "persona.internal"),
        ("https://10.0.0.1:8443/", Origin("https", "10.0.0.1", 8443), "10.0.0.1:8443"),
        ("http://[fd00::1]:8080/", Origin("http", "fd00::1", 8080), "[fd00::1]:8080"),
    ],
)
def test_whom_a_url_names(url: str, to: Origin, host: str) -> None:
    request = get(url)

    assert request.written is not None
    assert request.written.to == to
    assert lines(request)[:2] == ["GET / HTTP/1.1", f"Host: {host}"]


def test_a_body_has_its_length() -> None:
    form = "Content-Type: application/x-www-form-urlencoded"

    assert lines(post("http://x/", b"a=b"))[2:] == [*USUAL, form, "Content-Length: 3", "", "a=b"]
    assert lines(Request("PUT", "http://x/", "put", body=b""))[-3:] == ["Content-Length: 0", "", ""]


def test_headers_that_are_given_stand_in_for_the_usual_ones() -> None:
    given = ("accept: text/html", "HOST:other", "X-Consul-Token: abc")

    assert lines(get("http://x/", headers=given))[1:4] == ["User-Agent: plumbline", "accept: text/html", "HOST: other"]


UNUSUAL = {
    "another scheme": get("ftp://x/"),
    "a user": get("https://user:secret@x/"),
    "a path that is to be shortened": get("https://x/a/../b"),
    "a space": get("https://x/a b"),
    "no port": get("https://x:99999/"),
    "another alphabet": get("https://ü.example/"),
    "a header taken away": get("http://x/", headers=("Accept:",)),
    "a header that is two": get("http://x/", headers=("A: b\r\nC: d",)),
    "another framing": get("http://x/", headers=("Transfer-Encoding: chunked",)),
    "a method that is a line": Request("get\r\n", "http://x/", "smuggled"),
    "a HEAD with a body": Request("HEAD", "http://x/", "head", body=b"x"),
}


@pytest.mark.parametrize("unusual", UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_is_left_to_libcurl(unusual: Request) -> None:
    assert unusual.written is None
