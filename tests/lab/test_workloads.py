"""What is applied to the lab's Kubernetes: pure functions of the bed file, for the lab's bed and for another one."""

from __future__ import annotations

import base64
import json
import re
import stat
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import images, programs, workloads
from lab.errors import LabError
from lab.pki import Pki
from lab.workloads.objects import duration
from lab.workloads.rendering import Material, render
from plumbline.bed import Bed, load

ROOT = Path(__file__).parents[2]
BEDS = {"lab": ROOT / "inventories/lab.yaml", "shop": Path(__file__).parent / "beds/shop.yaml"}
CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet")
Manifest = dict[str, Any]


class Applied:
    """A bed with the objects that are made of it."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self.bed, self.folder = bed, folder
        self.pki = Pki(folder / "pki")
        self.secrets = workloads.values(bed, folder)
        self.objects = workloads.manifests(bed, self.pki, workloads.material(bed, self.pki, self.secrets))

    def of(self, kind: str) -> Iterator[Manifest]:
        return (item for item in self.objects if item["kind"] == kind)

    def get(self, kind: str, name: str) -> Manifest:
        return next(item for item in self.of(kind) if item["metadata"]["name"] == name)

    def controllers(self) -> Iterator[Manifest]:
        return (item for item in self.objects if item["kind"] in CONTROLLERS)


@pytest.fixture(scope="module", params=BEDS)
def applied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Applied:
    return Applied(load(BEDS[request.param]), tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Applied:
    return Applied(load(BEDS["shop"]), tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Applied:
    return Applied(load(BEDS["lab"]), tmp_path_factory.mktemp("lab"))


def _identity(item: Manifest) -> tuple[str, str, str]:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _spec(controller: Manifest) -> Manifest:
    spec: Manifest = controller["spec"]["template"]["spec"]
    return spec


def test_no_object_is_declared_twice(applied: Applied) -> None:
    assert [name for name, times in Counter(map(_identity, applied.objects)).items() if times > 1] == []


def test_the_same_bed_gives_the_same_objects(applied: Applied) -> None:
    again = workloads.material(applied.bed, applied.pki, workloads.values(applied.bed, applied.folder))

    assert workloads.manifests(applied.bed, applied.pki, again) == applied.objects


def test_every_workload_has_its_controller_as_declared(applied: Applied) -> None:
    for name, workload in applied.bed.workloads.items():
        controller = applied.get(workload.kind, name)
        assert controller["metadata"]["namespace"] == workload.namespace
        assert _spec(controller).get("nodeSelector", {}) == workload.on
        assert controller["spec"].get("replicas", workload.replicas) == workload.replicas
        assert controller["spec"]["selector"]["matchLabels"] == workload.labels(name)
        pods = controller["spec"]["template"]["metadata"]
        assert workload.labels(name).items() <= pods["labels"].items()
        assert pods["annotations"].get("k8s.v1.cni.cncf.io/networks") == workload.attach


def test_what_pods_refer_to_is_applied_with_them(applied: Applied) -> None:
    there = set(map(_identity, applied.objects))
    there |= {("Secret", c["metadata"]["namespace"], c["spec"]["secretName"]) for c in applied.of("Certificate")}
    for controller in applied.controllers():
        namespace, spec = controller["metadata"]["namespace"], _spec(controller)
        for volume in spec.get("volumes", []):
            for key, kind, name in (
                ("configMap", "ConfigMap", "name"),
                ("secret", "Secret", "secretName"),
                ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
            ):
                if key in volume:
                    assert (kind, namespace, volume[key][name]) in there
        for container in spec["containers"]:
            mounted = {volume["name"] for volume in spec.get("volumes", [])}
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= mounted
            for source in container.get("envFrom", []):
                assert ("Secret", namespace, source["secretRef"]["name"]) in there
        if account := spec.get("serviceAccountName"):
            assert ("ServiceAccount", namespace, account) in there


def test_no_image_is_pulled_and_every_image_can_be_made(applied: Applied) -> None:
    used = {c["image"] for item in applied.controllers() for c in _spec(item)["containers"]}

    assert used <= {recipe.reference for recipe in images.RECIPES.values()}
    if applied.bed.load and applied.bed.load.image:  # of workers, which a load run makes
        used.add(applied.bed.load.image)
    assert {image.partition("/")[2].partition(":")[0] for image in used} | {"pause"} == workloads.images(applied.bed)
    assert {c["imagePullPolicy"] for item in applied.controllers() for c in _spec(item)["containers"]} == {"Never"}


def test_another_bed_has_nothing_of_the_labs(shop: Applied) -> None:
    text = yaml.safe_dump_all(shop.objects)

    assert not re.search(r"web-agents|persona-\d|10\.1\.|172\.16|eth1\.20|cluster\.local|persona\.internal|ucs-", text)


def test_an_unknown_program_is_named_with_those_that_there_are(shop: Applied) -> None:
    buyer = shop.bed.workloads["buyer"].model_copy(update={"program": "web-agnet"})
    bed = shop.bed.model_copy(update={"workloads": {"buyer": buyer}})

    with pytest.raises(LabError, match="web-agnet") as told:
        render(bed, "buyer", Material())
    assert "web-agent" in told.value.remedy


def test_attachments_are_macvlan_on_the_vlan_of_their_network(shop: Applied) -> None:
    config = {
        item["metadata"]["name"]: json.loads(item["spec"]["config"]) for item in shop.of("NetworkAttachmentDefinition")
    }

    assert config["buyers-net"] == {
        "cniVersion": "1.0.0",
        "name": "buyers-net",
        "type": "macvlan",
        "master": "eth1.11",
        "mode": "bridge",
        "mtu": 1400,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "203.0.113.0/26", "rangeStart": "203.0.113.10", "rangeEnd": "203.0.113.60"}]],
            "routes": [{"dst": "203.0.113.128/26", "gw": "203.0.113.1"}],
        },
    }
    assert config["stall-net"]["mtu"] == 1300
    assert config["stall-net"]["ipam"] == {
        "type": "static",
        "addresses": [{"address": "203.0.113.130/26"}],
        "routes": [],
    }
    assert config["uplink-net"]["ipam"]["type"] == "dhcp"


@pytest.mark.parametrize(
    ("attachment", "change", "told"),
    [
        ("stall-net", {"address": None}, "no address"),
        ("buyers-net", {"network": "stall"}, "no pool"),
        ("buyers-net", {"network": "oobi"}, "no VLAN"),
    ],
)
def test_an_attachment_that_lacks_something_is_named(
    shop: Applied, attachment: str, change: dict[str, Any], told: str
) -> None:
    changed = shop.bed.attachments[attachment].model_copy(update=change)
    bed = shop.bed.model_copy(update={"attachments": {**shop.bed.attachments, attachment: changed}})

    with pytest.raises(LabError, match=f"{attachment}.*{told}"):
        workloads.manifests(bed, shop.pki, workloads.material(bed, shop.pki, shop.secrets))


def test_values_that_must_be_the_same_are(lab: Applied) -> None:
    secrets = lab.secrets

    assert len({secrets[f"{name}/AGENT_API_TOKEN"] for name in ("web-agent-secrets", "k6-agent-secrets")}) == 1
    password = secrets["postgres-credentials/POSTGRES_PASSWORD"]
    assert f":{password}@pgbouncer.web-agents.svc.cluster.local:6432/" in secrets["dashboard-secrets/DATABASE_URL"]
    assert secrets["web-agent-secrets/DASHBOARD_URL"] == "http://dashboard.web-agents.svc.cluster.local:3000"


def test_a_url_without_a_service_is_told(shop: Applied, tmp_path: Path) -> None:
    left = {name: w for name, w in shop.bed.workloads.items() if w.program != "dashboard"}

    with pytest.raises(LabError, match=r"buyer-keys/DASHBOARD_URL.*dashboard"):
        workloads.values(shop.bed.model_copy(update={"workloads": left}), tmp_path)


def test_secrets_are_kept_privately_and_told_by_nothing(applied: Applied) -> None:
    kept = applied.folder / "secrets.json"
    material = workloads.material(applied.bed, applied.pki, applied.secrets)
    configuration = yaml.safe_dump_all([item for item in applied.objects if item["kind"] != "Secret"])

    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for place, value in applied.secrets.items():
        if not place.endswith(("_USER", "_DB", "DASHBOARD_URL")):
            assert value not in repr(material)
            assert value not in configuration


def test_a_secret_has_exactly_the_declared_keys(applied: Applied) -> None:
    for name, secret in applied.bed.secrets.items():
        data = applied.get("Secret", name)["data"]
        assert set(data) == set(secret.keys)
        assert all(base64.b64decode(value) for value in data.values())


def test_certificates_are_as_declared(applied: Applied) -> None:
    for certificate in applied.bed.certificates.values():
        found = next(
            item["spec"]
            for item in applied.of("Certificate")
            if (item["metadata"]["namespace"], item["spec"]["secretName"])
            == (certificate.secret.namespace, certificate.secret.name)
        )
        assert found["dnsNames"] == list(certificate.names)
        assert found["duration"] == duration(certificate.lifetime)
        assert found["issuerRef"]["name"] == applied.bed.authorities[certificate.authority].issuer
        algorithm, size = certificate.key.split("-")
        assert found["privateKey"] | {"algorithm": algorithm, "size": int(size)} == found["privateKey"]


def test_every_claim_is_bound_to_the_volume_of_its_name(applied: Applied) -> None:
    for name, storage in applied.bed.storage.items():
        volume, claim = applied.get("PersistentVolume", name), applied.get("PersistentVolumeClaim", name)
        assert volume["spec"]["claimRef"]["namespace"] == claim["metadata"]["namespace"] == storage.namespace
        assert claim["spec"]["volumeName"] == name
        assert claim["spec"]["accessModes"] == volume["spec"]["accessModes"] == [storage.mode]
        assert ("nodeAffinity" in volume["spec"]) == (storage.node is not None)


def test_local_volumes_have_a_folder_on_their_node_only(shop: Applied) -> None:
    assert {node: [*paths] for node, paths in workloads.files(shop.bed).items()} == {"back": ["/srv/base/.volume"]}


def test_the_gate_only_looks_and_only_at_named_secrets(applied: Applied) -> None:
    role = applied.get("ClusterRole", workloads.GATE)
    roles = [item for item in applied.of("Role") if item["metadata"]["name"] == workloads.GATE]

    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list"}
    assert not {"secrets", "*", "pods/exec"} & {r for rule in role["rules"] for r in rule.get("resources", [])}
    named = {(r["metadata"]["namespace"], n) for r in roles for rule in r["rules"] for n in rule["resourceNames"]}
    assert {rule["verbs"][0] for r in roles for rule in r["rules"] if len(rule["verbs"]) == 1} == {"get"}
    assert {(s.namespace, name) for name, s in applied.bed.secrets.items()} <= named
    assert {(c.secret.namespace, c.secret.name) for c in applied.bed.certificates.values()} <= named


def test_a_changed_configuration_replaces_the_pods(lab: Applied) -> None:
    def mark(applied: Applied) -> str:
        pods = applied.get("Deployment", "coredns")["spec"]["template"]["metadata"]
        return str(pods["annotations"]["plumbline.lab/configuration"])

    renamed = lab.bed.personas["persona-7"].model_copy(update={"name": "seven.persona.internal"})
    personas = {**lab.bed.personas, "persona-7": renamed}
    other = Applied(lab.bed.model_copy(update={"personas": personas}), lab.folder)

    assert mark(other) != mark(lab)
    assert any("seven.persona.internal" in text for text in other.get("ConfigMap", "coredns")["data"].values())


def test_a_workload_that_lacks_what_its_program_needs_is_named(shop: Applied) -> None:
    bed = shop.bed.model_copy(update={"personas": {}})

    with pytest.raises(LabError, match=r"workload stall: .* persona needs"):
        render(bed, "stall", Material())


def test_autoscalers_go_from_the_declared_replicas_to_the_end_of_the_scale(shop: Applied) -> None:
    scaler = shop.get("HorizontalPodAutoscaler", "buyer")["spec"]

    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 9)


@pytest.mark.parametrize("name", ["persona-1", "clone-persona-1", "bad-origin"])
def test_caddy_understands_its_configuration(lab: Applied, name: str, tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text(lab.get("ConfigMap", name)["data"]["Caddyfile"])
    caddy = programs.ensure(["caddy"])["caddy"]

    done = subprocess.run(
        [caddy, "adapt", "--config", tmp_path / "Caddyfile"], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 0, done.stderr
    servers = json.loads(done.stdout)["apps"]["http"]["servers"].values()
    assert not any(listen.startswith(":") for server in servers for listen in server["listen"])


@pytest.mark.parametrize("name", ["postgres", "pgbouncer"])
def test_shell_programs_can_be_parsed(lab: Applied, name: str) -> None:
    script = lab.get("ConfigMap", name)["data"][f"{name}.sh"]

    subprocess.run(["sh", "-n"], input=script, text=True, timeout=10, check=True)
