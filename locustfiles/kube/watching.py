"""The client's own view of what becomes of its objects: a watch of the API server, each event with its moment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pycurl

from locustfiles.engine import easy
from locustfiles.engine.request import Request, Settings
from locustfiles.kube.objects import ATTACHMENTS

_AGAIN = 0.1
_OK, _GONE = 200, 410
Seen = Callable[[dict[str, Any], float], None]
"""Is told of each object that was added, changed or removed, and when (time.monotonic) the event arrived."""


class Watch:
    """Follows the attachments from a version of their list on. `run` is for a native thread; `stop` is for any."""

    def __init__(self, url: str, settings: Settings, said: tuple[str, ...], version: str, seen: Seen) -> None:
        self._url, self._settings, self._said = url, settings, said
        self._version, self._seen = version, seen
        self._part = b""
        self._stopped = False
        self._silent = "it had no answer"
        """Why no event has come, at first or since the connection was lost; empty as soon as one has."""
        self.lost = ""
        """Why events are missing, where some are: what is measured then says nothing."""

    @property
    def missing(self) -> str:
        """Why events are missing, where there must be some: some were lost, or none comes."""
        return self.lost or (self._silent and f"nothing was watched: {self._silent}")

    def stop(self) -> None:
        """Ends `run` within a second or two."""
        self._stopped = True

    def run(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Watches until it is stopped; a connection that ends is made again from the last event on."""
        try:
            self._run(sleep)
        except Exception as error:  # nobody looks after this thread: what ends it is told with the result
            self.lost = f"the watch has ended: {type(error).__name__}: {error}"

    def _run(self, sleep: Callable[[float], None]) -> None:
        while not self._stopped and not self.lost:
            curl = easy.new(self._settings)
            self._part = b""
            path = f"{ATTACHMENTS}?watch=1&resourceVersion={self._version}"
            easy.prepare(curl, Request("GET", f"{self._url}{path}", "watch", self._said), None, bytearray())
            curl.setopt(pycurl.WRITEFUNCTION, self._take)
            curl.setopt(pycurl.NOPROGRESS, 0)
            curl.setopt(pycurl.XFERINFOFUNCTION, lambda *_: int(self._stopped))
            try:
                curl.perform()
                self._look_at(curl.getinfo(pycurl.RESPONSE_CODE))
            except pycurl.error as error:  # stopped, or cut off: the loop tells which
                self._silent = self._silent if self._stopped else str(error.args[1])
            finally:
                curl.close()
            sleep(_AGAIN)

    def _look_at(self, status: int) -> None:
        if status != _OK:
            self._silent = f"status {status}"
        if status in (401, 403, _GONE):
            self.lost = f"the watch was refused with {status}"

    def _take(self, data: bytes) -> None:
        now = time.monotonic()
        *lines, self._part = (self._part + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            about = event.get("object", {})
            if event.get("type") == "ERROR":
                self.lost = f"the watch was ended: {about.get('message', '')}"
            elif "metadata" in about:
                self._silent = ""
                self._version = about["metadata"]["resourceVersion"]
                self._seen(about, now)
