"""`kubernetes`: objects written to the API server, each with a value of its own, in a namespace that is removed at the end.

The API server promises that a read sees what was acknowledged before it.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from chaos.actions.objects import path_of
from chaos.call import ActionFailed
from chaos.history import client
from chaos.history.client import Answer, Talk

LIMIT = 3.0
"""Seconds that one request may take."""
_GONE = 60.0
_LABEL = "plumbline.test/history"


class Client(client.Writer):
    """Writes ConfigMaps as administrator."""

    section: ClassVar[str] = "kubernetes"

    def prepare(self, talk: Talk) -> None:
        self._remove(talk)
        name = _namespace(talk)
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {_LABEL: talk.bed.bed}}}
        talk.reach.api("POST", path_of("Namespace"), body)

    def write(self, talk: Talk, value: int) -> Answer:
        metadata = {"name": _object(value), "labels": {_LABEL: talk.bed.bed}}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": str(value)}}
        return _asked(talk, "POST", path_of("ConfigMap", namespace=_namespace(talk)), body)

    def read(self, talk: Talk, youngest: int) -> Answer:
        answer = _asked(talk, "GET", path_of("ConfigMap", _object(youngest), _namespace(talk)))
        if answer.outcome == "ok":
            return Answer("ok", youngest)
        return Answer("ok", None, answer.said) if answer.said.startswith("404") else answer

    def final(self, talk: Talk) -> Answer:
        path = path_of("ConfigMap", namespace=_namespace(talk))
        status, data = talk.reach.answer("GET", f"{path}?labelSelector={_LABEL}", limit=LIMIT)
        if status != 200:
            return Answer("failed", said=f"{status} {_said(data)}")
        return Answer("ok", tuple(int(item["data"]["value"]) for item in data["items"]))

    def clean(self, talk: Talk) -> None:
        self._remove(talk)

    def _remove(self, talk: Talk) -> None:
        """Also what a recorder that was killed left behind."""
        path, deadline = path_of("Namespace", _namespace(talk)), time.monotonic() + _GONE
        while time.monotonic() < deadline:
            try:
                if talk.reach.api("DELETE", path, {"propagationPolicy": "Background"}, missing=True) is None:
                    return
            except ActionFailed as error:
                if "409" not in str(error):
                    raise
            time.sleep(0.5)
        raise ActionFailed("the namespace is still there", place=path)


def _namespace(talk: Talk) -> str:
    return f"plumbline-history-{talk.name}"


def _object(value: int) -> str:
    return f"value-{value:06}"


def _asked(talk: Talk, method: str, path: str, body: Any = None) -> Answer:
    """A refusal is certain where the server says so, or where nothing listens; after all else nobody knows."""
    try:
        status, data = talk.reach.answer(method, path, body, limit=LIMIT)
    except (NewConnectionError, ConnectTimeoutError) as error:
        return Answer("failed", said=type(error).__name__)
    except HTTPError as error:
        return Answer("unknown" if method != "GET" else "failed", said=type(error).__name__)
    if status < 300:
        return Answer("ok")
    return Answer("unknown" if status >= 500 and method != "GET" else "failed", said=f"{status} {_said(data)}")


def _said(data: Any) -> str:
    return str(data.get("message", "") if isinstance(data, dict) else data)[:160]
