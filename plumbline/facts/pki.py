"""What a node has of the certificate authority and of certificates of services, typed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from plumbline import x509
from plumbline.facts.node import NodeFacts
from plumbline.facts.renewers import Renewer
from plumbline.outcome import Unknown

Object = dict[str, Any]


@dataclass(frozen=True)
class File:
    """A file of a node. `form` says what is in it: pem, empty, der, truncated, encrypted, key or rubbish."""

    facts: Object

    @property
    def exists(self) -> bool:
        """Whether it is there."""
        return bool(self.facts["exists"])

    @property
    def form(self) -> str:
        """What is in it; "missing" where there is none."""
        return str(self.facts.get("form", "")) if self.exists else "missing"

    @property
    def owner(self) -> str:
        """The user whose it is."""
        return str(self.facts.get("owner", ""))

    @property
    def mode(self) -> int:
        """Its permissions."""
        return int(self.facts.get("mode", 0))

    @property
    def written(self) -> float:
        """When it was written last, in seconds of the epoch."""
        return float(self.facts.get("mtime", 0.0))

    @property
    def text(self) -> str:
        """What is in a file of public keys."""
        return str(self.facts.get("text", ""))


@dataclass(frozen=True)
class Pair:
    """A certificate file and its key's file on one node; `matches` are the certificates that belong to the key."""

    where: str
    certificate: File
    key: File
    matches: tuple[int, ...]

    @cached_property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates in their order; none where the file has none. ValueError where one cannot be read."""
        return tuple(x509.one(pem) for pem in self.certificate.facts.get("pem", ()))

    @property
    def leaf(self) -> x509.Certificate:
        """The first certificate. Unknown, caused by the file, where there is none."""
        try:
            chain = self.chain
        except ValueError as error:
            raise Unknown(f"{self.where}: {error}", cause=f"tls-file:{self.where}") from None
        if not chain:
            raise Unknown(f"{self.where}: its file is {self.certificate.form}", cause=f"tls-file:{self.where}")
        return chain[0]

    @property
    def renewed_after(self) -> dt.timedelta:
        """How long after its key the certificate was written: a renewal keeps the key."""
        return dt.timedelta(seconds=self.certificate.written - self.key.written)


class PkiFacts:
    """What one node has."""

    def __init__(self, node: NodeFacts) -> None:
        self.name = node.name
        self._facts: Object = node.part("pki")

    @property
    def root(self) -> File:
        """The file of the root."""
        return File(self._facts["root"])

    @cached_property
    def root_certificates(self) -> tuple[x509.Certificate, ...]:
        """What is in it. ValueError where one cannot be read."""
        return tuple(x509.one(pem) for pem in self._facts["root"].get("pem", ()))

    @property
    def root_pem(self) -> str:
        """The same, as it lies there."""
        return "".join(f"{pem}\n" for pem in self._facts["root"].get("pem", ()))

    @property
    def in_bundle(self) -> bool:
        """Whether the node's programs trust the root by default."""
        return bool(self._facts["in_bundle"])

    @property
    def has_program(self) -> bool:
        """Whether `step` is there and may be run."""
        return bool(self._facts["program"])

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """Certificates that lie here, though the bed file has them on other nodes alone."""
        return tuple(self._facts["elsewhere"])

    @property
    def instances(self) -> tuple[str, ...]:
        """The units for which a timer of cert-renewer@ is enabled or loaded."""
        return tuple(self._facts["instances"])

    def pair(self, name: str) -> Pair:
        """The files of a service's certificate. Unknown where they were not asked for."""
        found = self._facts["certificates"].get(name)
        if found is None:
            raise Unknown(f"{self.name}: the certificate {name} was not asked for")
        where = f"{self.name}/{name}"
        return Pair(where, File(found["certificate"]), File(found["key"]), tuple(found["matches"]))

    def renewer(self, unit: str) -> Renewer:
        """What renews the certificate of a unit. Unknown where it was not asked for."""
        found = self._facts["renewers"].get(unit)
        if found is None:
            raise Unknown(f"{self.name}: cert-renewer@{unit} was not asked for")
        return Renewer(unit, found)
