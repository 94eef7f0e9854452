"""cni-attach, the stand-in for Multus: what it asks the API server, what it delegates, what it undoes."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from lab import cni, programs
from lab.pki import Pki
from plumbline.bed import load

BED = Path(__file__).parents[2] / "inventories/lab.yaml"
PLUGIN = """#!/bin/sh
config=$(cat)
printf '%s %s %s %s\\n' "$CNI_COMMAND" "$CNI_IFNAME" "{name}" "$config" >>"{folder}/calls"
if [ -e "{folder}/{name}-$CNI_COMMAND.fails" ]; then
    said=$(cat "{folder}/{name}-$CNI_COMMAND.fails")
    case $config in *'"ipam"'*) printf '{{"code": 7, "msg": "%s"}}\\n' "$said"; exit 1 ;; esac
fi
[ "$CNI_COMMAND" = ADD ] || exit 0
printf '{{"cniVersion": "0.4.0", "interfaces": [{{"name": "%s", "mac": "02:00:00:00:00:01", ' "$CNI_IFNAME"
echo '"sandbox": "/ns"}}],'
echo ' "ips": [{{"address": "{address}"}}]}}'
"""


@dataclass
class Api:
    """A stand-in for the API server: one pod, some networks, and what was asked of it."""

    networks: str = ""
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    patches: list[dict[str, Any]] = field(default_factory=list)
    users: set[str] = field(default_factory=set)
    address: str = ""


@dataclass(frozen=True)
class Plugin:
    """The built program in a folder of its own, with plugins that only write down how they were called."""

    program: Path
    folder: Path
    configuration: dict[str, Any]

    def __call__(self, command: str, container: str = "c1") -> subprocess.CompletedProcess[str]:
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_NETNS": "/ns",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(self.folder),
            "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1",
            "PATH": "/usr/bin:/bin",
        }
        text = json.dumps(self.configuration)
        return subprocess.run(
            [self.program], input=text, env=environment, capture_output=True, text=True, timeout=20, check=False
        )

    def calls(self) -> list[str]:
        """Command, interface and plugin of each call so far."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [" ".join(line.split()[:3]) for line in lines]

    def fail(self, plugin: str, command: str, message: str) -> None:
        """Have a plugin fail from now on."""
        (self.folder / f"{plugin}-{command}.fails").write_text(message)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki") / "pki")


@pytest.fixture
def api(pki: Pki) -> Iterator[Api]:
    state = Api()

    class Handler(BaseHTTPRequestHandler):
        def _send(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            peer: Any = self.connection.getpeercert()
            state.users |= {value for part in peer["subject"] for key, value in part if key == "commonName"}
            if self.path == "/api/v1/namespaces/shop/pods/web-1":
                annotations = {"k8s.v1.cni.cncf.io/networks": state.networks} if state.networks else {}
                return self._send(200, {"metadata": {"annotations": annotations}})
            place = self.path.removeprefix("/apis/k8s.cni.cncf.io/v1/namespaces/")
            place = place.replace("/network-attachment-definitions/", "/")
            if place in state.definitions:
                return self._send(200, {"spec": {"config": json.dumps(state.definitions[place])}})
            return self._send(404, {"message": "not found"})

        def do_PATCH(self) -> None:
            state.patches.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._send(200, {})

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pki.leaf("kubernetes-ca", "api", "api", addresses=[IPv4Address("127.0.0.1")])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.folder / "api.crt", pki.folder / "api.key")
    context.load_verify_locations(pki.folder / "kubernetes-ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
    state.address = f"https://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def plugin(api: Api, pki: Pki, tmp_path: Path) -> Plugin:
    for name, address in (("flannel", "10.42.1.7/24"), ("macvlan", "172.16.1.1/16")):
        path = tmp_path / name
        path.write_text(PLUGIN.format(name=name, folder=tmp_path, address=address))
        path.chmod(0o755)
    bed = load(BED)
    configuration = json.loads(str(cni.files(bed, pki)["/etc/cni/net.d/00-lab.conf"].content))
    configuration |= {
        "api": api.address,
        "ca": str(pki.folder / "kubernetes-ca.crt"),
        "cert": str(pki.folder / "kubernetes-lab-cni.crt"),
        "key": str(pki.folder / "kubernetes-lab-cni.key"),
        "state": str(tmp_path / "state"),
    }
    return Plugin(programs.ensure(["cni-attach"])["cni-attach"], tmp_path, configuration)


def _macvlan(**more: Any) -> dict[str, Any]:
    return {"cniVersion": "1.0.0", "name": "dut", "type": "macvlan", "ipam": {"type": "host-local"}} | more


def test_a_pod_without_annotation_gets_its_default_network_only(plugin: Plugin, api: Api) -> None:
    done = plugin("ADD")

    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["ips"] == [{"address": "10.42.1.7/24"}]
    assert plugin.calls() == ["ADD eth0 flannel"]
    assert api.patches == []
    assert api.users == {"lab:cni"}


def test_an_annotated_pod_gets_net1_and_its_status_says_so(plugin: Plugin, api: Api) -> None:
    api.networks, api.definitions = "dut", {"shop/dut": _macvlan()}

    done = plugin("ADD")

    assert done.returncode == 0, done.stdout
    assert plugin.calls() == ["ADD eth0 flannel", "ADD net1 macvlan"]
    status = json.loads(api.patches[0]["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"])
    assert [(s["interface"], s["ips"], s.get("default", False)) for s in status] == [
        ("eth0", ["10.42.1.7"], True),
        ("net1", ["172.16.1.1"], False),
    ]
    assert status[1]["name"] == "shop/dut"
    assert status[1]["mac"] == "02:00:00:00:00:01"


@pytest.mark.parametrize(
    ("annotation", "interfaces"),
    [
        ("dut, other/far@dut0", ["net1", "dut0"]),
        ('[{"name": "dut"}, {"name": "far", "namespace": "other", "interface": "x1"}]', ["net1", "x1"]),
    ],
)
def test_all_forms_of_the_annotation_are_understood(
    plugin: Plugin, api: Api, annotation: str, interfaces: list[str]
) -> None:
    api.networks, api.definitions = annotation, {"shop/dut": _macvlan(), "other/far": _macvlan()}

    assert plugin("ADD").returncode == 0
    assert [call.split()[1] for call in plugin.calls()[1:]] == interfaces


def test_del_undoes_in_reverse_and_needs_no_api(plugin: Plugin, api: Api) -> None:
    api.networks, api.definitions = "dut", {"shop/dut": _macvlan()}
    plugin("ADD")
    plugin.configuration["api"] = "https://127.0.0.1:1"

    first, second = plugin("DEL"), plugin("DEL")

    assert (first.returncode, second.returncode) == (0, 0)
    assert plugin.calls()[2:] == ["DEL net1 macvlan", "DEL eth0 flannel", "DEL eth0 flannel"]
    assert list((plugin.folder / "state").iterdir()) == []
    given = [line for line in (plugin.folder / "calls").read_text().splitlines() if line.startswith("DEL net1")]
    assert "prevResult" in given[0]


def test_a_missing_master_is_named_and_what_was_given_is_taken_back(plugin: Plugin, api: Api) -> None:
    api.networks, api.definitions = "dut", {"shop/dut": _macvlan(master="eth1.20")}
    plugin.fail("macvlan", "ADD", "Link not found")

    done = plugin("ADD")

    assert done.returncode == 1
    error = json.loads(done.stdout)["msg"]
    assert "failed to find master interface eth1.20" in error
    assert "shop/dut" in error
    assert "Link not found" in error
    assert plugin.calls()[2:] == ["DEL net1 macvlan", "DEL eth0 flannel"]


@pytest.mark.parametrize(
    ("networks", "told"), [("nowhere", "network-attachment-definitions/nowhere: 404"), ("[{", "annotation")]
)
def test_a_network_that_is_not_there_is_an_error(plugin: Plugin, api: Api, networks: str, told: str) -> None:
    api.networks = networks

    done = plugin("ADD")

    assert done.returncode == 1
    assert told in json.loads(done.stdout)["msg"]
    assert plugin.calls()[-1] == "DEL eth0 flannel"


def test_an_api_server_that_does_not_answer_is_an_error(plugin: Plugin) -> None:
    plugin.configuration["api"] = "https://127.0.0.1:1"

    done = plugin("ADD")

    assert done.returncode == 1
    assert "connection refused" in json.loads(done.stdout)["msg"]


def test_the_interface_of_a_lease_goes_even_where_its_daemon_is_gone(plugin: Plugin, api: Api) -> None:
    api.networks, api.definitions = "isp", {"shop/isp": _macvlan(ipam={"type": "dhcp"})}
    plugin("ADD")
    plugin.fail("macvlan", "DEL", "error dialing DHCP daemon")

    assert plugin("DEL").returncode == 0
    assert plugin.calls()[2:] == ["DEL net1 macvlan", "DEL net1 macvlan", "DEL eth0 flannel"]


def test_other_failures_of_del_are_told_so_that_it_is_tried_again(plugin: Plugin, api: Api) -> None:
    api.networks, api.definitions = "dut", {"shop/dut": _macvlan()}
    plugin("ADD")
    plugin.fail("macvlan", "DEL", "disk is full")

    done = plugin("DEL")

    assert done.returncode == 1
    assert "disk is full" in json.loads(done.stdout)["msg"]
    assert plugin.calls()[-1] == "DEL eth0 flannel"


def test_check_asks_every_delegate(plugin: Plugin, api: Api) -> None:
    api.networks, api.definitions = "dut", {"shop/dut": _macvlan()}
    plugin("ADD")

    assert plugin("CHECK").returncode == 0
    assert plugin.calls()[2:] == ["CHECK eth0 flannel", "CHECK net1 macvlan"]
    assert plugin("CHECK", container="unknown").returncode == 1


def test_the_key_of_a_node_is_private(pki: Pki) -> None:
    files = cni.files(load(BED), pki)

    assert files["/etc/kubernetes/pki/cni.key"].mode == 0o600
    assert all("PRIVATE" not in str(f.content) for path, f in files.items() if not path.endswith(".key"))
