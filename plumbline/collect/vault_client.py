"""A connection to one Vault server: what is shown to it, whom it must prove to be, and what it says to a request."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plumbline.facts.source import Outcome

_PAIR = ("certificate", "key", "ca")
GATE = ("role_id", "secret_id")
"""What the gate shows beside a certificate; an administrator shows a token."""
_SHORT = 240
_ALERTS = ("alert", "handshake_failure", "handshake failure", "certificate required", "bad certificate", "unknown ca")


class NoAnswer(Exception):
    """A server that gave no answer: how that looked, and why as far as it can be told."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


@dataclass(frozen=True)
class Credentials:
    """What is shown to Vault: a client certificate, and the halves of an AppRole or a token. None of it is ever told."""

    certificate: str = field(repr=False)
    key: str = field(repr=False)
    ca: str = field(repr=False)
    role_id: str = field(default="", repr=False)
    secret_id: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, text: str, also: tuple[str, ...] = GATE) -> Credentials:
        """Read from a JSON object. ValueError says which part is missing, never what stands in another."""
        try:
            told = json.loads(text)
        except ValueError:
            raise ValueError("the credentials for Vault are no JSON object") from None
        if not isinstance(told, dict):
            raise ValueError("the credentials for Vault are no JSON object")
        wanted = (*_PAIR, *also)
        if missing := [name for name in wanted if not isinstance(told.get(name), str) or not told[name]]:
            raise ValueError(f"the credentials for Vault lack {', '.join(missing)}")
        return cls(**{name: told[name] for name in wanted})

    def context(self) -> ssl.SSLContext:
        """A client that shows this certificate and believes this authority alone. ValueError where one is unusable."""
        try:
            context = ssl.create_default_context(cadata=self.ca)
            load(context, self.certificate, self.key)
        except (ssl.SSLError, OSError) as error:
            why = getattr(error, "reason", None) or error
            raise ValueError(f"the client certificate for Vault cannot be used: {why}") from None
        return context


@dataclass(frozen=True)
class Answer:
    """The status of a server's answer, and what it says."""

    status: int
    body: Mapping[str, Any]
    text: str = field(default="", repr=False)

    @property
    def data(self) -> dict[str, Any]:
        """What was asked for."""
        found = self.body.get("data")
        return found if isinstance(found, dict) else {}

    @property
    def errors(self) -> str:
        """Why it was refused."""
        return " ".join("; ".join(map(str, self.body.get("errors") or ())).split())[:_SHORT]


class Server:
    """One server of a cluster. Its connection is kept open from one request to the next; not for several threads."""

    def __init__(self, context: ssl.SSLContext, host: str, port: int, timeout: float) -> None:
        """`timeout` is in seconds, for connecting and for each answer; it may be changed in between."""
        import hvac

        self._session = session(context)
        self.host, self.port, self.timeout = host, port, timeout
        url = f"https://{host}:{port}"
        self._client = hvac.Client(
            url=url, token="", session=self._session, allow_redirects=False, adapter=hvac.adapters.RawAdapter
        )

    def close(self) -> None:
        """Ends the connection."""
        self._session.close()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = "") -> Answer:
        """What it says to a request, whatever its status. NoAnswer where it says nothing that can be understood."""
        import requests

        more: dict[str, Any] = {"timeout": self.timeout, **({"json": dict(body)} if body is not None else {})}
        headers = {"X-Vault-Token": token} if token else {}
        try:
            got = self._client.adapter.request(method, f"/v1/{path}", headers=headers, raise_exception=False, **more)
        except requests.RequestException as error:
            raise _no_answer(error) from None
        return _answer(got)


def greeting(context: ssl.SSLContext, host: str, port: int, timeout: float) -> Answer:
    """What a server says to a client with any certificate, or none, that asks for its health. NoAnswer says how not."""
    try:
        with (
            socket.create_connection((host, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as sock,
        ):
            sock.settimeout(timeout)
            sock.sendall(f"GET /v1/sys/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            return Answer(answer.status, {})
    except http.client.HTTPException as error:
        raise NoAnswer("rubbish", f"{type(error).__name__}: {error}"[:_SHORT]) from None
    except OSError as error:
        raise _no_answer(error) from None


def load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Gives a context a client certificate (PEM); OpenSSL reads files only, so one lies in memory for that moment."""
    descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")


def session(context: ssl.SSLContext | None) -> Any:
    """Requests that are verified with a context, where there is one, and go to nobody but the bed: by no proxy."""
    import requests
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        """Connections with the context that was given, and none of the authorities that requests brings along."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, ssl_context=context, **kwargs)

        def cert_verify(self, *args: Any, **kwargs: Any) -> None:
            """The context verifies."""

    made = requests.Session()
    made.trust_env = False  # nothing but the bed is reached from there
    if context is not None:
        made.mount("https://", Adapter(pool_maxsize=1, max_retries=0))
    return made


def _answer(got: Any) -> Answer:
    text = got.text
    try:
        body = json.loads(text) if text else {}
    except ValueError:
        body = {}
    return Answer(int(got.status_code), body if isinstance(body, dict) else {}, text)


def _no_answer(error: Exception) -> NoAnswer:
    text = " ".join(str(error).split())[-_SHORT:]
    lower = text.lower()
    if "certificate verify failed" in lower or "hostname mismatch" in lower or "ip address mismatch" in lower:
        return NoAnswer("refused", f"it does not prove to be who it should: {_between(text)}")
    if any(alert in lower for alert in _ALERTS):
        return NoAnswer("refused", f"it refuses the client certificate: {_between(text)}")
    if "eof occurred" in lower or "reset by peer" in lower:
        return NoAnswer("refused", "it ends the connection during TLS, as one does that refuses the client certificate")
    if "timed out" in lower or "timeout" in type(error).__name__.lower():
        return NoAnswer("timeout", "no connection in time" if "connect timeout" in lower else "no answer in time")
    if "refused" in lower:
        return NoAnswer("refused", "its port is closed")
    if "unreachable" in lower or "no route" in lower:
        return NoAnswer("unreachable", text)
    return NoAnswer("rubbish", text)


def _between(text: str) -> str:
    """What OpenSSL says, without what Python and its libraries put around it."""
    return text.partition("verify failed: ")[2].partition(" (_ssl")[0] or text.partition("SSL: ")[2] or text
