"""certificate.put and authority.put: certificates made on the spot, wrong in one way or another.

Scale cert-manager to 0 before (a kubernetes.scale of its own), or it mends what it finds.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from pydantic import Field

from chaos.actions.objects import path_of
from chaos.actions.secrets import Kept
from chaos.call import ActionFailed, Arguments, Authority, Call, Certificate, Looking, action
from plumbline.bed import Bed
from plumbline.bed.types import Duration

if TYPE_CHECKING:
    from chaos.reach import Reach

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def new_key(kind: str = "ECDSA-256") -> Key:
    """A private key, ECDSA-256, ECDSA-384 or RSA-2048."""
    if kind.startswith("RSA"):
        return rsa.generate_private_key(65537, int(kind.partition("-")[2] or 2048))
    return ec.generate_private_key(ec.SECP384R1() if kind.endswith("384") else ec.SECP256R1())


def authority(
    name: str, begins: dt.timedelta = dt.timedelta(days=1), ends: dt.timedelta = dt.timedelta(days=365)
) -> Pair:
    """A new authority that signs itself; `ends` counts from now and may be negative."""
    key = new_key()
    built = _builder(name, name, key, begins, ends)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Pair(built.sign(key, hashes.SHA256()), key)


def leaf(names: list[str], signer: Pair, key: Key, begins: dt.timedelta, ends: dt.timedelta) -> x509.Certificate:
    """A server's certificate for these names."""
    issuer = signer.certificate.subject
    built = _builder(names[0], issuer, key, begins, ends)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    built = built.add_extension(alternatives, critical=False).add_extension(identifier, critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return built.sign(signer.key, hashes.SHA256())


def _builder(
    subject: str, issuer: str | x509.Name, key: Key, begins: dt.timedelta, ends: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    signed_by = issuer if isinstance(issuer, x509.Name) else _name(issuer)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(signed_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - begins)
        .not_valid_after(now + ends)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@action("certificate.put")
class Put(Kept):
    """Another certificate in the Secret of one of the bed: in order in all that is not said here to be wrong."""

    certificate: Certificate
    begins: Duration = Field(default=dt.timedelta(0), description="how long ago it began; by default as declared")
    begins_in: Duration = Field(default=dt.timedelta(0), description="how long it is until it begins")
    ends: Duration | None = Field(default=None, description="how long it is until it ends; by default as declared")
    ended: Duration | None = Field(default=None, description="how long ago it ended")
    names: tuple[str, ...] = Field(default=(), description="by default the declared ones")
    issuer: Literal["authority", "stranger", "itself"] = "authority"
    key: str | None = Field(default=None, pattern=r"^(ECDSA-(256|384)|RSA-\d{4})$")
    other_key: bool = Field(default=False, description="a private key that does not belong to it")
    ca: Literal["authority", "stranger"] = Field(default="authority", description="what stands in ca.crt")
    without: tuple[Literal["tls.crt", "tls.key", "ca.crt"], ...] = ()
    rubbish: tuple[Literal["tls.crt", "ca.crt"], ...] = Field(default=(), description="keys that hold no certificate")

    def place(self, bed: Bed) -> tuple[str, str]:
        secret = bed.certificates[self.certificate].secret
        return secret.namespace, secret.name

    def changed(self, bed: Bed, reach: Reach, data: dict[str, str]) -> dict[str, str | None] | None:
        declared = bed.certificates[self.certificate]
        signer = _signer(bed, reach, declared.authority)
        key = new_key(self.key or declared.key or "ECDSA-256")
        ends = -self.ended if self.ended is not None else self.ends
        begins = self.begins - self.begins_in
        if ends is None:
            ends = declared.lifetime - begins
        elif not begins:
            begins = declared.lifetime - ends
        names = list(self.names or declared.names)
        by = {"authority": signer, "stranger": authority("a stranger")}.get(self.issuer)
        if by is None:
            own = leaf(names, Pair(_shell(names[0], key), key), key, begins, ends)
        else:
            own = leaf(names, by, key, begins, ends)
        beside = signer.pem if self.ca == "authority" else authority("a stranger").pem
        new: dict[str, str | None] = {
            "tls.crt": _encoded(own.public_bytes(Encoding.PEM).decode()),
            "tls.key": _encoded(Pair(own, new_key() if self.other_key else key).key_pem),
            "ca.crt": _encoded(beside),
        }
        # A Secret of type kubernetes.io/tls must have both of its keys: what is missing is empty.
        new |= {name: "" if name.startswith("tls.") else None for name in self.without}
        return new | {name: _encoded("this is no certificate\n") for name in self.rubbish}


@action("certificate.fresh")
class Fresh(Looking):
    """Whether a certificate was issued no longer ago than its renewal takes, and a little: its controller is at work."""

    certificate: Certificate
    patience: Duration = dt.timedelta(seconds=15)

    def holds(self, bed: Bed, reach: Reach) -> bool:
        declared = bed.certificates[self.certificate]
        found = reach.get(path_of("Secret", declared.secret.name, declared.secret.namespace))
        if found is None:
            return False
        begins = x509.load_pem_x509_certificate(base64.b64decode(found["data"]["tls.crt"])).not_valid_before_utc
        return dt.datetime.now(dt.UTC) - begins <= declared.lifetime - declared.renew_before + self.patience


def _shell(name: str, key: Key) -> x509.Certificate:
    """A certificate that only lends its subject and key, for one that signs itself."""
    return _builder(name, name, key, dt.timedelta(0), dt.timedelta(days=1)).sign(key, hashes.SHA256())


def _signer(bed: Bed, reach: Reach, name: str) -> Pair:
    declared = bed.authorities[name].secret
    if declared is None:
        raise ActionFailed("the bed file does not say which secret has its key", place=f"authority {name}")
    found = reach.get(path_of("Secret", declared.name, declared.namespace))
    if found is None:
        raise ActionFailed(f"there is no secret {declared}", place=f"authority {name}")
    certificate = x509.load_pem_x509_certificate(base64.b64decode(found["data"]["tls.crt"]))
    key = load_pem_private_key(base64.b64decode(found["data"]["tls.key"]), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return Pair(certificate, key)


@action("authority.put")
class PutAuthority(Kept):
    """Another key pair in the Secret that an authority signs with: a key or a certificate that is not its own."""

    authority: Authority
    other_key: bool = Field(default=False, description="only the key is another; else both are")

    def place(self, bed: Bed) -> tuple[str, str]:
        secret = bed.authorities[self.authority].secret
        if secret is None:
            raise ActionFailed("the bed file does not say which secret has its key", place=self.authority)
        return secret.namespace, secret.name

    def changed(self, bed: Bed, reach: Reach, data: dict[str, str]) -> dict[str, str | None] | None:
        made = authority(self.authority)
        new: dict[str, str | None] = {"tls.key": _encoded(made.key_pem)}
        return new if self.other_key else {**new, "tls.crt": _encoded(made.pem), "ca.crt": _encoded(made.pem)}


@action("authority.publish")
class Publish(Arguments):
    """Something else in the ConfigMap by which an authority is trusted: another of its name, one that expired, …"""

    authority: Authority
    what: Literal["another", "also-another", "expired", "leaf", "rubbish", "empty"]

    def _bundle(self, bed: Bed) -> tuple[str, str]:
        bundle = bed.authorities[self.authority].bundle
        if bundle is None or bundle.configmap is None:
            raise ActionFailed("it is not published in a ConfigMap", place=f"authority {self.authority}")
        return path_of("ConfigMap", bundle.configmap.name, bundle.configmap.namespace), bundle.key

    @property
    def _mark(self) -> str:
        return f"# {self.what} {hashlib.blake2b(self.model_dump_json().encode(), digest_size=4).hexdigest()}"

    def reverse(self, bed: Bed, reach: Reach) -> list[Call]:
        path, key = self._bundle(bed)
        bundle = bed.authorities[self.authority].bundle
        now = reach.get(path)
        if now is None or bundle is None or bundle.configmap is None:
            raise ActionFailed("there is no such ConfigMap", place=path)
        named = {"kind": "ConfigMap", "namespace": bundle.configmap.namespace, "name": bundle.configmap.name}
        return [Call("kubernetes.patch", {**named, "patch": {"data": {key: now["data"].get(key)}}})]

    def apply(self, bed: Bed, reach: Reach) -> None:
        if self.holds(bed, reach):
            return
        path, key = self._bundle(bed)
        now = reach.get(path)["data"].get(key, "")
        reach.patch(path, {"data": {key: f"{self._text(now)}{self._mark}\n" if self.what != "empty" else ""}})

    def holds(self, bed: Bed, reach: Reach) -> bool:
        path, key = self._bundle(bed)
        now = reach.get(path)
        has = now["data"].get(key, "") if now else ""
        return has == "" if self.what == "empty" else self._mark in has

    def _text(self, now: str) -> str:
        match self.what:
            case "another":
                return authority(self.authority).pem
            case "also-another":
                return now + authority("a stranger").pem
            case "expired":
                return authority(self.authority, dt.timedelta(days=30), -dt.timedelta(days=1)).pem
            case "leaf":
                made = authority("a stranger")
                own = leaf([self.authority], made, new_key(), dt.timedelta(0), dt.timedelta(days=90))
                return own.public_bytes(Encoding.PEM).decode()
            case _:
                return "this is no certificate\n"
