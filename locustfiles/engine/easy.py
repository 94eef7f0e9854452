"""Easy handles of libcurl: one a user, its options set once, and changed only where a request differs from the last."""

from __future__ import annotations

import pycurl

from locustfiles.engine.request import Request, Settings

_VERSIONS = {"http/1.1": pycurl.CURL_HTTP_VERSION_1_1, "h2": pycurl.CURL_HTTP_VERSION_2TLS}


def new(settings: Settings) -> pycurl.Curl:
    """A handle for one user, which verifies certificates and names, and never resumes a TLS session."""
    easy = pycurl.Curl()
    easy.setopt(pycurl.NOSIGNAL, 1)
    easy.setopt(pycurl.HTTP_VERSION, _VERSIONS[settings.protocol])
    easy.setopt(pycurl.SSL_VERIFYPEER, 1)
    easy.setopt(pycurl.SSL_VERIFYHOST, 2)
    easy.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    easy.setopt(pycurl.NOPROXY, "*")  # whatever the environment says: load goes nowhere but to the bed
    # `len` takes any body and says that all of it was taken: a callback that runs no Python
    easy.setopt(pycurl.WRITEFUNCTION, len)
    if settings.connections == "new":
        easy.setopt(pycurl.FRESH_CONNECT, 1)
        easy.setopt(pycurl.FORBID_REUSE, 1)
    if settings.ca:
        easy.setopt(pycurl.CAINFO, settings.ca)
    if settings.authority:
        easy.setopt(pycurl.CAINFO_BLOB, settings.authority.encode())
    if settings.certificate:  # one text has both
        easy.setopt(pycurl.SSLCERT_BLOB, settings.certificate.encode())
        easy.setopt(pycurl.SSLKEY_BLOB, settings.certificate.encode())
    if settings.curves:
        easy.setopt(pycurl.SSL_EC_CURVES, settings.curves)
    if settings.resolve:
        easy.setopt(pycurl.RESOLVE, list(settings.resolve))
    if settings.interface:
        easy.setopt(pycurl.INTERFACE, settings.interface)
    return easy


def prepare(easy: pycurl.Curl, request: Request, last: Request | None, into: bytearray) -> None:
    """Makes a handle ready for a request; `last` is what it was made ready for before, `into` takes a wanted body."""
    if last is None or request.url != last.url:
        easy.setopt(pycurl.URL, request.url)
    if last is None or request.headers != last.headers:
        easy.setopt(pycurl.HTTPHEADER, list(request.headers))
    if last is None or (request.method, request.body) != (last.method, last.body):
        _set_method(easy, request)
    if last is None or request.wants_body != last.wants_body:
        easy.setopt(pycurl.WRITEFUNCTION, into.extend if request.wants_body else len)


def _set_method(easy: pycurl.Curl, request: Request) -> None:
    easy.setopt(pycurl.HTTPGET, 1)  # forgets the body of the last one
    easy.unsetopt(pycurl.CUSTOMREQUEST)
    if request.body is not None:
        easy.setopt(pycurl.POST, 1)
        easy.setopt(pycurl.POSTFIELDSIZE, len(request.body))
        easy.setopt(pycurl.COPYPOSTFIELDS, request.body)
    if request.method == "HEAD":
        easy.setopt(pycurl.NOBODY, 1)
    elif request.method != ("GET" if request.body is None else "POST"):
        easy.setopt(pycurl.CUSTOMREQUEST, request.method)
