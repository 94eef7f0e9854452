"""TLS as users of our own connections speak it: whom they trust, and what they show."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from locustfiles.engine.failures import CA_UNREADABLE, PAIR_UNUSABLE, Failed
from locustfiles.engine.request import Settings


def context(settings: Settings) -> ssl.SSLContext:
    """Verifies certificate and name, and resumes nothing; Failed where there is nobody to trust, or nothing to show."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # who is trusted need not be a root, as with libcurl
    made.set_alpn_protocols(["http/1.1"])
    try:
        if settings.authority:
            made.load_verify_locations(cadata=settings.authority)
        elif settings.ca:
            made.load_verify_locations(settings.ca)
        else:
            made.load_default_certs()
    except (OSError, ValueError):
        raise Failed(CA_UNREADABLE) from None
    if settings.certificate:
        try:
            with _in_memory(settings.certificate) as path:
                made.load_cert_chain(path, password="")  # without one OpenSSL asks at the terminal
        except (OSError, ValueError):
            raise Failed(PAIR_UNUSABLE) from None
    return made


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """A file that is on no disk: Python reads keys from files only."""
    descriptor = os.memfd_create("plumbline", os.MFD_CLOEXEC)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"
