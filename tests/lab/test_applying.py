"""Applying and waiting: the order, the errors, and the client against a real TLS server."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.errors import LabError
from lab.pki import Pki
from lab.workloads import apply, wait_ready
from lab.workloads.client import ApiError, Client, list_path, object_path
from tests.lab.cluster import RUNNING, Cluster, Manifest, object_of


def _deployment(name: str, *, secret: str = "", network: str = "", replicas: int = 1, **body: Any) -> Manifest:
    volumes = [{"name": "tls", "secret": {"secretName": secret}}] if secret else []
    annotations = {"k8s.v1.cni.cncf.io/networks": network} if network else {}
    template = {"metadata": {"annotations": annotations, "labels": {"app": name}}, "spec": {"volumes": volumes}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return object_of("Deployment", name, "apps/v1", spec=spec, **body)


def _soon() -> float:
    return time.monotonic() + 0.6


def test_namespaces_come_first_and_pods_last() -> None:
    cluster = Cluster()

    apply([_deployment("web"), object_of("ConfigMap", "settings"), object_of("Namespace", "shop")], cluster, _soon())

    assert cluster.order == ["Namespace/shop", "ConfigMap/settings", "Deployment/web"]


def test_a_pod_is_applied_when_its_certificate_has_been_issued() -> None:
    cluster = Cluster()
    certificate = object_of("Certificate", "tls", "cert-manager.io/v1", spec={"secretName": "tls"})
    issued = {"conditions": [{"type": "Ready", "status": "True"}]}
    cluster.appears["signer"] = [certificate | {"status": issued}]

    apply([_deployment("web", secret="tls"), certificate, _deployment("signer")], cluster, _soon())

    assert cluster.order == ["Certificate/tls", "Deployment/signer", "Deployment/web"]


def test_a_pod_with_a_lease_waits_for_the_daemon_that_gets_it() -> None:
    cluster = Cluster()
    network = object_of("NetworkAttachmentDefinition", "isp", "k8s.cni.cncf.io/v1")
    network["spec"] = {"config": json.dumps({"type": "macvlan", "ipam": {"type": "dhcp"}})}
    daemon = _deployment("dhcp") | {"kind": "DaemonSet"}
    daemon["metadata"]["annotations"] = {"plumbline.lab/provides": "dhcp"}
    daemon["status"] = {
        "observedGeneration": 1, "desiredNumberScheduled": 2, "numberReady": 2, "updatedNumberScheduled": 2,
    }  # fmt: skip

    apply([_deployment("cloner", network="isp"), network, daemon], cluster, _soon())

    assert cluster.order[-2:] == ["DaemonSet/dhcp", "Deployment/cloner"]


def test_what_did_not_come_in_time_is_named() -> None:
    cluster = Cluster()
    certificate = object_of("Certificate", "tls", "cert-manager.io/v1", spec={"secretName": "tls"})

    with pytest.raises(LabError, match="Certificate shop/tls"):
        apply([_deployment("web", secret="tls"), certificate], cluster, _soon())


def test_a_server_that_is_still_starting_is_asked_again() -> None:
    cluster = Cluster()
    cluster.refuses["settings"] = [ApiError("starting", 503), ApiError("no answer"), ApiError("not served yet", 404)]

    apply([object_of("ConfigMap", "settings")], cluster, time.monotonic() + 5)

    assert cluster.order == ["ConfigMap/settings"]


def test_an_object_that_is_refused_ends_it_at_once() -> None:
    cluster = Cluster()
    cluster.refuses["settings"] = [ApiError("ConfigMap settings: data: Invalid value", 422)]

    with pytest.raises(LabError, match="Invalid value"):
        apply([object_of("ConfigMap", "settings")], cluster, time.monotonic() + 60)


def test_replicas_that_an_autoscaler_chose_are_kept() -> None:
    cluster = Cluster()
    scaler = object_of("HorizontalPodAutoscaler", "web", "autoscaling/v2")
    scaler["spec"] = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}
    grown = _deployment("web", replicas=7)
    cluster.objects[object_path(grown)] = grown

    apply([_deployment("web", replicas=3), scaler], cluster, _soon())

    assert cluster.objects[object_path(grown)]["spec"]["replicas"] == 7


def test_waiting_ends_when_all_is_ready_and_says_what_is_missing_meanwhile() -> None:
    cluster, said = Cluster(), []
    web, late = _deployment("web", status=RUNNING), _deployment("late")
    cluster.objects |= {object_path(item): item for item in (web, late)}

    def progress(text: str) -> None:
        said.append(text)
        cluster.objects[object_path(late)] = late | {"status": RUNNING}

    wait_ready([web, late], cluster, time.monotonic() + 5, progress)

    assert said == ["1 of 2 ready; missing late", "2 of 2 ready"]


def test_a_failure_says_why_in_the_words_of_pods_and_events() -> None:
    cluster = Cluster()
    web = _deployment("web")
    pod = object_of("Pod", "web-1")
    pod["metadata"] |= {"labels": {"app": "web"}, "ownerReferences": [{"name": "web-abc"}]}
    container = {
        "name": "caddy",
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 2}},
    }
    pod["status"] = {"phase": "Running", "containerStatuses": [container]}
    event = object_of("Event", "e1", type="Warning", reason="FailedMount", message="no such secret")
    event["involvedObject"] = {"name": "web-1", "namespace": "shop"}
    cluster.objects |= {object_path(item): item for item in (web, pod, event)}

    with pytest.raises(LabError) as told:
        wait_ready([web], cluster, _soon())
    assert "Deployment shop/web" in told.value.what
    assert "caddy: waiting: CrashLoopBackOff (exit code 2, 3 restarts)" in told.value.what
    assert "FailedMount: no such secret" in told.value.what


@pytest.mark.parametrize(
    ("api", "kind", "path"),
    [
        ("v1", "Pod", "/api/v1/pods"),
        ("networking.k8s.io/v1", "NetworkPolicy", "/apis/networking.k8s.io/v1/networkpolicies"),
        (
            "k8s.cni.cncf.io/v1",
            "NetworkAttachmentDefinition",
            "/apis/k8s.cni.cncf.io/v1/network-attachment-definitions",
        ),
        ("storage.k8s.io/v1", "StorageClass", "/apis/storage.k8s.io/v1/storageclasses"),
    ],
)
def test_paths_of_the_api(api: str, kind: str, path: str) -> None:
    assert list_path(api, kind) == path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, list[tuple[str, str, str]]]]:
    """A TLS server that wants a client certificate; a kubeconfig for it, and what it was asked."""
    pki, asked = Pki(tmp_path / "pki"), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PATCH(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers["Content-Type"], body.decode()))
            status = 422 if "bad" in self.path else 200
            answer = json.dumps({"message": "spec is invalid"} if status == 422 else {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    serving = pki.leaf("kubernetes-ca", "api", "api", addresses=[IPv4Address("127.0.0.1")])
    user = pki.leaf("kubernetes-ca", "user", "admin")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.folder / "api.crt", pki.folder / "api.key")
    context.load_verify_locations(pki.folder / "kubernetes-ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    threading.Thread(target=listening.serve_forever, daemon=True).start()

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    assert serving.key
    cluster = {
        "server": f"https://127.0.0.1:{listening.server_address[1]}",
        "certificate-authority-data": text(pki.authority("kubernetes-ca").certificate),
    }
    access = {"client-certificate-data": text(user.certificate), "client-key-data": text(user.key)}
    config = tmp_path / "kubeconfig"
    config.write_text(yaml.safe_dump({"clusters": [{"cluster": cluster}], "users": [{"user": access}]}))
    yield config, asked
    listening.shutdown()
    listening.server_close()


def test_the_client_applies_on_the_server_side(server: tuple[Path, list[tuple[str, str, str]]]) -> None:
    config, asked = server

    with Client(config) as client:
        client.apply(object_of("ConfigMap", "settings", data={"a": "b"}))
        with pytest.raises(ApiError, match="configmaps/bad: spec is invalid") as told:
            client.apply(object_of("ConfigMap", "bad"))

    assert told.value.status == 422
    path, content, body = asked[0]
    assert path == "/api/v1/namespaces/shop/configmaps/settings?fieldManager=plumbline-lab&force=true"
    assert content == "application/apply-patch+yaml"
    assert json.loads(body)["data"] == {"a": "b"}
    assert not list(config.parent.glob("kube-*")), "the client's key stays behind"


def test_a_server_that_is_away_is_named(server: tuple[Path, list[tuple[str, str, str]]]) -> None:
    config, _ = server
    config.write_text(elsewhere(config.read_text()))

    with Client(config) as client, pytest.raises(ApiError, match=r"https://127\.0\.0\.1:1 does not answer"):
        client.get("/api/v1/pods")


def elsewhere(text: str) -> str:
    """The kubeconfig with a port that nobody listens on."""
    config = yaml.safe_load(text)
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    return yaml.safe_dump(config)
