"""As whom load speaks to the API server: what a kubeconfig of its own says, in the words of the engine's settings."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from locustfiles.declared import Refused
from plumbline.collect.consul import AUTHORITY, CERTIFICATE
from plumbline.load.rights import CREDENTIAL

TOKEN = "kubernetes-token"
_WANTED = "one cluster and one user, all inline: kubectl config view --minify --flatten --raw"


def shown(kubeconfig: str) -> Mapping[str, str]:
    """Whom to trust, and the certificate with its key or the token to show. Refused where the text is something else."""
    try:
        document: dict[str, Any] = YAML(typ="safe", pure=True).load(kubeconfig)
        (cluster,), (user,) = document["clusters"], document["users"]
        told = {AUTHORITY: _text(cluster["cluster"]["certificate-authority-data"])}
        if "token" in user["user"]:
            return told | {TOKEN: str(user["user"]["token"])}
        pair = (user["user"][f"client-{part}-data"] for part in ("certificate", "key"))
        return told | {CERTIFICATE: "\n".join(map(_text, pair))}
    except (YAMLError, KeyError, TypeError, ValueError, binascii.Error):
        raise Refused(f"access.credentials.{CREDENTIAL} is no kubeconfig with {_WANTED}") from None


def headers(credentials: Mapping[str, str]) -> tuple[str, ...]:
    """What each request says of who asks; nothing where a certificate says it."""
    token = credentials.get(TOKEN)
    return (f"Authorization: Bearer {token}",) if token else ()


def _text(data: str) -> str:
    return base64.b64decode(data).decode("ascii")
