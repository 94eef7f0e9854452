"""What is shown to the servers of the control plane, and one request to them outside of the load."""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from locustfiles.declared import Refused
from locustfiles.origins import Origin, origins
from plumbline.bed import Bed
from plumbline.bed.model import Target
from plumbline.bed.throughput import CONSUL, KUBERNETES, VAULT
from plumbline.collect import consul_client as consul
from plumbline.collect import vault_client
from plumbline.collect.access import Access
from plumbline.collect.vault import NAME
from plumbline.load.rights import CREDENTIAL as LOAD

_ANSWER_S = 5.0
VAULT_TOKEN = "X-Vault-Token: "
_KUBECONFIG = "one cluster and one user, all inline: kubectl config view --minify --flatten --raw"


class NoAnswer(Exception):
    """Nothing that could be understood came from a server; why."""


@dataclass(frozen=True)
class Rights:
    """Whom to trust, the certificate and its key (PEM), and the header with a token; all empty where none is wanted."""

    authority: str = ""
    certificate: str = field(default="", repr=False)
    headers: tuple[str, ...] = field(default=(), repr=False)

    def ask(self, server: Origin, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status of the answer to one request, and what JSON is in it. NoAnswer where none came in 5 s."""
        context = ssl.create_default_context(cadata=self.authority or None)
        if self.certificate:
            vault_client.load(context, self.certificate, "")  # one text has both
        connection = http.client.HTTPSConnection(server.address, server.port, timeout=_ANSWER_S, context=context)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, dict(header.split(": ", 1) for header in self.headers))
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text.strip() else None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(f"{server.name}: {error}") from None
        finally:
            connection.close()


def rights(bed: Bed, target: Target) -> Rights:
    """What is shown to whom a target asks, by the gate's rights or load's own; Refused where there is nothing to show.

    BedUnreachable where a lab's addresses may be somebody else's.
    """
    if target.from_ is not None:
        return Rights()
    access = Access.of(bed)
    access.require_inside(bed)
    if target.to == CONSUL:
        return _of_consul(access)
    if target.to == KUBERNETES:
        if LOAD not in access.credentials:
            raise Refused(f"there is no kubeconfig for load: {access.without(LOAD)}")
        return of_kubeconfig(access.credentials[LOAD])
    return _of_vault(access, origins(bed, target)) if target.to == VAULT else Rights()


def _of_consul(access: Access) -> Rights:
    shown = access.credentials
    if consul.CREDENTIAL not in shown:
        raise Refused(f"there is no token for Consul: {access.without(consul.CREDENTIAL)}")
    return Rights(
        shown.get(consul.AUTHORITY, ""),
        shown.get(consul.CERTIFICATE, ""),
        (f"X-Consul-Token: {shown[consul.CREDENTIAL]}",),
    )


def _of_vault(access: Access, servers: list[Origin]) -> Rights:
    """A token of the gate's role, which lives longer than the run: plumbline.bed.asked sees to that."""
    try:
        shown = vault_client.Credentials.of(access.credentials[NAME])
    except KeyError:
        raise Refused(f"there are no credentials for Vault: {access.without(NAME)}") from None
    except ValueError as error:
        raise Refused(str(error)) from None
    nobody = Rights(shown.ca, f"{shown.certificate}\n{shown.key}\n")
    token = _token(nobody, servers, {"role_id": shown.role_id, "secret_id": shown.secret_id})
    return Rights(nobody.authority, nobody.certificate, (f"{VAULT_TOKEN}{token}",))


def _token(nobody: Rights, servers: list[Origin], login: dict[str, str]) -> str:
    """By way of the first server that answers."""
    said = "it has no server"
    for server in servers:
        try:
            status, told = nobody.ask(server, "POST", "/v1/auth/approle/login", login)
        except NoAnswer as error:
            said = str(error)
            continue
        if status == 200 and told:
            return str(told["auth"]["client_token"])
        said = f"{server.name}: status {status}"
    raise Refused(f"Vault does not let the gate in: {said}")


def of_kubeconfig(text: str, name: str = LOAD) -> Rights:
    """Whom to trust, and the certificate with its key or the token to show; `name` is the credential's.

    Refused where the text is something else.
    """
    try:
        document: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
        (cluster,), (user,) = document["clusters"], document["users"]
        authority = _decoded(cluster["cluster"]["certificate-authority-data"])
        if "token" in user["user"]:
            return Rights(authority, headers=(f"Authorization: Bearer {user['user']['token']}",))
        pair = (user["user"][f"client-{part}-data"] for part in ("certificate", "key"))
        return Rights(authority, "\n".join(map(_decoded, pair)))
    except (YAMLError, KeyError, TypeError, ValueError, binascii.Error):
        raise Refused(f"access.credentials.{name} is no kubeconfig with {_KUBECONFIG}") from None


def _decoded(data: str) -> str:
    return base64.b64decode(data).decode("ascii")
