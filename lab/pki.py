"""The lab's own certificate authorities and what they sign: Kubernetes, etcd, persona CA, NGFW CA and the SSH CA.

Everything stands in one private folder of the running lab and goes with it; what exists is reused, so that a second
`up` changes nothing.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.command import call

AUTHORITY_LIFETIME = dt.timedelta(days=3650)
LEAF_LIFETIME = dt.timedelta(days=365)
BACKDATE = dt.timedelta(minutes=5)
SHORT_BACKDATE = dt.timedelta(minutes=1)
"""How far back a certificate begins, for clocks that are behind; the short one is step-ca's own."""
_PROVISIONER = x509.ObjectIdentifier("1.3.6.1.4.1.37476.9000.64.1")
SSH_VALIDITY = "-5m:+52w"


@dataclass(frozen=True)
class KeyPair:
    """A certificate with its private key, both PEM."""

    certificate: bytes
    key: bytes


class Pki:
    """The authorities of one lab, kept in a folder that only root may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def authority(self, name: str) -> KeyPair:
        """The authority of this name, made at the first call."""
        return self.kept(name, lambda: _make_authority(name))

    def leaf(
        self,
        authority: str,
        name: str,
        common_name: str,
        *,
        organizations: Iterable[str] = (),
        dns: Iterable[str] = (),
        addresses: Iterable[IPv4Address] = (),
    ) -> KeyPair:
        """A client and server certificate signed by an authority; `name` is the file it is kept under."""
        issuer = self.authority(authority)
        return self.kept(
            name, lambda: _make_leaf(issuer, common_name, organizations=organizations, dns=dns, addresses=addresses)
        )

    def intermediate(self, name: str, root: str) -> KeyPair:
        """An authority that another one signed; it signs no further ones."""
        issuer = self.authority(root)
        return self.kept(name, lambda: _make_authority(name, issuer))

    def short_leaf(
        self, authority: str, root: str, name: str, *, dns: list[str], addresses: Iterable[IPv4Address],
        lifetime: dt.timedelta, provisioner: tuple[str, str] | None = None,
    ) -> KeyPair:  # fmt: skip
        """A certificate of an intermediate authority, which comes after it; made anew after half of its life.

        Its common name is the first of its names. `provisioner` (its name, the id of its key) is who would have asked
        step-ca for it, under whose rules it is renewed; one without is never renewed.
        """
        issuer = self.intermediate(authority, root)

        def make() -> KeyPair:
            made = _make_leaf(
                issuer, dns[0], dns=dns, addresses=addresses, lifetime=lifetime, backdate=SHORT_BACKDATE,
                extension=_asked_by(*provisioner) if provisioner else None,
            )  # fmt: skip
            return KeyPair(made.certificate + issuer.certificate, made.key)

        made = self.kept(name, make)
        if (
            x509.load_pem_x509_certificate(made.certificate).not_valid_after_utc - dt.datetime.now(dt.UTC)
            > lifetime / 2
        ):
            return made
        (self.folder / f"{name}.crt").unlink()
        return self.kept(name, make)

    def service_account_key(self) -> KeyPair:
        """The RSA key that signs service account tokens; its public half stands where a certificate would."""
        return self.kept("service-account", _make_service_account_key)

    def ssh_authority(self, kind: str) -> Path:
        """The private key file of the SSH CA for `host` or `user` certificates; its public half is beside it (.pub)."""
        return self.ssh_key(f"ssh-{kind}-ca")

    def ssh_key(self, name: str) -> Path:
        """An Ed25519 SSH key file of this name."""
        path = self.folder / name
        if not Path(f"{path}.pub").exists():
            path.unlink(missing_ok=True)
            _ssh_keygen("-t", "ed25519", "-N", "", "-C", name, "-f", str(path))
        return path

    def ssh_certificate(self, name: str, kind: str, principals: Iterable[str]) -> Path:
        """The certificate of an SSH key, signed by the host or the user CA for these principals."""
        key = self.ssh_key(name)
        certificate = key.with_name(f"{name}-cert.pub")
        if not certificate.exists():
            host = ["-h"] if kind == "host" else []
            ca = str(self.ssh_authority(kind))
            names = ",".join(principals)
            _ssh_keygen("-s", ca, *host, "-I", name, "-n", names, "-V", SSH_VALIDITY, f"{key}.pub")
        return certificate

    def short_ssh_certificate(
        self, name: str, kind: str, principals: Iterable[str], *, key_id: str, lifetime: dt.timedelta, age: dt.timedelta
    ) -> bytes:
        """A certificate of an SSH key that was made `age` ago and is to be renewed on its node; made anew at each call."""
        host = ["-h"] if kind == "host" else []
        valid = f"-{int(age.total_seconds())}s:+{int((lifetime - age).total_seconds())}s"
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            public = Path(folder, "key.pub")
            public.write_bytes(Path(f"{self.ssh_key(name)}.pub").read_bytes())
            _ssh_keygen(
                "-s", str(self.ssh_authority(kind)), *host, "-I", key_id, "-n", ",".join(principals), "-V", valid,
                "-z", str(secrets.randbits(63)), str(public),
            )  # fmt: skip
            return Path(folder, "key-cert.pub").read_bytes()

    def kept(self, name: str, make: Callable[[], KeyPair]) -> KeyPair:
        """The key pair kept under a name; `make` makes it at the first call."""
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        if not certificate.exists():
            made = make()
            _write_private(key, made.key)
            _write_private(certificate, made.certificate)  # last: its presence says that both are whole
        return KeyPair(certificate.read_bytes(), key.read_bytes())


def _write_private(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.rename(path)


def _ssh_keygen(*arguments: str) -> None:
    call(["ssh-keygen", "-q", *arguments])


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    lifetime: dt.timedelta,
    backdate: dt.timedelta = BACKDATE,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - backdate)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _make_authority(name: str, issuer: KeyPair | None = None) -> KeyPair:
    """An authority of its own, or one that another has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    above, signer = _loaded(issuer) if issuer else (subject, key)
    certificate = (
        _builder(subject, above, key.public_key(), AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if issuer else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def _loaded(issuer: KeyPair) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
    key = serialization.load_pem_private_key(issuer.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate(issuer.certificate).subject, key


def _make_leaf(
    issuer: KeyPair,
    common_name: str,
    *,
    organizations: Iterable[str] = (),
    dns: Iterable[str],
    addresses: Iterable[IPv4Address],
    lifetime: dt.timedelta = LEAF_LIFETIME,
    backdate: dt.timedelta = BACKDATE,
    extension: x509.UnrecognizedExtension | None = None,
) -> KeyPair:
    authority, authority_key = _loaded(issuer)
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organizations]
    subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    names = [*map(x509.DNSName, dns), *map(x509.IPAddress, addresses)]
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    builder = (
        _builder(subject, authority, key.public_key(), lifetime, backdate)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if extension:
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(authority_key, hashes.SHA256())
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def _asked_by(provisioner: str, key_id: str) -> x509.UnrecognizedExtension:
    """What step-ca writes into a certificate that a provisioner of the kind JWK (1) asked for: a DER sequence."""
    parts = b"\x02\x01\x01" + b"".join(bytes([4, len(t)]) + t for t in (provisioner.encode(), key_id.encode()))
    return x509.UnrecognizedExtension(_PROVISIONER, bytes([0x30, len(parts)]) + parts)


def _make_service_account_key() -> KeyPair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(public, _pem(key))
