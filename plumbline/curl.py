"""A request for `curl --config -`: what is secret in it goes by standard input, and so into no list of processes."""

from __future__ import annotations

import json
from typing import Any

COMMAND = ("curl", "--silent", "--show-error", "--config", "-")
"""The program that reads such a request. It says the answer's body, and its status on a line of its own."""


def request(method: str, url: str, body: Any = None, *, headers: dict[str, str], limit: float) -> str:
    """The text of a request with a body of JSON; `limit` is in seconds, for all of it."""
    words = {"url": url, "request": method, "max-time": f"{limit:.1f}", "write-out": "\n%{http_code}"}
    if body is not None:
        words["data"] = json.dumps(body)
    lines = [*words.items(), *(("header", f"{name}: {value}") for name, value in headers.items())]
    return "".join(f"{name} = {_quoted(value)}\n" for name, value in lines)


def answer(output: str) -> tuple[int, Any]:
    """Status and body of an answer, as JSON where it is that. Raises ValueError where there is none."""
    text, _, status = output.rpartition("\n")
    try:
        return int(status), json.loads(text)
    except json.JSONDecodeError:
        return int(status), text


def _quoted(text: str) -> str:
    """As curl's configuration writes it: a quotation mark and a backslash have a backslash before them."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
