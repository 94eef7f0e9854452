"""The host key that a node shows before any login, and who has signed it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    load_ssh_public_identity,
    load_ssh_public_key,
)


@dataclass(frozen=True)
class HostKey:
    """`certificates` and `authorities` are lines as in a file of public keys; the authorities are the runner's."""

    node: str
    certificates: tuple[str, ...]
    authorities: tuple[str, ...]

    @cached_property
    def _certificates(self) -> tuple[SSHCertificate, ...]:
        found = (load_ssh_public_identity(line.encode()) for line in self.certificates)
        return tuple(c for c in found if isinstance(c, SSHCertificate))

    @property
    def signed(self) -> bool:
        """Whether one of the authorities has signed one of its keys. ValueError where a key cannot be read."""
        return any(_signed_by(c, authority) for c in self._certificates for authority in self.authorities)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it was signed for; none: it was signed for any."""
        return tuple(sorted({p.decode() for c in self._certificates for p in c.valid_principals}))

    @property
    def ends(self) -> dt.datetime | None:
        """Until when it is valid, UTC; None: for ever, or there is no certificate."""
        ends = [c.valid_before for c in self._certificates if c.valid_before < 1 << 63]
        return dt.datetime.fromtimestamp(min(ends), dt.UTC) if ends else None


def _signed_by(certificate: SSHCertificate, authority: str) -> bool:
    def plain(key: object) -> bytes:
        return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)  # type: ignore[attr-defined, no-any-return]

    try:
        certificate.verify_cert_signature()
    except InvalidSignature:
        return False
    return plain(certificate.signature_key()) == plain(load_ssh_public_key(authority.encode()))
