"""Requests to one API server, one after the other: what has to be there before a run, and what is removed after it."""

from __future__ import annotations

import json
from typing import Any

import pycurl

from locustfiles.engine import easy
from locustfiles.engine.request import Request, Settings


class ApiError(Exception):
    """No answer, or one that says no."""


class Api:
    """A session over one connection that is kept. `said` are headers of each request, `limit` seconds for each."""

    def __init__(self, url: str, settings: Settings, said: tuple[str, ...] = (), limit: float = 70.0) -> None:
        self.url = url
        self._said = (*said, "Content-Type: application/json")
        self._body = bytearray()
        self._last: Request | None = None
        self._curl = easy.new(settings)
        self._curl.setopt(pycurl.TIMEOUT_MS, int(limit * 1000))

    def call(self, method: str, path: str, body: Any = None, *, fine: tuple[int, ...] = ()) -> Any:
        """The document that was answered, None where the status is one of `fine`. ApiError for every other refusal."""
        status = self._ask(method, path, body)
        if status in fine:
            return None
        answer = _document(bytes(self._body))
        if status >= 300 or answer is None:
            said = answer.get("message", "") if isinstance(answer, dict) else "no JSON"
            raise ApiError(f"{method} {path.partition('?')[0]}: {status} {said}"[:400])
        return answer

    def text(self, path: str) -> str:
        """A text that was answered, such as the log of a pod. ApiError for a refusal."""
        status = self._ask("GET", path)
        if status >= 300:
            raise ApiError(f"GET {path.partition('?')[0]}: {status}")
        return self._body.decode("utf-8", errors="replace")

    def _ask(self, method: str, path: str, body: Any = None) -> int:
        """The status; what was answered is in the buffer then."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(method, f"{self.url}{path}", path, self._said, data, wants_body=True)
        self._body.clear()
        easy.prepare(self._curl, request, self._last, self._body)
        self._last = request
        try:
            self._curl.perform()
        except pycurl.error as error:
            raise ApiError(f"{method} {path.partition('?')[0]}: {error.args[1]}") from None
        status: int = self._curl.getinfo(pycurl.RESPONSE_CODE)
        return status


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
