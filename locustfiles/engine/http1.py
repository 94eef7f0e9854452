"""The answers of HTTP/1.1, read as they come in pieces; strict, and no more than a load generator needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

LIMIT = 65_536
"""Bytes that the head of an answer may have, and likewise the trailers of a chunked one."""
_SWITCHED = 101
_BODILESS = frozenset({_SWITCHED, 204, 304})
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\x00]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_END, _LINE = b"\r\n\r\n", b"\r\n"


class NotHttp(Exception):
    """What came is no answer that may be relied on: neither its status nor where it ends."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of an answer says. `length` is None where it does not tell one; `keeps`: the connection stays."""

    status: int
    length: int | None
    chunked: bool
    keeps: bool


@lru_cache(maxsize=1024)
def parse(head: bytes) -> Head:
    """The head of an answer, without its empty line; NotHttp. Heads of a server differ by their date: most are known."""
    first, *lines = head.split(_LINE)
    status = _STATUS.fullmatch(first)
    if status is None:
        raise NotHttp
    lengths, codings, tokens = set[bytes](), list[bytes](), set[bytes]()
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise NotHttp
        name, value = header[1].lower(), header[2]
        if name == b"content-length":
            lengths.update(each.strip() for each in value.split(b","))
        elif name == b"transfer-encoding":
            codings.append(value.lower())
        elif name == b"connection":
            tokens.update(each.strip() for each in value.lower().split(b","))
    if len(lengths) > 1 or not all(each.isdigit() for each in lengths) or codings not in ([], [b"chunked"]):
        raise NotHttp
    keeps = b"close" not in tokens and (status[1] == b"1" or b"keep-alive" in tokens)
    number = int(status[2])
    if number in _BODILESS:
        return Head(number, 0, False, keeps and number != _SWITCHED)
    # with both, somebody on the way may have read it otherwise: nothing more is to be read from this connection
    sure = not (lengths and codings)
    return Head(number, int(lengths.pop()) if lengths and sure else None, bool(codings), keeps and sure)


class Reply:
    """One answer after the other: `begin`, then `feed` with what comes until it says that the answer is whole.

    `size` counts bytes of the body, `body` has them where they are wanted. `status` is 0 until there is one. Whether the
    connection `keeps` is told by a whole answer.
    """

    def __init__(self) -> None:
        self._left = self._lead = 0
        self.keeps = False
        self.begin(bodiless=False, wants_body=False)

    def begin(self, *, bodiless: bool, wants_body: bool) -> None:
        """Awaits an answer; `bodiless`: to a HEAD, whatever it says about a length."""
        self.status = self.size = 0
        self.bodiless = bodiless
        self.body = bytearray() if wants_body else None
        self._held = b""
        self.feed: Callable[[bytes], bool] = self._head
        """Takes the next bytes; whether the answer is whole. NotHttp where it is none. It is the step that is due."""

    def ended(self) -> bool:
        """The other side ended the connection in good order; whether that makes the answer whole."""
        return self.feed == self._endless

    def _head(self, data: bytes) -> bool:
        data = self._held + data
        while (end := data.find(_END)) >= 0:
            head, data = parse(data[:end]), data[end + 4 :]
            if head.status >= 200 or head.status == _SWITCHED:
                return self._body_of(head, data)
        if len(data) > LIMIT or not data.startswith(b"HTTP/1."[: len(data)]) or b"\n\n" in data:
            raise NotHttp
        self._held = data
        return False

    def _body_of(self, head: Head, rest: bytes) -> bool:
        """The head is there, and `rest` came after it."""
        self.status, self.keeps, self._held = head.status, head.keeps, b""
        length = 0 if self.bodiless else head.length
        if length is not None:
            self._left, self.feed = length, self._measured
        elif head.chunked:
            self._left, self._lead, self.feed = 0, 0, self._chunks
        else:
            self.keeps, self.feed = False, self._endless
        return self.feed(rest)

    def _whole(self, rest: bytes) -> bool:
        """Nothing more is awaited: what comes nevertheless makes the connection useless."""
        if rest:
            self.keeps = False
        return True

    def _take(self, data: bytes) -> None:
        self.size += len(data)
        if self.body is not None:
            self.body += data

    def _endless(self, data: bytes) -> bool:
        self._take(data)
        return False

    def _measured(self, data: bytes) -> bool:
        here = data[: self._left]
        self._take(here)
        self._left -= len(here)
        return self._left == 0 and self._whole(data[len(here) :])

    def _chunks(self, data: bytes) -> bool:
        """Chunks, one after the other, as far as the data reaches; each but the first begins with the last one's end."""
        while True:
            here = data[: self._left]
            self._take(here)
            self._left -= len(here)
            if self._left:
                return False
            data = self._held + data[len(here) :]
            end = data.find(_LINE, self._lead)
            if end < 0:
                break
            size = _CHUNK.fullmatch(data[self._lead : end])
            if size is None or data[: self._lead] != _LINE[: self._lead]:
                raise NotHttp
            data, self._held, self._left, self._lead = data[end + 2 :], b"", int(size[1], 16), 2
            if not self._left:
                self._held, self.feed = _LINE, self._trailers  # the end of this line may be half of the empty one
                return self._trailers(data)
        if len(data) > LIMIT:
            raise NotHttp
        self._held = data
        return False

    def _trailers(self, data: bytes) -> bool:
        """Headers behind the last chunk, which nobody reads, up to an empty line."""
        data = self._held + data
        end = data.find(_END)
        if end >= 0:
            return self._whole(data[end + 4 :])
        if len(data) > LIMIT:
            raise NotHttp
        self._held = data
        return False
