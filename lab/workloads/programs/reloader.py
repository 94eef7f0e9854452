"""Restarts a workload when a ConfigMap or Secret that its annotation names changes.

The annotations are those of Stakater Reloader: `configmap.reloader.stakater.com/reload: "a,b"` and the same with
`secret`. A restart is a new annotation of the pod template, so Kubernetes replaces the pods as the workload's strategy
says. Only metadata is watched; what is in an object is read when it changed, kept as a digest and never told.
"""

import hashlib
import http.client
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WATCH, LIMIT = 300, 10.0
KINDS = ("deployments", "statefulsets", "daemonsets")
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
Place = tuple[str, str]
"""Namespace and name of a ConfigMap or Secret."""
Dependents = dict[Place, list[str]]
"""Paths of the workloads that are restarted for each of them."""
Known = dict[Place, tuple[str, str]]
"""The version of each object that was looked at last, and the digest of what was in it."""
_healthy: dict[str, bool] = {"configmap": False, "secret": False}


class MissingError(OSError):
    """The API server has no such object."""


def ask(
    method: str, path: str, body: dict[str, Any] | None = None, accept: str = "application/json", limit: float = LIMIT
) -> http.client.HTTPResponse:
    """An answer of the API server, not read yet. Raises OSError where it refuses."""
    connection = http.client.HTTPSConnection(
        "kubernetes.default.svc", timeout=limit, context=ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    )
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Accept": accept}
    if body is not None:
        headers["Content-Type"] = "application/strategic-merge-patch+json"
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    if answer.status >= 300:
        error = MissingError if answer.status == 404 else OSError
        raise error(f"{method} {path}: {answer.status} {answer.read(300).decode(errors='replace')}")
    return answer


def digest(kind: str, namespace: str, name: str) -> str:
    """A digest of what is in an object."""
    found = json.load(ask("GET", f"/api/v1/namespaces/{namespace}/{kind}s/{name}"))
    data = json.dumps([found.get("data"), found.get("binaryData")], sort_keys=True)
    return hashlib.sha256(data.encode()).hexdigest()


def dependents(kind: str) -> Dependents:
    """Paths of the workloads that are to be restarted, by namespace and name of what they depend on."""
    found: Dependents = {}
    for workloads in KINDS:
        listed = json.load(ask("GET", f"/apis/apps/v1/{workloads}", accept=_METADATA_LIST))
        for metadata in (item["metadata"] for item in listed["items"]):
            names = metadata.get("annotations", {}).get(f"{kind}.reloader.stakater.com/reload", "")
            for name in filter(None, (name.strip() for name in names.split(","))):
                path = f"/apis/apps/v1/namespaces/{metadata['namespace']}/{workloads}/{metadata['name']}"
                found.setdefault((metadata["namespace"], name), []).append(path)
    return found


def restart(path: str, why: str) -> None:
    """Have the pods of a workload replaced."""
    stamp = {"reloader.stakater.com/last-reloaded-from": f"{why} {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}"}
    ask("PATCH", path, {"spec": {"template": {"metadata": {"annotations": stamp}}}}).read()
    print(f"{path.rpartition('/')[2]} is restarted: {why} has changed", flush=True)


def follow(kind: str) -> None:
    """Watch all objects of a kind; what is known of them outlives a lost connection."""
    known: Known = {}
    while True:
        try:
            listed = json.load(ask("GET", f"/api/v1/{kind}s", accept=_METADATA_LIST))
            for item in listed["items"]:
                changed(kind, item["metadata"], known)
            _healthy[kind] = True
            version = listed["metadata"]["resourceVersion"]
            path = f"/api/v1/{kind}s?watch=1&resourceVersion={version}&timeoutSeconds={WATCH}"
            for line in ask("GET", path, accept=_METADATA, limit=WATCH + LIMIT):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    break
                if event["type"] in ("ADDED", "MODIFIED"):
                    changed(kind, event["object"]["metadata"], known)
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            _healthy[kind] = False
            print(f"{kind}s: {error}", flush=True)
            time.sleep(1)


def changed(kind: str, metadata: dict[str, Any], known: Known) -> None:
    """Restart what depends on an object, if what is in it is not what it was when it was last seen.

    Every object is noted, since its workload may come later. Who depends on it is asked after the change was seen: a
    workload that is not there by then reads what is new.
    """
    place, version = (metadata["namespace"], metadata["name"]), metadata["resourceVersion"]
    seen, before = known.get(place, ("", ""))
    if version == seen:
        return
    try:
        now = digest(kind, *place)
    except MissingError:  # such as a key that cert-manager keeps for a moment
        return
    if before not in ("", now):
        for path in dependents(kind).get(place, ()):
            restart(path, f"{kind} {metadata['name']}")
    known[place] = version, now


class Health(BaseHTTPRequestHandler):
    """GET anything: 200 while both watches stand."""

    def do_GET(self) -> None:
        self.send_response(200 if all(_healthy.values()) else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a health check is no event."""


if __name__ == "__main__":
    for watched in _healthy:
        threading.Thread(target=follow, args=(watched,), daemon=True).start()
    ThreadingHTTPServer(("0.0.0.0", 8080), Health).serve_forever()
