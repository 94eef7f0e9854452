"""Files with certificates and keys: whose they are, what is in them. A key never leaves its node."""

from __future__ import annotations

import os
import pwd
import re
import ssl
import tempfile

from plumbline.remote.types import Json

_LARGEST = 1 << 18
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
# OpenSSH's form names its cipher after a head of 15 bytes: "none" where there is no password.
_ENCRYPTED = re.compile(r"ENCRYPTED|b3BlbnNzaC1rZXktdjEA(?!AAAABG5vbmU)")
_CERTIFICATE = "CERTIFICATE"


def state(path: str) -> Json:
    """Owner, mode, size and time of a file; `exists` alone where there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return {"exists": False}
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = str(found.st_uid)
    return {
        "exists": True,
        "owner": owner,
        "mode": found.st_mode & 0o7777,
        "size": found.st_size,
        "mtime": round(found.st_mtime, 3),
    }


def certificate(path: str) -> Json:
    """A certificate file: its state, its certificates (PEM, in their order), and its form.

    form: pem, empty, der, truncated (begun, and not ended), key (there is a private key in it), or rubbish.
    """
    found, blocks = _read(path)
    if not found["exists"]:
        return found
    text = found.pop("text")
    found["pem"] = [block for kind, block in blocks if kind == _CERTIFICATE]
    if any("PRIVATE KEY" in kind for kind, _ in blocks):
        found["form"] = "key"
    elif found["pem"] and text.count("-----BEGIN") == len(blocks):
        found["form"] = "pem"
    else:
        found["form"] = _form(text)
    return found


def key(path: str) -> Json:
    """A key file: its state and form (pem, empty, der, truncated, encrypted or rubbish), and nothing of what is in it."""
    found, blocks = _read(path)
    if not found["exists"]:
        return found
    text = found.pop("text")
    keys = [block for kind, block in blocks if "PRIVATE KEY" in kind]
    if keys:
        found["form"] = "encrypted" if _ENCRYPTED.search(keys[0]) else "pem"
    else:
        found["form"] = _form(text)
    return found


def matching(certificates: list[str], path: str) -> list[int]:
    """The places of those certificates that belong to the key in a file; none where it cannot be used."""
    found = []
    for place, pem in enumerate(certificates):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(pem)
            file.flush()
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file.name, path, _no_password)
            except (ssl.SSLError, OSError, ValueError):
                continue
            found.append(place)
    return found


def _no_password() -> str:
    return ""


def _read(path: str) -> tuple[Json, list[tuple[str, str]]]:
    found = state(path)
    if not found["exists"]:
        return found, []
    with open(path, "rb") as file:
        text = file.read(_LARGEST).decode("latin-1")
    return {**found, "text": text}, [(match[1], match[0]) for match in _BLOCK.finditer(text)]


def _form(text: str) -> str:
    if not text.strip():
        return "empty"
    if "-----BEGIN" in text:
        return "truncated"
    return "der" if text[0] == "\x30" else "rubbish"
