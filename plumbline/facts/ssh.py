"""What a node has of certificates of SSH, typed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
    load_ssh_public_key,
    ssh_key_fingerprint,
)

from plumbline.facts.node import NodeFacts
from plumbline.facts.pki import File
from plumbline.facts.renewers import Renewer
from plumbline.outcome import Unknown

Object = dict[str, Any]
_FOR_EVER = 1 << 63


@dataclass(frozen=True)
class Signed:
    """A certificate of SSH, as one line of a file. Build it with `read`."""

    line: str
    raw: SSHCertificate

    @property
    def kind(self) -> str:
        """host or user."""
        return "host" if self.raw.type == SSHCertificateType.HOST else "user"

    @property
    def key_type(self) -> str:
        """The type of the key that was signed, such as ssh-ed25519."""
        return self.line.split()[0].removesuffix("-cert-v01@openssh.com")

    @property
    def principals(self) -> tuple[str, ...]:
        """The names that it is good for, sorted; none: for any."""
        return tuple(sorted(name.decode("utf-8", "replace") for name in self.raw.valid_principals))

    @property
    def serial(self) -> int:
        """Its number."""
        return self.raw.serial

    @property
    def starts(self) -> dt.datetime:
        """From when it is valid, UTC."""
        return dt.datetime.fromtimestamp(self.raw.valid_after, dt.UTC)

    @property
    def ends(self) -> dt.datetime | None:
        """Until when it is valid, UTC; None: for ever."""
        return dt.datetime.fromtimestamp(self.raw.valid_before, dt.UTC) if self.raw.valid_before < _FOR_EVER else None

    @property
    def critical(self) -> tuple[str, ...]:
        """Options that whoever does not know them must refuse it for."""
        return tuple(sorted(name.decode("utf-8", "replace") for name in self.raw.critical_options))

    @property
    def authority(self) -> str:
        """The fingerprint of the key that signed it; empty where the signature is not that key's."""
        try:
            self.raw.verify_cert_signature()
        except InvalidSignature:
            return ""
        return _fingerprint(self.raw.signature_key())

    @property
    def key(self) -> str:
        """The fingerprint of the key that was signed."""
        return _fingerprint(self.raw.public_key())


def read(line: str) -> Signed:
    """The certificate of a line. Raises ValueError where there is none."""
    try:
        found = load_ssh_public_identity(line.strip().encode())
    except Exception as error:  # an old cryptography has errors of its own for unknown keys
        raise ValueError(f"this is no certificate of SSH: {error}") from None
    if not isinstance(found, SSHCertificate):
        raise ValueError("this is a key that nobody has signed")
    return Signed(line.strip(), found)


def authorities(text: str) -> tuple[str, ...]:
    """The fingerprints of the keys in a file of public keys; of @cert-authority lines, where there are such.

    Raises ValueError where a line is no key.
    """
    found = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "@cert-authority":
            words = words[2:]
        elif words[0].startswith("@"):
            continue
        try:
            found.append(_fingerprint(load_ssh_public_key(" ".join(words[:2]).encode())))
        except Exception as error:
            raise ValueError(f"this is no public key: {' '.join(words)[:40]}: {error}") from None
    return tuple(found)


@dataclass(frozen=True)
class SignedKey:
    """A key, its public half and its certificate, as files of one node."""

    where: str
    facts: Object
    cause: str

    @property
    def key(self) -> File:
        """The key."""
        return File(self.facts["key"])

    @property
    def file(self) -> File:
        """The certificate's file."""
        return File(self.facts["certificate"])

    @property
    def certificate(self) -> Signed:
        """The certificate. Unknown, caused by its file, where there is none."""
        if not self.file.exists:
            raise Unknown(f"{self.where}: there is no certificate", cause=self.cause)
        try:
            return read(self.file.text)
        except ValueError as error:
            raise Unknown(f"{self.where}: {error}", cause=self.cause) from None

    @property
    def public(self) -> str:
        """The fingerprint of the public half; empty where it cannot be read."""
        try:
            return next(iter(authorities(File(self.facts["public"]).text)), "")
        except ValueError:
            return ""


class SshFacts:
    """What one node has."""

    def __init__(self, node: NodeFacts) -> None:
        self.name = node.name
        self._facts: Object = node.part("ssh")

    @cached_property
    def host(self) -> SignedKey:
        """What sshd is to show."""
        return SignedKey(f"{self.name}, host", self._facts["host"], f"ssh-host-file:{self.name}")

    def user(self, name: str) -> SignedKey:
        """What a user is to show. Unknown where the user was not asked for."""
        return SignedKey(f"{self.name}, {name}", self._user(name), f"ssh-user-file:{self.name}/{name}")

    def config(self, user: str) -> File:
        """A user's configuration of ssh."""
        return File(self._user(user)["config"])

    def client(self, user: str) -> dict[str, list[str]]:
        """What ssh makes of all its configuration for a login on another node. Unknown where it refuses it."""
        found: dict[str, list[str]] = self._user(user)["client"]
        if found.get("error"):
            raise Unknown(f"{self.name}: ssh does not take its configuration: {found['error'][0]}")
        return found

    @property
    def user_ca(self) -> File:
        """Whom sshd trusts to sign users."""
        return File(self._facts["user_ca"])

    @property
    def known_hosts(self) -> File:
        """Whom clients trust to sign hosts."""
        return File(self._facts["known_hosts"])

    @property
    def sshd(self) -> Object:
        """What sshd makes of its configuration, by key; `error` where it refuses it."""
        return dict(self._facts["sshd"])

    def authority(self, kind: str) -> str:
        """The fingerprint of the authority for `host` or `user`, on its own node. Unknown where it cannot be read."""
        found = self._facts["authorities"].get(kind)
        if not found or not found["exists"]:
            raise Unknown(f"{self.name}: the key of the authority for {kind}s is not there", cause=f"ssh-ca:{kind}")
        return authorities(found["text"])[0]

    def renewer(self, unit: str) -> Renewer:
        """What renews. Unknown where it was not asked for."""
        found = self._facts["renewers"].get(unit)
        if found is None:
            raise Unknown(f"{self.name}: {unit} was not asked for")
        return Renewer(unit, found)

    def _user(self, name: str) -> Object:
        found = self._facts["users"].get(name)
        if found is None:
            raise Unknown(f"{self.name}: the user {name} was not asked for")
        return dict(found)


def _fingerprint(key: Any) -> str:
    import base64

    from cryptography.hazmat.primitives.hashes import SHA256

    return base64.b64encode(ssh_key_fingerprint(key, SHA256())).decode().rstrip("=")
