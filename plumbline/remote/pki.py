"""What a node has of the certificate authority: the root, its program, certificates of services, what renews them."""

from __future__ import annotations

import os

from plumbline.remote import pem_files, renewers
from plumbline.remote.types import Json

_TEMPLATE = "cert-renewer"


def describe(request: Json) -> Json:
    """`request`: root, bundle, program (paths), certificates and elsewhere ({name: {certificate, key}}), renewers."""
    root = pem_files.certificate(request["root"])
    found = renewers.instances(_TEMPLATE)
    wanted = sorted({*found, *request["renewers"]})
    return {
        "root": root,
        "in_bundle": _in_bundle(root.get("pem", [])[:1], request["bundle"]),
        "program": os.access(request["program"], os.X_OK),
        "certificates": {name: _pair(paths) for name, paths in request["certificates"].items()},
        "elsewhere": sorted(n for n, paths in request["elsewhere"].items() if os.path.exists(paths["certificate"])),
        "instances": found,
        "renewers": {
            unit.removeprefix(f"{_TEMPLATE}@"): told
            for unit, told in renewers.describe([f"{_TEMPLATE}@{unit}" for unit in wanted]).items()
        },
    }


def _pair(paths: Json) -> Json:
    certificate, key = pem_files.certificate(paths["certificate"]), pem_files.key(paths["key"])
    matches = pem_files.matching(certificate.get("pem", []), paths["key"]) if key["exists"] else []
    return {"certificate": certificate, "key": key, "matches": matches}


def _in_bundle(root: list[str], path: str) -> bool:
    """Whether a trust store holds a certificate, however its lines are broken."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            store = "".join(file.read().split())
    except FileNotFoundError:
        return False
    return bool(root) and "".join(root[0].split()) in store
