"""Load from pods: what is made in the cluster for a run, what it measures, and that nothing of it is left."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from locustfiles.kube.api import ApiError
from locustfiles.pods import drive
from locustfiles.pods.inside import unpack
from locustfiles.pods.objects import Pods, code
from plumbline.bed import load
from plumbline.load import result as results
from tests.load import kubelet, servers
from tests.load.kubelet import Kubelet, Pod, until
from tests.load.servers import Origin

ROOT = Path(__file__).parents[2]
LIMIT = 120
ADDRESS = "127.77.0.2"
BED = """
version: 1
extends: small.yaml
bed: pods-{pid}
realised_by: hardware
allow: {{load: {allowed}}}
access: {{credentials: {{kubernetes-workers: "${{file:workers.kubeconfig}}"}}}}
kubernetes: {{api: "{url}"}}
personas: {{origin: {{address: {address}}}}}
load:
  limits: {{users: 9, requests: 100000, time: 1m}}
  image: registry.invalid/load:1
  targets:
    spread: {{profile: tls_inspection, from: agent, to: personas, users: 6, workers: 2, pace: 60, warm_up: 2s, steady: {steady}, promise: {{rate: 50}}}}
"""
Start = Callable[..., subprocess.Popen[str]]


def write(folder: Path, url: str = "https://127.0.0.1:1", **changed: str) -> Path:
    """A bed file that has one target, with two workers."""
    (folder / "small.yaml").write_text((ROOT / "tests/bed/small.yaml").read_text())
    words = {"address": ADDRESS, "allowed": "true", "steady": "4s", **changed}
    (folder / "bed.yaml").write_text(BED.format(pid=os.getpid(), url=url, **words))
    return folder / "bed.yaml"


@pytest.fixture
def pods(tmp_path: Path) -> Pods:
    """The objects of a run."""
    return Pods(load(write(tmp_path)), "spread", "plumbline-load-x")


def test_a_worker_stands_where_the_targets_workload_does(pods: Pods) -> None:
    worker = pods.worker(1, "10.42.0.9", trusting=True)

    assert worker["spec"]["nodeSelector"] == {"role": "web"}
    assert worker["metadata"]["annotations"] == {"k8s.v1.cni.cncf.io/networks": "work/agent"}
    assert worker["spec"]["containers"][0]["image"] == "registry.invalid/load:1"
    assert worker["spec"]["containers"][0]["command"][-3:] == ["--worker", "--master-host", "10.42.0.9"]


def test_a_master_is_not_on_the_data_plane_and_waits_for_its_workers(pods: Pods) -> None:
    master = pods.master(trusting=True)

    assert "annotations" not in master["metadata"]
    command = master["spec"]["containers"][0]["command"]
    assert command[command.index("--expect-workers") + 1] == "2"


def test_pods_end_by_themselves_and_are_nobody_in_the_cluster(pods: Pods) -> None:
    for made in (pods.master(trusting=False), pods.worker(1, "10.42.0.9", trusting=False)):
        assert made["spec"]["activeDeadlineSeconds"] == 2 + 4 + 300
        assert made["spec"]["automountServiceAccountToken"] is False
        assert made["spec"]["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "--ca" not in made["spec"]["containers"][0]["command"]


def test_they_read_the_whole_bed_but_not_what_names_the_runners_secrets(pods: Pods, tmp_path: Path) -> None:
    told = pods.configuration("PEM")

    (tmp_path / "theirs.yaml").write_text(told["data"]["bed.yaml"])
    theirs = load(tmp_path / "theirs.yaml")
    assert theirs.load == pods.bed.load
    assert theirs.workloads == pods.bed.workloads
    assert "kubeconfig" not in told["data"]["bed.yaml"]
    assert told["data"]["ca.pem"] == "PEM"


def test_they_run_the_code_of_whoever_starts_them() -> None:
    with tarfile.open(fileobj=io.BytesIO(code())) as tar:
        names = tar.getnames()

    assert {"locustfiles/tls_inspection.py", "plumbline/bed/model.py", "plumbline/load/workers.yaml"} <= set(names)
    assert all(name.endswith((".py", ".yaml")) for name in names)


@pytest.mark.parametrize("log", ["", "something else", "plumbline-load: what is left, a tar file in base64\nH4sI"])
def test_a_log_that_tells_no_result_leaves_none(tmp_path: Path, log: str) -> None:
    assert not unpack(log, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def persona(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """A persona where the bed file says that one is: port 443 of an address of the loopback."""
    if os.geteuid() != 0:
        pytest.skip("port 443 is for root")
    with servers.caddy(tmp_path_factory.mktemp("persona"), ADDRESS, 443) as running:
        yield running


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Kubelet]:
    """One that runs pods."""
    with kubelet.running(tmp_path, servers.free()) as running:
        (tmp_path / "workers.kubeconfig").write_text(running.kubeconfig)
        yield running


@pytest.fixture
def start(cluster: Kubelet, persona: Origin, tmp_path: Path) -> Start:
    """Starts a run of the only target, as `python -m locustfiles` does."""

    def begin(**changed: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "locustfiles", "spread", "--ca", persona.ca, "--report-dir", str(tmp_path)]
        command += ["--bed", str(write(tmp_path, cluster.url, **changed))]
        return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    return begin


def said(process: subprocess.Popen[str]) -> str:
    with process:
        return process.communicate(timeout=LIMIT)[0]


def told(folder: Path) -> Any:
    return results.read(folder / "load" / "spread" / "result.json")


def test_master_and_workers_measure_and_nothing_is_left(start: Start, cluster: Kubelet, tmp_path: Path) -> None:
    out = said(start())

    assert "passed: " in out
    assert "failed: " not in out
    assert (told(tmp_path).users, told(tmp_path).failures, told(tmp_path).stopped) == (6, {}, "")
    assert len({sample.generator for sample in told(tmp_path).generator}) == 2
    assert len(cluster.made) == 4
    assert (cluster.pods, cluster.configmaps) == ({}, {})
    assert (tmp_path / "load" / "spread" / "locust_stats.csv").exists()


def test_a_worker_that_dies_is_started_again_and_the_users_go_on(
    start: Start, cluster: Kubelet, tmp_path: Path
) -> None:
    process = start(steady="20s")
    worker = asking(cluster, "worker-2")
    worker.send(signal.SIGKILL)
    out = said(process)

    assert worker.restarts == 1
    assert "failed: " not in out, "the bed is not to blame"
    seconds = told(tmp_path).whole_seconds()
    assert (told(tmp_path).failures, len(seconds)) == ({}, 20)
    assert min(seconds[-5:]) >= 50, "all users are back"


def test_ctrl_c_ends_it_with_what_was_measured(start: Start, cluster: Kubelet, tmp_path: Path) -> None:
    process = start(steady="40s")
    asking(cluster, "worker-1")
    process.send_signal(signal.SIGINT)
    out = said(process)

    assert "unknown: it was ended before its steady phase was over" in out
    assert told(tmp_path).stopped == "it was ended before its steady phase was over"
    assert (cluster.pods, cluster.configmaps) == ({}, {})


def test_pods_that_do_not_start_are_told_of_and_removed(
    cluster: Kubelet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "START_S", 1)
    cluster.broken = "ErrImagePull"

    with pytest.raises(ApiError, match="-master did not start in 1 s: ErrImagePull"):
        drive.drive(load(write(tmp_path, cluster.url)), "spread", "", tmp_path)
    assert (cluster.pods, cluster.configmaps) == ({}, {})


def test_a_master_that_its_node_refuses_is_told_of_and_removed(cluster: Kubelet, tmp_path: Path) -> None:
    cluster.refused = "OutOfpods"

    with pytest.raises(ApiError, match="-master ended before its workers began: OutOfpods no room"):
        drive.drive(load(write(tmp_path, cluster.url)), "spread", "", tmp_path)
    assert (cluster.pods, cluster.configmaps) == ({}, {})


@pytest.mark.parametrize("ca", [None, "PEM of someone ä"])
def test_whom_to_trust_is_looked_at_before_anything_is_made(cluster: Kubelet, tmp_path: Path, ca: str | None) -> None:
    if ca:
        (tmp_path / "ca.pem").write_text(ca)
    command = [sys.executable, "-m", "locustfiles", "spread", "--ca", str(tmp_path / "ca.pem"), "--report-dir", "."]
    command += ["--bed", str(write(tmp_path, cluster.url))]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=LIMIT, check=False)

    assert (done.returncode, cluster.made) == (2, [])
    assert done.stderr.startswith(f"load: --ca {tmp_path}/ca.pem: ")


def test_what_a_killed_run_has_left_is_removed_by_the_next(start: Start, cluster: Kubelet) -> None:
    process = start(steady="40s")
    left = asking(cluster, "worker-1")
    process.kill()
    said(process)

    assert "passed: " in said(start())
    assert left.process is not None
    assert left.process.returncode == -signal.SIGKILL
    assert (cluster.pods, cluster.configmaps) == ({}, {})


def test_nothing_is_made_where_load_is_not_allowed(start: Start, cluster: Kubelet) -> None:
    assert "this bed does not allow load" in said(start(allowed="false"))
    assert not cluster.made


def asking(cluster: Kubelet, name: str) -> Pod:
    """The pod of this name, when a user of it has a connection to the persona."""
    until(lambda: any(name in key for key in cluster.pods))
    (pod,) = (pod for key, pod in cluster.pods.items() if name in key)
    until(lambda: any(end.raddr and end.raddr.ip == ADDRESS for end in pod.connections()))
    return pod
