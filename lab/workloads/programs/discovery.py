"""Tells Prometheus which pods there are, as its HTTP discovery wants it: GET /<metrics> lists those that show them.

A pod shows metrics when it is annotated so; the port is its container port of the name `metrics`.
"""

import http.client
import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
ANNOTATION, LABEL = "plumbline.lab/metrics", "app.kubernetes.io/name"


def pods() -> list[dict[str, Any]]:
    """All pods. Raises OSError where the API server refuses."""
    connection = http.client.HTTPSConnection(
        "kubernetes.default.svc", timeout=8, context=ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    )
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"}
    connection.request("GET", "/api/v1/pods?resourceVersion=0", headers=headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise OSError(f"the API server says {answer.status}")
    items: list[dict[str, Any]] = json.load(answer)["items"]
    return items


def targets(kind: str) -> list[dict[str, Any]]:
    """The targets of one kind of metrics; a pod that has ended, or has no address yet, is none."""
    found = []
    for pod in pods():
        metadata, address = pod["metadata"], pod["status"].get("podIP")
        if metadata.get("annotations", {}).get(ANNOTATION) != kind or not address:
            continue
        if pod["status"].get("phase") in ("Succeeded", "Failed"):
            continue
        named = [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]
        ports = [port["containerPort"] for port in named if port.get("name") == "metrics"]
        labels = {
            "__meta_kubernetes_namespace": metadata["namespace"],
            "__meta_kubernetes_pod_name": metadata["name"],
            "__meta_kubernetes_pod_label_app_kubernetes_io_name": metadata.get("labels", {}).get(LABEL, ""),
        }
        found += [{"targets": [f"{address}:{port}"], "labels": labels} for port in ports]
    return found


class Discovery(BaseHTTPRequestHandler):
    """GET /<metrics>; 503 while the API server does not answer, upon which Prometheus keeps what it knows."""

    def do_GET(self) -> None:
        try:
            status, data = 200, json.dumps(targets(self.path.strip("/"))).encode()
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            status, data = 503, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it is asked several times a minute."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8099), Discovery).serve_forever()
