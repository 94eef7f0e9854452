"""What the API server says: lists, trimmed to what checks need, and the secrets and configmaps that the bed names."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from plumbline import x509
from plumbline.bed import Bed
from plumbline.collect import rights, trim
from plumbline.collect.access import Access
from plumbline.collect.kubeconfig import THREADS, Server, connect
from plumbline.facts.source import Outcome, Source

LISTS = {
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "namespaces": "/api/v1/namespaces",
    "services": "/api/v1/services",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
    "persistentvolumes": "/api/v1/persistentvolumes",
    "persistentvolumeclaims": "/api/v1/persistentvolumeclaims",
    "deployments": "/apis/apps/v1/deployments",
    "statefulsets": "/apis/apps/v1/statefulsets",
    "daemonsets": "/apis/apps/v1/daemonsets",
    "horizontalpodautoscalers": "/apis/autoscaling/v2/horizontalpodautoscalers",
    "networkpolicies": "/apis/networking.k8s.io/v1/networkpolicies",
    "clusterissuers": "/apis/cert-manager.io/v1/clusterissuers",
    "certificates": "/apis/cert-manager.io/v1/certificates",
    "certificaterequests": "/apis/cert-manager.io/v1/certificaterequests",
    "networkattachmentdefinitions": "/apis/k8s.cni.cncf.io/v1/network-attachment-definitions",
    "nodemetrics": "/apis/metrics.k8s.io/v1beta1/nodes",
}
_AGGREGATED, _NOBODY = ("nodemetrics",), (404, 503)
"""What somebody else answers by way of the API server, and its words for that nobody does: there are none of these."""
CLUSTER_CA = ("kube-system", "kube-root-ca.crt")
"""Kubernetes publishes the authority of its API server in every namespace under this name (key ca.crt)."""
ADMINISTRATOR = "ADMIN_BASIC_AUTH"
"""The key under which a dashboard's secret holds name:password (seed 000, chapter 5.5)."""
DATABASE_USER = "POSTGRES_USER"
"""The key under which a database's secret holds the name of its owner (seed 000, chapter 5.4)."""
_READY = "/readyz"
_SELF_CHECKS = (b"[+]", b"[-]")
_AGENT = "plumbline"
_CONNECT_S = 2.0
_READ_S = 5.0


class _Refused(Exception):
    """An answer that is not the object that was asked for: HTTP status and the reason that was given."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


Get = Callable[..., Any]


def collect(bed: Bed, access: Access, private: dict[str, str], salt: bytes = b"", patience: float = 1.0) -> Source:
    """All of it, side by side over one client. Values that probes need, such as a community, go to `private` alone.

    `salt` is the key of the digests, where others of this run must be able to compare theirs; `patience` is how many
    times longer than usual an answer may take.
    """
    started = time.monotonic()

    def failed(outcome: Outcome, error: str) -> Source:
        return Source(outcome, error, time.monotonic() - started)

    try:
        server = connect(access, access.kubeconfig, _AGENT)
    except Exception as error:  # whatever a kubeconfig can be wrong in, it is one finding
        where = access.kubeconfig or "the default kubeconfig"
        return failed("unusable", f"{where} cannot be used: {type(error).__name__}: {_short(error)}")
    from urllib3.exceptions import HTTPError

    try:
        get = _getter(server, patience)
        version = get("/version")
        facts = _gather(bed, get, private, salt or trim.salt())
    except _Refused as error:
        return failed("refused", f"the API server says {error}{_expired(access.kubeconfig, error.status)}")
    except HTTPError as error:
        return failed(*_network(error))
    except ValueError as error:
        return failed("rubbish", f"the API server's answer is no JSON: {_short(error)}")
    finally:
        server.pool.clear()
    facts["version"] = version.get("gitVersion")
    return Source("ok", None, time.monotonic() - started, facts)


def object_at(access: Access, path: str) -> Any:
    """One object; None where there is none, or where nobody can tell: that is for the checks to say."""
    from urllib3.exceptions import HTTPError

    try:
        server = connect(access, access.kubeconfig, _AGENT)
    except Exception:  # what a kubeconfig is wrong in is told by `collect`
        return None
    try:
        return _getter(server)(path)
    except (_Refused, HTTPError, ValueError):
        return None
    finally:
        server.pool.clear()


def _getter(server: Server, patience: float = 1.0) -> Get:
    def get(path: str, body: Any = None) -> Any:
        asked = {"headers": server.headers, "timeout": _timeout(patience), "retries": False, "redirect": False}
        if body is None:
            answer = server.pool.request("GET", f"{server.host}{path}", **asked)
        else:
            answer = server.pool.request("POST", f"{server.host}{path}", json=body, **asked)
        if path.startswith(_READY) and answer.data.startswith(_SELF_CHECKS):
            return answer.data.decode("utf-8", "replace")  # told with 500 where one of them fails
        if answer.status not in (200, 201):
            raise _Refused(answer.status, _reason(answer.data))
        return json.loads(answer.data)

    return get


def _timeout(patience: float) -> Any:
    from urllib3 import Timeout

    return Timeout(connect=patience * _CONNECT_S, read=patience * _READ_S)


def _gather(bed: Bed, get: Get, private: dict[str, str], salt: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {"errors": {}}
    jobs: dict[tuple[str, str], tuple[str, Callable[[Any], Any]]] = {
        (kind, ""): (path, trim.of_list(kind)) for kind, path in LISTS.items()
    }
    wanted = wanted_values(bed)
    for namespace, name in named_secrets(bed):
        key = f"{namespace}/{name}"
        jobs["secrets", key] = (
            f"/api/v1/namespaces/{namespace}/secrets/{name}",
            partial(trim.secret, key=salt, wanted=wanted, private=private),
        )
    for namespace, name in named_configmaps(bed):
        jobs["configmaps", f"{namespace}/{name}"] = (
            f"/api/v1/namespaces/{namespace}/configmaps/{name}",
            trim.configmap,
        )
    jobs["readyz", ""] = (f"{_READY}?verbose", lambda text: text.splitlines())
    jobs["rights", ""] = (rights.REVIEWS, lambda found: found)

    def do(job: tuple[str, str]) -> tuple[tuple[str, str], Any, str]:
        path, shape = jobs[job]
        try:
            if path == rights.REVIEWS:
                return job, rights.ask(bed, get), ""
            return job, shape(get(path)), ""
        except _Refused as error:
            if job[0] in _AGGREGATED and error.status in _NOBODY:
                return job, shape({"items": []}), ""
            return job, None, str(error)

    with ThreadPoolExecutor(THREADS) as pool:
        for (kind, name), value, error in pool.map(do, jobs):
            if error:
                facts["errors"][f"{kind} {name}".strip()] = error
            elif name:
                facts.setdefault(kind, {})[name] = value
            else:
                facts[kind] = value
    return facts


def wanted_values(bed: Bed) -> dict[str, str]:
    """Values without which a probe cannot ask its question: what it is called among those, by secret/KEY."""
    found = {bed.ngfw.snmp.community: "community"} if bed.ngfw and bed.ngfw.snmp else {}
    for workload in bed.workloads.values():
        if workload.program == "dashboard":
            found |= {f"{s}/{ADMINISTRATOR}": "administrator" for s in workload.secrets}
        if workload.program == "postgres":
            found |= {f"{s}/{DATABASE_USER}": "database_user" for s in workload.secrets}
    return found


def named_secrets(bed: Bed) -> list[tuple[str, str]]:
    """Namespace and name of every secret that the bed file mentions."""
    found = {(secret.namespace, name) for name, secret in bed.secrets.items()}
    found |= {(c.secret.namespace, c.secret.name) for c in bed.certificates.values()}
    for authority in bed.authorities.values():
        found |= {(r.namespace, r.name) for r in (authority.secret, authority.bundle.secret) if r}
    return sorted(found)


def named_configmaps(bed: Bed) -> list[tuple[str, str]]:
    """Namespace and name of every configmap that the bed file mentions, and of the cluster's own authority."""
    bundles = {a.bundle.configmap for a in bed.authorities.values() if a.bundle.configmap}
    return sorted({*((b.namespace, b.name) for b in bundles), CLUSTER_CA})


def _reason(data: bytes) -> str:
    try:
        return str(json.loads(data).get("message", ""))[:200]
    except (ValueError, AttributeError):
        return data[:100].decode("utf-8", "replace")


def _network(error: Exception) -> tuple[Outcome, str]:
    text = _short(error)
    lower = text.lower()
    if "timed out" in lower or "timeout" in type(error).__name__.lower():
        return "timeout", f"the API server does not answer: {text}"
    if "refused" in lower:
        return "refused", f"the API server's port is closed: {text}"
    if "certificate_verify" in lower or "certificate verify" in lower:
        return "refused", f"the API server is not the one that the kubeconfig trusts: {text}"
    if "wrong_version" in lower or "badstatusline" in lower or "protocol" in lower or "record layer" in lower:
        return "rubbish", f"what answers is no API server: {text}"
    return "unreachable", f"the API server cannot be reached: {text}"


def _expired(kubeconfig: Path | None, status: int) -> str:
    """What is wrong with the credentials, where that can be seen from here."""
    if status != 401 or kubeconfig is None:
        return ""
    try:
        users = YAML(typ="safe", pure=True).load(kubeconfig)["users"]
        data = users[0]["user"].get("client-certificate-data")
        file = users[0]["user"].get("client-certificate")
        pem = base64.b64decode(data).decode() if data else Path(file).read_text(encoding="ascii")
        certificate = x509.one(pem)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return f"; {kubeconfig}: the credentials are not accepted"
    if certificate.left().total_seconds() < 0:
        return f"; {kubeconfig}: its certificate expired {certificate.ends:%Y-%m-%d %H:%M} UTC"
    return f"; {kubeconfig}: its certificate is not accepted"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[-240:]
