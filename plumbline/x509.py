"""Certificates: what they say, whom they were signed by, and whether they belong to a key."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError


@dataclass(frozen=True)
class Certificate:
    """One certificate; build it with `parse` or `one`."""

    pem: str

    @cached_property
    def raw(self) -> x509.Certificate:
        """The certificate of the library `cryptography`."""
        return _loaded(self.pem)

    @property
    def subject(self) -> str:
        """The subject's common name; where it has none, the first of its names, or the whole subject."""
        return _name(self.raw.subject) or next(iter(self.names), "a certificate without a name")

    @property
    def issuer(self) -> str:
        """The issuer's common name, or the whole issuer where it has none."""
        return _name(self.raw.issuer)

    @property
    def names(self) -> tuple[str, ...]:
        """DNS names and addresses for which it was made, sorted."""
        try:
            value = self.raw.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        addresses = [str(a) for a in value.get_values_for_type(x509.IPAddress)]
        return tuple(sorted([*value.get_values_for_type(x509.DNSName), *addresses]))

    @property
    def serial(self) -> str:
        """The serial number, hexadecimal."""
        return f"{self.raw.serial_number:x}"

    @property
    def starts(self) -> dt.datetime:
        """From when it is valid, UTC."""
        return self.raw.not_valid_before_utc

    @property
    def ends(self) -> dt.datetime:
        """Until when it is valid, UTC."""
        return self.raw.not_valid_after_utc

    @property
    def lifetime(self) -> dt.timedelta:
        """From its first moment to its last."""
        return self.ends - self.starts

    def left(self, now: dt.datetime | None = None) -> dt.timedelta:
        """How long it is still valid; negative where it has expired."""
        return self.ends - (now or dt.datetime.now(dt.UTC))

    @property
    def is_ca(self) -> bool:
        """Whether it may sign others."""
        try:
            return self.raw.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            return False

    @property
    def key_type(self) -> str:
        """As a bed file writes it: ECDSA-256, RSA-2048, Ed25519."""
        key = self.raw.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            return f"ECDSA-{key.curve.key_size}"
        if isinstance(key, rsa.RSAPublicKey):
            return f"RSA-{key.key_size}"
        return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole certificate, hexadecimal."""
        return self.raw.fingerprint(hashes.SHA256()).hex()

    @property
    def key_fingerprint(self) -> str:
        """SHA-256 of the public key, which stays the same when a certificate is renewed with its key."""
        digest = hashes.Hash(hashes.SHA256())
        digest.update(_public(self.raw.public_key()))
        return digest.finalize().hex()

    def signed_by(self, authority: Certificate) -> bool:
        """Whether that certificate's key made this one's signature, whatever the dates."""
        try:
            self.raw.verify_directly_issued_by(authority.raw)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True

    def __str__(self) -> str:
        return (
            f"{self.subject}, issued by {self.issuer}, valid {self.starts:%Y-%m-%d %H:%M} to {self.ends:%Y-%m-%d %H:%M}"
        )


def parse(pem: str) -> tuple[Certificate, ...]:
    """All certificates of a PEM text, in its order. Raises ValueError where one cannot be read, or there is none."""
    try:
        loaded = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise ValueError(f"this is no certificate: {error}") from None
    return tuple(Certificate(c.public_bytes(serialization.Encoding.PEM).decode()) for c in loaded)


def readable(pem: str) -> int:
    """How many certificates a PEM text holds; 0 where one of them cannot be read."""
    try:
        return len(parse(pem))
    except ValueError:
        return 0


def one(pem: str) -> Certificate:
    """The first certificate of a PEM text. Raises ValueError where there is none."""
    return parse(pem)[0]


def next_update(pem: str) -> dt.datetime:
    """Until when a list of revoked certificates is good, UTC. Raises ValueError where it is none, or does not say."""
    due = x509.load_pem_x509_crl(pem.encode()).next_update_utc
    if due is None:
        raise ValueError("the list does not say until when it is good")
    return due


def problem(chain: tuple[Certificate, ...], authority: str, name: str, now: dt.datetime | None = None) -> str | None:
    """Why a chain (leaf first) does not prove to one who trusts `authority` (PEM) to be `name`; None where it does."""
    if not chain:
        return "no certificate was shown"
    roots = [c.raw for c in parse(authority)]
    try:
        subject: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    assert isinstance(subject, x509.DNSName | x509.IPAddress)
    verifier = PolicyBuilder().store(Store(roots)).time(now or dt.datetime.now(dt.UTC)).build_server_verifier(subject)
    try:
        verifier.verify(chain[0].raw, [c.raw for c in chain[1:]])
    except VerificationError as error:
        return _explained(chain, parse(authority), name, now or dt.datetime.now(dt.UTC)) or str(error)
    return None


def verified(chain: tuple[Certificate, ...], authority: str, name: str, now: dt.datetime | None = None) -> bool:
    """Whether `problem` finds none."""
    return problem(chain, authority, name, now) is None


def matches_key(certificate: Certificate, key_pem: bytes) -> bool:
    """Whether a private key (PEM, not encrypted) belongs to a certificate."""
    try:
        key = serialization.load_pem_private_key(key_pem, None)
    except (ValueError, TypeError):
        return False
    return _public(key.public_key()) == _public(certificate.raw.public_key())


def _explained(chain: tuple[Certificate, ...], roots: tuple[Certificate, ...], name: str, now: dt.datetime) -> str:
    """The likely reason, in words that say what to do about it."""
    leaf = chain[0]
    for certificate in chain:
        if now > certificate.ends:
            return f"{certificate.subject} expired {certificate.ends:%Y-%m-%d %H:%M:%S} UTC"
        if now < certificate.starts:
            return f"{certificate.subject} is not valid before {certificate.starts:%Y-%m-%d %H:%M:%S} UTC"
    if not any(c.signed_by(root) for c in chain for root in roots):
        expected = ", ".join(sorted({root.subject for root in roots}))
        return f"{leaf.subject} was issued by {chain[-1].issuer}, which is not signed by {expected}"
    if not any(n == name or (n.startswith("*.") and name.partition(".")[2] == n[2:]) for n in leaf.names):
        return f"it is for {', '.join(leaf.names) or leaf.subject}, not for {name}"
    return ""


@lru_cache(maxsize=1024)
def _loaded(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def _name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _public(key: object) -> bytes:
    encode = key.public_bytes  # type: ignore[attr-defined]
    return bytes(encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
