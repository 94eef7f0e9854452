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
from lab.workloads.settling import outstanding, replace_outdated, wait_settled
from plumbline.bed import load

LAB = Path(__file__).parents[2] / "inventories/lab.yaml"
Manifest = dict[str, Any]
RUNNING = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}


class Cluster(Client):
    """An API server of a dictionary; `appears` adds what controllers would make once something is applied."""

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
        self.order: list[str] = []
        self.appears: dict[str, list[Manifest]] = {}
        self.refuses: dict[str, list[ApiError]] = {}
        self.deleted: list[str] = []

    def get(self, path: str) -> Manifest | None:
        return self.objects.get(path)

    def items(self, path: str) -> list[Manifest]:
        kind = path.rpartition("/")[2]
        return [item for place, item in self.objects.items() if place.split("/")[-2] == kind]

    def delete(self, path: str) -> None:
        self.deleted.append(path)

    def apply(self, manifest: Manifest) -> Manifest:
        name = manifest["metadata"]["name"]
        if self.refuses.get(name):
            raise self.refuses[name].pop()
        self.order.append(f"{manifest['kind']}/{name}")
        for item in [manifest, *self.appears.get(name, [])]:
            self.objects[object_path(item)] = item
        return manifest


def _object(kind: str, name: str, api: str = "v1", **body: Any) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **body}


def _deployment(name: str, *, secret: str = "", network: str = "", replicas: int = 1, **body: Any) -> Manifest:
    volumes = [{"name": "tls", "secret": {"secretName": secret}}] if secret else []
    annotations = {"k8s.v1.cni.cncf.io/networks": network} if network else {}
    template = {"metadata": {"annotations": annotations, "labels": {"app": name}}, "spec": {"volumes": volumes}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return _object("Deployment", name, "apps/v1", spec=spec, **body)


def _soon() -> float:
    return time.monotonic() + 0.6


def test_namespaces_come_first_and_pods_last() -> None:
    cluster = Cluster()

    apply([_deployment("web"), _object("ConfigMap", "settings"), _object("Namespace", "shop")], cluster, _soon())

    assert cluster.order == ["Namespace/shop", "ConfigMap/settings", "Deployment/web"]


def test_a_pod_is_applied_when_its_certificate_has_been_issued() -> None:
    cluster = Cluster()
    certificate = _object("Certificate", "tls", "cert-manager.io/v1", spec={"secretName": "tls"})
    issued = {"conditions": [{"type": "Ready", "status": "True"}]}
    cluster.appears["signer"] = [certificate | {"status": issued}]

    apply([_deployment("web", secret="tls"), certificate, _deployment("signer")], cluster, _soon())

    assert cluster.order == ["Certificate/tls", "Deployment/signer", "Deployment/web"]


def test_a_pod_with_a_lease_waits_for_the_daemon_that_gets_it() -> None:
    cluster = Cluster()
    network = _object("NetworkAttachmentDefinition", "isp", "k8s.cni.cncf.io/v1")
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
    certificate = _object("Certificate", "tls", "cert-manager.io/v1", spec={"secretName": "tls"})

    with pytest.raises(LabError, match="Certificate shop/tls"):
        apply([_deployment("web", secret="tls"), certificate], cluster, _soon())


def test_a_server_that_is_still_starting_is_asked_again() -> None:
    cluster = Cluster()
    cluster.refuses["settings"] = [ApiError("starting", 503), ApiError("no answer"), ApiError("not served yet", 404)]

    apply([_object("ConfigMap", "settings")], cluster, time.monotonic() + 5)

    assert cluster.order == ["ConfigMap/settings"]


def test_an_object_that_is_refused_ends_it_at_once() -> None:
    cluster = Cluster()
    cluster.refuses["settings"] = [ApiError("ConfigMap settings: data: Invalid value", 422)]

    with pytest.raises(LabError, match="Invalid value"):
        apply([_object("ConfigMap", "settings")], cluster, time.monotonic() + 60)


def test_replicas_that_an_autoscaler_chose_are_kept() -> None:
    cluster = Cluster()
    scaler = _object("HorizontalPodAutoscaler", "web", "autoscaling/v2")
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
    pod = _object("Pod", "web-1")
    pod["metadata"] |= {"labels": {"app": "web"}, "ownerReferences": [{"name": "web-abc"}]}
    container = {
        "name": "caddy",
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 2}},
    }
    pod["status"] = {"phase": "Running", "containerStatuses": [container]}
    event = _object("Event", "e1", type="Warning", reason="FailedMount", message="no such secret")
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
        client.apply(_object("ConfigMap", "settings", data={"a": "b"}))
        with pytest.raises(ApiError, match="configmaps/bad: spec is invalid") as told:
            client.apply(_object("ConfigMap", "bad"))

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


def _canary(revision: int) -> Manifest:
    return _object("Certificate", "canary-tls", "cert-manager.io/v1", spec={"secretName": "canary-tls"}) | {
        "metadata": {"name": "canary-tls", "namespace": "web-agents"},
        "status": {"revision": revision},
    }


@pytest.fixture
def young() -> Cluster:
    """A lab whose pods have just become ready: the canary is not renewed, Prometheus has found nothing."""
    cluster = Cluster()
    cluster.apply(_canary(revision=1))
    return cluster


def _scraped(cluster: Cluster, **jobs: int) -> None:
    up = [{"labels": {"job": job}, "health": "up"} for job, count in jobs.items() for _ in range(count)]
    page = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/targets?state=active"
    cluster.objects[page] = {"data": {"activeTargets": up}}


def test_a_young_bed_has_not_settled(young: Cluster) -> None:
    left = list(outstanding(load(LAB), young))

    assert left == [
        "certificate canary not renewed yet",
        "Prometheus has 0 of 30 targets of caddy",
        "Prometheus has 0 of 1 targets of snmp",
    ]


def test_a_bed_has_settled_once_the_canary_is_renewed_and_all_is_scraped(young: Cluster) -> None:
    young.apply(_canary(revision=2))
    _scraped(young, caddy=30, snmp=1)

    wait_settled(load(LAB), young, time.monotonic())


def test_a_bed_that_does_not_settle_is_named(young: Cluster) -> None:
    young.apply(_canary(revision=2))
    _scraped(young, caddy=29, snmp=1)

    with pytest.raises(LabError, match="29 of 30 targets of caddy"):
        wait_settled(load(LAB), young, time.monotonic())


def _persona(cluster: Cluster, *, revision: int, written: str, created: str) -> None:
    """persona-1 with a certificate that was issued so often and written then, and a pod of that age."""
    fields = [{"time": written}]
    certificate = _in("persona-1", "Certificate", "persona-tls", "cert-manager.io/v1")
    cluster.apply(certificate | {"status": {"revision": revision}})
    cluster.apply(_in("persona-1", "Secret", "persona-tls", managedFields=fields))
    cluster.apply(_in("persona-1", "Pod", "persona-1-x", creationTimestamp=created))


def _in(namespace: str, kind: str, name: str, api: str = "v1", **metadata: Any) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace, **metadata}}


@pytest.mark.parametrize(
    ("revision", "created", "replaced"),
    [
        (2, "2026-01-01T00:00:01Z", ["persona-1"]),
        (2, "2026-01-01T00:00:03Z", []),
        (1, "2026-01-01T00:00:01Z", []),
    ],
    ids=["older than its certificate", "younger", "issued once"],
)
def test_a_pod_that_read_an_earlier_certificate_is_replaced(revision: int, created: str, replaced: list[str]) -> None:
    cluster = Cluster()
    _persona(cluster, revision=revision, written="2026-01-01T00:00:02Z", created=created)

    assert replace_outdated(load(LAB), cluster) == replaced
    assert cluster.deleted == [f"/api/v1/namespaces/persona-1/pods/{name}-x" for name in replaced]
