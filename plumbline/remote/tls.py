"""`tls`: a handshake as a client with its own trust makes it, and what the server showed.

args: address, port=443, name (SNI and expected name; none: no SNI), alpn=[], ca (PEM; none: nothing is verified),
resume=False, http (null, or {path, headers, text}), largest=65536, interface, source, certificate and key (PEM of a
client, never kept), or ca_file, certificate_file and key_file: the same, read on the node; a client's pair that cannot
be used is left out.
facts: verified (true, false, or null where no CA was given), verify_error, chain (PEM, leaf first), protocol, cipher,
alpn, resumed (null where not asked), connect_ms, handshake_ms, http {status, headers, length, sha256, first_byte_ms},
http_error.
The outcome is ok where the handshake succeeded or failed only at verification; `verified` says which.
"""

from __future__ import annotations

import http.client
import os
import ssl
import tempfile
import time
import warnings
from contextlib import suppress
from functools import lru_cache
from typing import Any

from plumbline.remote import message
from plumbline.remote.sockets import Deadline, connected
from plumbline.remote.types import OK, REFUSED, RUBBISH, Answer, Json, Probe, failure

_ALERTS = ("ALERT", "HANDSHAKE_FAILURE", "UNRECOGNIZED_NAME", "NO_APPLICATION_PROTOCOL", "CERTIFICATE_REQUIRED")


def probe(probe: Probe) -> Answer:
    """Connects, verifies, asks, and resumes, as far as the arguments want."""
    args: Json = {"port": 443, **_with_files(probe.args)}
    deadline, facts = Deadline(probe.timeout), Json(verified=None, verify_error=None, chain=[], resumed=None)
    context = _context(
        args.get("ca") or "",
        tuple(args.get("alpn", ())),
        bool(args.get("ca")),
        args.get("certificate", ""),
        args.get("key", ""),
    )
    try:
        session = _visit(context, args, deadline, facts, None)
        if args.get("ca"):
            facts["verified"] = True
        if args.get("resume"):
            second = Json()
            _visit(context, {**args, "http": None}, deadline, second, session)
            facts["resumed"] = second["reused"]
    except ssl.SSLCertVerificationError as error:
        facts.update(verified=False, verify_error=error.verify_message or str(error))
        try:
            _visit(
                _context("", tuple(args.get("alpn", ())), False, "", ""), {**args, "http": None}, deadline, facts, None
            )
        except (ssl.SSLError, OSError) as again:
            facts["chain_error"] = str(again)
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).upper()
        return Answer(REFUSED if any(a in reason for a in _ALERTS) else RUBBISH, f"{error.reason or error}", facts)
    except OSError as error:
        return Answer(failure(error), str(error), facts)
    finally:
        facts.pop("reused", None)
    return Answer(OK, None, facts)


def _with_files(args: Json) -> Json:
    """The arguments, with what the files that they name hold."""
    if args.get("ca_file"):
        with open(args["ca_file"], encoding="ascii", errors="replace") as file:
            args = {**args, "ca": file.read()}
    if args.get("certificate_file"):
        try:
            with (
                open(args["certificate_file"], encoding="ascii") as file,
                open(args["key_file"], encoding="ascii") as key,
            ):
                pair = {"certificate": file.read(), "key": key.read()}
            _load_client(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pair["certificate"], pair["key"])
            args = {**args, **pair}
        except (OSError, ssl.SSLError, ValueError):
            pass
    return args


def _visit(
    context: ssl.SSLContext, args: Json, deadline: Deadline, facts: Json, session: ssl.SSLSession | None
) -> ssl.SSLSession | None:
    """One connection; its session, which TLS 1.3 servers hand out only once something was read."""
    started = time.monotonic()
    with connected(args, deadline) as plain:
        facts["connect_ms"] = round(1000 * (time.monotonic() - started), 2)
        plain.settimeout(deadline.left())
        started = time.monotonic()
        with context.wrap_socket(
            plain, server_hostname=args.get("name"), session=session, suppress_ragged_eofs=True
        ) as sock:
            facts["handshake_ms"] = round(1000 * (time.monotonic() - started), 2)
            cipher = sock.cipher()
            facts.update(
                protocol=sock.version(),
                cipher=cipher[0] if cipher else None,
                alpn=sock.selected_alpn_protocol(),
                chain=_chain(sock),
                reused=bool(sock.session_reused),
            )
            if args.get("http") and facts["alpn"] in (None, "http/1.1"):
                try:
                    facts["http"] = message.get(
                        sock,
                        args.get("name") or args["address"],
                        args["http"],
                        deadline,
                        int(args.get("largest", 65536)),
                    )
                except (http.client.HTTPException, OSError) as error:
                    facts["http_error"] = f"{type(error).__name__}: {error}"[:200]
            elif args.get("resume"):
                _wait_for_ticket(sock, deadline)
            return sock.session


def _wait_for_ticket(sock: ssl.SSLSocket, deadline: Deadline) -> None:
    sock.settimeout(min(0.3, deadline.left()))
    with suppress(OSError):  # no ticket within the time: the next handshake will show that
        sock.recv(1)


def _chain(sock: ssl.SSLSocket) -> list[str]:
    """The certificates that the server sent. CPython keeps the whole chain in a private place until 3.13."""
    whole: Any = getattr(sock, "get_unverified_chain", None) or getattr(
        getattr(sock, "_sslobj", None), "get_unverified_chain", None
    )
    certificates = whole() if whole else None
    ders = [c if isinstance(c, bytes) else c.public_bytes(2) for c in certificates or ()]
    leaf = sock.getpeercert(binary_form=True)
    return [ssl.DER_cert_to_PEM_cert(der) for der in ders or ([leaf] if leaf else [])]


@lru_cache(maxsize=64)
def _context(ca: str, alpn: tuple[str, ...], verify: bool, certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = verify
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    if verify:
        context.load_verify_locations(cadata=ca)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if certificate:
        _load_client(context, certificate, key)
    return context


def _load_client(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Gives the context a client certificate; OpenSSL reads it from a file, so one lies in memory for that moment."""
    descriptor = os.memfd_create("client") if hasattr(os, "memfd_create") else tempfile.mkstemp()[0]
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=str)  # never asked for on a terminal
