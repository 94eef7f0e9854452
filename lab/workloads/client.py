"""The API of the lab's cluster, as little of it as the lab needs: one session, client certificates, server-side apply.

A lab's API server is only reached inside the lab's network namespaces: the sockets are made in the one that is named,
whatever namespace the caller is in.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml
from requests.adapters import HTTPAdapter
from urllib3 import HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPSConnection

from lab.errors import LabError

Manifest = dict[str, Any]

MANAGER = "plumbline-lab"
PARALLEL = 8
"""Requests side by side: more only queue before a server that shares two cores with its clients."""
_LIMIT = (5.0, 20.0)
_CLONE_NEWNET = 0x40000000
_CLUSTER_WIDE = {
    "APIService", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace", "Node",
    "PersistentVolume", "PriorityClass", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip
_libc = ctypes.CDLL(None, use_errno=True)


class ApiError(LabError):
    """What the API server said to a request that it did not grant."""

    def __init__(self, what: str, status: int = 0) -> None:
        super().__init__(what)
        self.status = status


class Client:
    """A session with the API server that a kubeconfig names. Its methods may be called from any thread."""

    def __init__(self, kubeconfig: Path, netns: Path | None = None) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server: str = cluster["server"]
        self._folder = tempfile.TemporaryDirectory(prefix="kube-", dir=kubeconfig.parent)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = self._file("ca.crt", cluster["certificate-authority-data"])
        self._session.cert = (
            self._file("client.crt", user["client-certificate-data"]),
            self._file("client.key", user["client-key-data"]),
        )
        self._session.mount("https://", _Adapter(netns))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._folder.cleanup()

    def get(self, path: str) -> Manifest | None:
        """The object at a path of the API, or None where there is none."""
        return self._call("GET", path, missing_ok=True)

    def items(self, path: str) -> list[Manifest]:
        """The objects of a list, as the API server has them in its cache."""
        found = self._call("GET", f"{path}?resourceVersion=0", missing_ok=True)
        return (found or {}).get("items") or []

    def by_name(self, api: str, kind: str) -> dict[tuple[str, str], Manifest]:
        """All objects of a kind by namespace and name."""
        items = self.items(list_path(api, kind))
        return {(item["metadata"].get("namespace", ""), item["metadata"]["name"]): item for item in items}

    def apply(self, manifest: Manifest) -> Manifest:
        """Make an object as the manifest says, creating it where it is missing (server-side apply)."""
        path = f"{object_path(manifest)}?fieldManager={MANAGER}&force=true"
        headers = {"Content-Type": "application/apply-patch+yaml"}
        applied = self._call("PATCH", path, data=json.dumps(manifest), headers=headers)
        assert applied is not None
        return applied

    def delete(self, path: str) -> None:
        """Remove the object at a path of the API; nothing there is no error."""
        self._call("DELETE", path, missing_ok=True)

    def _call(
        self,
        method: str,
        path: str,
        *,
        missing_ok: bool = False,
        data: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Manifest | None:
        try:
            answer = self._session.request(method, self.server + path, data=data, headers=headers, timeout=_LIMIT)
        except requests.RequestException as error:
            raise ApiError(f"the API server {self.server} does not answer: {error}") from error
        if answer.status_code == 404 and missing_ok:
            return None
        if not answer.ok:
            raise ApiError(f"{method} {path.partition('?')[0]}: {_message(answer)}", answer.status_code)
        found: Manifest = answer.json()
        return found

    def _file(self, name: str, data: str) -> str:
        path = Path(self._folder.name) / name  # the folder is made for its owner only
        path.write_bytes(base64.b64decode(data))
        path.chmod(0o600)
        return str(path)


def object_path(manifest: Manifest) -> str:
    """Path of an object in the API."""
    kind, metadata = manifest["kind"], manifest["metadata"]
    namespace = None if kind in _CLUSTER_WIDE else metadata["namespace"]
    return f"{list_path(manifest['apiVersion'], kind, namespace)}/{metadata['name']}"


def list_path(api: str, kind: str, namespace: str | None = None) -> str:
    """Path of all objects of a kind, in one namespace or in all.

    >>> list_path("apps/v1", "Deployment", "web-agents")
    '/apis/apps/v1/namespaces/web-agents/deployments'
    """
    root = f"/apis/{api}" if "/" in api else f"/api/{api}"
    plural = _plural(kind)
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def _plural(kind: str) -> str:
    if kind == "NetworkAttachmentDefinition":
        return "network-attachment-definitions"
    name = kind.lower()
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"


def _message(answer: requests.Response) -> str:
    try:
        return str(answer.json().get("message") or answer.reason)
    except ValueError:
        return f"{answer.status_code} {answer.text[:200]}"


@contextmanager
def _inside(netns: Path | None) -> Iterator[None]:
    """The calling thread, and no other, is in a network namespace while the block runs."""
    if netns is None:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(netns, os.O_RDONLY)
        try:
            _setns(there)
            try:
                yield
            finally:
                _setns(home)
        finally:
            os.close(there)
    finally:
        os.close(home)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


class _Adapter(HTTPAdapter):
    """Keeps connections open, and makes them inside a network namespace."""

    def __init__(self, netns: Path | None) -> None:
        self._netns = netns
        super().__init__(pool_maxsize=PARALLEL, max_retries=2)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        netns = self._netns

        class Connection(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                with _inside(netns):
                    return super()._new_conn()

        class Pool(HTTPSConnectionPool):
            ConnectionCls = Connection

        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=True, **options)
        self.poolmanager.pool_classes_by_scheme = {"https": Pool}
