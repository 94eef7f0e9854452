"""Objects of Kubernetes cut down to what checks read; of a secret's values only digests, which compare within a run."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from plumbline import x509
from plumbline.bed.describe import SECRET_KEY

Object = dict[str, Any]
_METADATA = {"name", "namespace", "uid", "labels", "annotations", "creationTimestamp", "deletionTimestamp"}
_POD_SPEC = {"nodeName", "nodeSelector", "affinity", "hostNetwork", "volumes", "serviceAccountName", "tolerations"}
_CONTAINER = ("name", "image", "ports", "volumeMounts", "resources", "envFrom", "command", "args")
_NEVER = re.compile(r"PRIVATE KEY|://[^/\s:@]*:[^/\s@]+@")
_PLACEHOLDER = re.compile(
    r"<[^<>]+>|\$\{?\w+\}?|(?i:change[-_ ]?me|place[-_ ]?holder|replace[-_ ]?me|to[-_ ]?do|x{3,}|your[-_ ].+)"
)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


def salt() -> bytes:
    """A key for the digests of one run; it is kept nowhere."""
    return os.urandom(32)


def of_list(kind: str) -> Callable[[Any], list[Object]]:
    """The function that trims a list of this kind."""
    shape = {"pods": pod, "nodes": node, "certificaterequests": request}.get(kind, anything)
    return lambda data: [shape(item) for item in data["items"]]


def anything(item: Object) -> Object:
    """Metadata, spec and status, without what only controllers read."""
    kept = {key: value for key, value in item.items() if key not in ("metadata", "apiVersion", "kind")}
    template = kept.get("spec", {}).get("template") if isinstance(kept.get("spec"), dict) else None
    if template and "spec" in template:
        kept["spec"] = {
            **kept["spec"],
            "template": {"metadata": template.get("metadata"), "spec": _pod_spec(template["spec"])},
        }
    return {"metadata": _metadata(item), **kept}


def pod(item: Object) -> Object:
    """A pod without its probes and the values of suspicious variables."""
    return {"metadata": _metadata(item), "spec": _pod_spec(item["spec"]), "status": item.get("status", {})}


def node(item: Object) -> Object:
    """A node without its list of images."""
    status = {key: value for key, value in item.get("status", {}).items() if key not in ("images",)}
    return {"metadata": _metadata(item), "spec": item.get("spec", {}), "status": status}


def request(item: Object) -> Object:
    """A certificate request: whose, and what came of it."""
    return {"metadata": _metadata(item), "status": {"conditions": item.get("status", {}).get("conditions", [])}}


def _metadata(item: Object) -> Object:
    kept = {key: value for key, value in item["metadata"].items() if key in _METADATA}
    kept["annotations"] = {
        key: value
        for key, value in kept.get("annotations", {}).items()
        if not key.endswith("last-applied-configuration")
    }
    return kept


def _pod_spec(spec: Object) -> Object:
    kept = {key: value for key, value in spec.items() if key in _POD_SPEC}
    for group in ("containers", "initContainers"):
        if group in spec:
            kept[group] = [_container(c) for c in spec[group]]
    return kept


def _container(container: Object) -> Object:
    kept = {key: value for key, value in container.items() if key in _CONTAINER}
    for key in ("command", "args"):
        if key in kept:
            kept[key] = [word if not _NEVER.search(word) else "▒▒▒" for word in kept[key]]
    kept["env"] = [_variable(v) for v in container.get("env", ())]
    return kept


def _variable(variable: Object) -> Object:
    value = variable.get("value")
    if value is not None and (SECRET_KEY.search(variable["name"]) or _NEVER.search(value)):
        return {"name": variable["name"], "value": "▒▒▒"}
    return variable


def secret(item: Object, key: bytes, wanted: Mapping[str, str], private: dict[str, str]) -> Object:
    """Keys, digests and certificates of a secret. A `wanted` value, by secret/key, goes to `private` under its name."""
    name, digests, certificates, empty = item["metadata"]["name"], {}, {}, []
    placeholders = []
    values = {k: _decoded(v) for k, v in (item.get("data") or {}).items()}
    for entry, value in values.items():
        digests[entry] = _digest(value, key)
        if not value.strip():
            empty.append(entry)
        if _is_placeholder(value):
            placeholders.append(entry)
        if password := _password(value):
            digests[f"{entry}#password"] = _digest(password, key)
        if pem := "".join(_CERTIFICATE.findall(value.decode("ascii", "replace"))):
            certificates[entry] = pem
        if (called := wanted.get(f"{name}/{entry}")) is not None:
            private[called] = value.decode("utf-8", "replace").strip()
    matches = None
    if "tls.crt" in certificates and values.get("tls.key"):
        try:
            matches = x509.matches_key(x509.one(certificates["tls.crt"]), values["tls.key"])
        except ValueError:
            matches = False
    return {
        "metadata": _metadata(item), "type": item.get("type"), "keys": sorted(values), "empty": empty,
        "digests": digests, "certificates": certificates, "key_matches": matches,
        "placeholders": placeholders,
    }  # fmt: skip


def configmap(item: Object) -> Object:
    """A configmap with its texts, which are public by their nature."""
    return {"metadata": _metadata(item), "data": item.get("data") or {}}


def _is_placeholder(value: bytes) -> bool:
    """Whether a value, or the password in it, is what a guide writes where a secret is to be put in."""
    text = value.decode("utf-8", "replace").strip()
    password = _password(value).decode("utf-8", "replace")
    parts = (text, password, text.partition(":")[2])
    return any(_PLACEHOLDER.fullmatch(part) for part in parts if part)


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except (binascii.Error, ValueError):
        return b""


def _digest(value: bytes, key: bytes) -> str:
    return hashlib.blake2b(value, key=key, digest_size=16).hexdigest()


def _password(value: bytes) -> bytes:
    """The password of a value that is a URL."""
    try:
        found = urlsplit(value.decode().strip()).password if b"://" in value[:32] else None
    except ValueError:
        return b""
    return unquote(found).encode() if found else b""
