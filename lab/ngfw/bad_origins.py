"""Certificates that an origin must not have: each is wrong in one way only, so that what refuses it is known."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from lab.ngfw.certificates import Pair, server_certificate
from lab.pki import KeyPair

Kind = Literal["expired", "not-yet-valid", "self-signed", "wrong-name"]


def bad_origin(kind: Kind, name: str, authority: Pair) -> KeyPair:
    """A certificate for an origin reached as `name`, bad in this way; `authority` signs all but the self-signed."""
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    first, last = {"expired": (now - 30 * day, now - day), "not-yet-valid": (now + 365 * day, now + 395 * day)}.get(
        kind, (now - dt.timedelta(minutes=5), now + 30 * day)
    )
    shown = f"not-{name}" if kind == "wrong-name" else name
    return server_certificate(shown, None if kind == "self-signed" else authority, first, last)
