"""Answers of HTTP/1.1 are read the same however they come in pieces, and what is none is told."""

from __future__ import annotations

import pytest

from locustfiles.engine.http1 import LIMIT, NotHttp, Reply

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = {
    "measured": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello", 200, b"hello", True),
    "empty": (b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", 200, b"", True),
    "no reason": (b"HTTP/1.1 404\r\nContent-Length: 1\r\n\r\n!", 404, b"!", True),
    "lengths agree": (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
    "to be closed": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, Close\r\n\r\nok", 200, b"ok", False),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "old and kept": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", 200, b"ok", True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", 304, b"", True),
    "switched": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 101, b"", False),
    "hints before": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"
                     b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
    "chunked": (CHUNKED + b"5\r\nhello\r\n1;quality=high\r\n!\r\n0\r\n\r\n", 200, b"hello!", True),
    "chunks in hex": (CHUNKED + b"0A\r\n0123456789\r\n000\r\n\r\n", 200, b"0123456789", True),
    "trailers": (CHUNKED + b"2\r\nok\r\n0\r\nDigest: x\r\nMore: y\r\n\r\n", 200, b"ok", True),
    "no chunk at all": (CHUNKED + b"0\r\n\r\n", 200, b"", True),
    "lines within a chunk": (CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n", 200, b"\r\n\r\n", True),
    "length and chunks": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b"2\r\nok\r\n0\r\n\r\n", 200, b"ok", False),
}  # fmt: skip
NONE = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "no version": b"HTTP/2 200\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "a folded header": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    "lines without a return": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "lengths that differ": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "a length below zero": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "a size that is none": CHUNKED + b"-1\r\nx\r\n",
    "a chunk that is longer than its size": CHUNKED + b"2\r\nok!\r\n0\r\n\r\n",
    "a head without an end": b"HTTP/1.1 200 OK\r\nA: " + b"a" * LIMIT,
    "a size without an end": CHUNKED + b"1;" + b"a" * LIMIT,
    "trailers without an end": CHUNKED + b"0\r\nA: " + b"a" * LIMIT,
}


def awaited(*, bodiless: bool = False) -> Reply:
    reply = Reply()
    reply.begin(bodiless=bodiless, wants_body=True)
    return reply


@pytest.mark.parametrize(("text", "status", "body", "keeps"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_may_be_split_anywhere(text: bytes, status: int, body: bytes, keeps: bool) -> None:
    for cut in range(len(text)):
        reply = awaited()
        assert not (cut and reply.feed(text[:cut]))
        assert reply.feed(text[cut:])
        assert (reply.status, reply.body, reply.size, reply.keeps) == (status, body, len(body), keeps)


@pytest.mark.parametrize("text", [text for text, *_ in ANSWERS.values()], ids=ANSWERS)
def test_an_answer_may_come_byte_by_byte(text: bytes) -> None:
    reply = awaited()

    whole = [reply.feed(bytes([byte])) for byte in text]

    assert whole == [False] * (len(text) - 1) + [True]


@pytest.mark.parametrize("text", [text for text, *_ in ANSWERS.values()], ids=ANSWERS)
def test_a_connection_that_says_more_than_it_was_asked_is_not_kept(text: bytes) -> None:
    reply = awaited()

    assert reply.feed(text + b"HTTP/1.1 200 OK\r\n")
    assert not reply.keeps


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_what_is_no_answer_is_told(text: bytes) -> None:
    with pytest.raises(NotHttp):
        awaited().feed(text)
    reply = awaited()
    with pytest.raises(NotHttp):
        any(reply.feed(text[at : at + 7]) for at in range(0, len(text), 7))


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    reply = awaited()

    assert not reply.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    assert not reply.feed(b"hello")
    assert (reply.ended(), reply.body, reply.keeps) == (True, b"hello", False)


def test_a_length_that_is_not_reached_is_no_whole_answer() -> None:
    reply = awaited()

    assert not reply.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
    assert not reply.ended()


def test_the_answer_to_a_head_has_no_body() -> None:
    reply = awaited(bodiless=True)

    assert reply.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert (reply.status, reply.size, reply.keeps) == (200, 0, True)


def test_nothing_of_an_answer_is_left_for_the_next() -> None:
    reply = awaited()
    reply.feed(CHUNKED + b"5\r\nhe")
    reply.begin(bodiless=False, wants_body=False)

    assert (reply.status, reply.size) == (0, 0)
    assert reply.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert (reply.size, reply.body) == (2, None)
