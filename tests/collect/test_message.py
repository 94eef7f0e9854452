"""HTTP as a node asks it: of an answer's headers those are told that were asked for."""

from __future__ import annotations

import socket

from plumbline.remote import message
from plumbline.remote.sockets import Deadline

PAGE = b"HTTP/1.1 200 OK\r\nServer: s\r\nX-Whose: persona-1\r\nX-Other: secret\r\nContent-Length: 2\r\n\r\nit"


def test_a_header_that_was_asked_for_is_kept_and_no_other() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(PAGE)
        headers = message.get(here, "h", {"keep": ["X-Whose"]}, Deadline(5), 100)["headers"]

    assert headers == {"server": "s", "x-whose": "persona-1", "content-length": "2"}
