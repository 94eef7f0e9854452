"""A connection to one server of Consul: what the gate shows to it, and what it says to a request."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from typing import Any

from plumbline.bed import Bed
from plumbline.bed.consul import Consul
from plumbline.collect.access import Access
from plumbline.collect.vault_client import NoAnswer, load, session

CREDENTIAL, CERTIFICATE, AUTHORITY = "consul", "consul-certificate", "consul-ca"
"""What the gate shows: its token; its certificate and key, PEM, where Consul wants one; whom it trusts."""
Answer = tuple[int, Any]


@dataclass(frozen=True)
class Shown:
    """The gate's token, and whom it believes with its certificate and without; both None where no TLS is spoken.

    The certificate's key lies in no file: a collector that is ended would leave one behind.
    """

    token: str = field(repr=False)
    certified: ssl.SSLContext | None = None
    bare: ssl.SSLContext | None = None

    @classmethod
    def of(cls, consul: Consul, access: Access) -> Shown:
        """What the bed's Consul wants to see. ValueError says what the gate lacks, or what of it cannot be used."""
        found, https = access.credentials, consul.server.https is not None
        wanted = {CREDENTIAL: "token"} | ({AUTHORITY: "authority to trust"} if https else {})
        wanted |= {CERTIFICATE: "certificate"} if https and consul.client_certificate else {}
        if lacking := [name for name in wanted if not found.get(name)]:
            raise ValueError("; ".join(f"the gate has no {wanted[name]}; {access.without(name)}" for name in lacking))
        if not https:
            return cls(found[CREDENTIAL])
        bare, certified = _trusting(found[AUTHORITY]), _trusting(found[AUTHORITY])
        if found.get(CERTIFICATE):
            try:
                load(certified, found[CERTIFICATE], "")  # one text has both
            except OSError as error:
                raise ValueError(_unusable(CERTIFICATE, error)) from None
        return cls(found[CREDENTIAL], certified, bare)


class Client:
    """One server, as the gate, as nobody, or as somebody with a token that was never made."""

    def __init__(self, bed: Bed, shown: Shown, node: str, limit: float) -> None:
        """`limit` is in seconds, for connecting and for each answer."""
        from consul import Consul as Library  # type: ignore[import-untyped]  # slow to import: only where it is needed

        assert bed.consul is not None
        bind, scheme = bed.consul.server.https or bed.consul.server.http, "https" if shown.certified else "http"
        self.library = Library(host=str(bed.nodes[node].oobi), port=bind.port, scheme=scheme, connections_timeout=limit)
        self.library.http.session = session(shown.certified)
        self.shown, self.node = shown, node

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None, **query: str) -> Answer:
        """Status and body, as JSON where it is that. NoAnswer where nothing came."""
        from requests.exceptions import ConnectionError as Failed
        from requests.exceptions import RequestException, SSLError, Timeout

        shown = self.shown.token if token is None else token
        asked: dict[str, Any] = {"params": list(query.items()), "headers": {"X-Consul-Token": shown} if shown else {}}
        if method in ("put", "post"):
            asked["data"] = body if isinstance(body, str) else json.dumps(body)
        try:
            return getattr(self.library.http, method)(_answer, path, **asked)  # type: ignore[no-any-return]
        except Timeout as error:
            raise NoAnswer("timeout", f"{self.node}: no answer: {type(error).__name__}") from None
        except SSLError as error:
            raise NoAnswer("refused", f"{self.node}: TLS: {_inner(error)}") from None
        except Failed as error:
            raise NoAnswer("unreachable", f"{self.node}: {_inner(error)}") from None
        except RequestException as error:
            raise NoAnswer("rubbish", f"{self.node}: {type(error).__name__}") from None

    def uncertified(self) -> str:
        """What the server says to whoever shows no certificate; empty where it ends the handshake."""
        kept, self.library.http.session = self.library.http.session, session(self.shown.bare)
        try:
            return f"status {self.ask('get', '/v1/status/leader')[0]}"
        except NoAnswer as silent:
            if silent.outcome in ("timeout", "rubbish"):
                raise
            return ""
        finally:
            self.library.http.session.close()
            self.library.http.session = kept


def _trusting(authority: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=authority)
    except (OSError, ValueError) as error:
        raise ValueError(_unusable(AUTHORITY, error)) from None


def _unusable(name: str, error: Exception) -> str:
    return f"access.credentials.{name} cannot be used: {getattr(error, 'reason', None) or error}"


def _answer(response: Any) -> Answer:
    try:
        return int(response.code), json.loads(response.body)
    except ValueError:
        return int(response.code), str(response.body).strip()


def _inner(error: Exception) -> str:
    """What lies at the bottom of an error of requests."""
    text = str(error)
    return text.rpartition("Caused by ")[2].strip("()")[-200:] or type(error).__name__
