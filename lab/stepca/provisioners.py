"""Provisioners of the certificate authority: who may ask it for what, each with a key that its password opens."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from lab.pki import KeyPair, Pki
from plumbline.bed.model import SshCertificates, StepCa

_ALGORITHM = "PBES2-HS256+A128KW"
_ROUNDS = 100_000
_NO_X509 = '{{ fail "it may ask for certificates of SSH alone" }}'


def user_provisioner(node: str) -> str:
    """The provisioner with which a node gets certificates of SSH for its own users, and nothing else."""
    return f"users-{node}"


def password(pki: Pki, name: str) -> bytes:
    """The password of a provisioner."""
    return _made(pki, name).key


def provisioners(pki: Pki, ca: StepCa, ssh: SshCertificates | None) -> list[dict[str, Any]]:
    """Those of a bed, as the authority's configuration has them."""
    found = [_jwk(pki, ca.provisioner) | {"claims": {"enableSSHCA": ssh is not None}}]
    if ssh is None:
        return found
    found.append({"type": "SSHPOP", "name": "sshpop", "claims": {"enableSSHCA": True}})
    for node in ssh.on:
        template = {
            "type": "user", "keyId": "{{ .KeyID }}", "extensions": {"permit-pty": ""},
            "principals": [name for user in ssh.users for name in principals(node, user)],
        }  # fmt: skip
        options = {"x509": {"template": _NO_X509}, "ssh": {"template": json.dumps(template)}}
        own = _jwk(pki, user_provisioner(node))
        found.append(own | {"claims": {"enableSSHCA": True}, "options": options})
    return found


def principals(node: str, user: str) -> tuple[str, ...]:
    """The names that a user's certificate of a node is good for (seed 001, fact 28)."""
    return (user, f"{node}-{user}")


def key_id(pki: Pki, name: str) -> str:
    """How a provisioner's key is called."""
    return str(json.loads(_made(pki, name).certificate)["key"]["kid"])


def _jwk(pki: Pki, name: str) -> dict[str, Any]:
    return {"type": "JWK", "name": name, **json.loads(_made(pki, name).certificate)}


def _made(pki: Pki, name: str) -> KeyPair:
    """In place of a certificate the public half and the encrypted private one, in place of a key its password."""
    return pki.kept(f"provisioner-{name}", _make)


def _make() -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.private_numbers()
    public = {
        "crv": "P-256",
        "kty": "EC",
        "x": _encoded(numbers.public_numbers.x.to_bytes(32, "big")),
        "y": _encoded(numbers.public_numbers.y.to_bytes(32, "big")),
    }
    thumbprint = hashlib.sha256(json.dumps(public, separators=(",", ":"), sort_keys=True).encode()).digest()
    public |= {"use": "sig", "alg": "ES256", "kid": _encoded(thumbprint)}
    opens = secrets.token_urlsafe(24).encode()
    private = {**public, "d": _encoded(numbers.private_value.to_bytes(32, "big"))}
    told = {"key": public, "encryptedKey": _encrypted(json.dumps(private).encode(), opens)}
    return KeyPair(json.dumps(told).encode(), opens)


def _encrypted(plain: bytes, opens: bytes) -> str:
    """A compact JWE (RFC 7516) whose content key is wrapped with a key of the password (RFC 7518, 4.8)."""
    salt, content_key, nonce = secrets.token_bytes(16), secrets.token_bytes(32), secrets.token_bytes(12)
    head = {
        "alg": _ALGORITHM, "enc": "A256GCM", "cty": "jwk+json", "p2c": _ROUNDS, "p2s": _encoded(salt),
    }  # fmt: skip
    kdf = PBKDF2HMAC(hashes.SHA256(), 16, _ALGORITHM.encode() + b"\0" + salt, _ROUNDS)
    wrapped = aes_key_wrap(kdf.derive(opens), content_key)
    shown = _encoded(json.dumps(head).encode())
    sealed = AESGCM(content_key).encrypt(nonce, plain, shown.encode())
    return ".".join([shown, *map(_encoded, (wrapped, nonce, sealed[:-16], sealed[-16:]))])


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
