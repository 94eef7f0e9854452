"""A whole run against a small bed on this machine; facts are read while it is at work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from plumbline.bed import Bed, load
from plumbline.collect import Access, collect
from plumbline.collect.run import _longest
from plumbline.facts import Facts, Ping, Tls
from plumbline.outcome import BedUnreachable, Unknown
from tests.collect import api, objects, sshd
from tests.collect.bed import small
from tests.collect.certificates import Authority


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Bed:
    """The small bed."""
    return small(tmp_path_factory.mktemp("bed"))


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    """One node that answers, one that does not, and an API server."""
    if not sshd.ROOT:
        pytest.skip("only root starts an sshd")
    folder = tmp_path_factory.mktemp("access")
    sshd.keys(folder)
    persona_ca = Authority("persona-ca")
    table = objects.cluster(persona_ca, Authority("fw-ca"), persona_ca.leaf("one.test"))
    with sshd.sshd(folder) as server, api.api(folder, table) as kubeconfig:
        text = server.config.read_text().replace("Host node", "Host n1")
        server.config.write_text(f"Host n2\nProxyCommand false\n{text}")
        yield Access(ssh_config=server.config, kubeconfig=kubeconfig)


@pytest.fixture(scope="module")
def facts(bed: Bed, access: Access, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """The facts of a run; the first question waits until its source is there."""
    out = tmp_path_factory.mktemp("facts")
    threading.Thread(target=collect, args=(bed, access, out), daemon=True).start()
    return Facts(out, bed)


def test_a_node_tells_of_itself(facts: Facts) -> None:
    node = facts.node("n1")

    assert int(node.sysctl("kernel.pid_max") or 0) > 0
    assert node.links["lo"].up
    assert node.clock_offset.certain == 0
    assert node.failed_units is not None if Path("/run/systemd/system").exists() else True


def test_a_node_that_is_unreachable_is_the_cause_of_what_is_unknown(facts: Facts) -> None:
    with pytest.raises(Unknown, match="unreachable") as caught:
        facts.node("n2")

    assert caught.value.cause == "node:n2"


def test_an_appliance_that_nobody_logs_in_to_is_unknown(facts: Facts) -> None:
    with pytest.raises(Unknown, match="log in"):
        facts.node("fw")


def test_the_cluster_is_known(facts: Facts) -> None:
    assert facts.kubernetes.nodes["n1"].ready


def test_nodes_ping_each_other(facts: Facts) -> None:
    assert facts.probe(Ping, "oobi", source="n1", target="n2").ok


def test_a_probe_from_a_node_that_did_not_answer_is_unknown(facts: Facts) -> None:
    with pytest.raises(Unknown) as caught:
        facts.probes(Ping, "oobi", source="n2")

    assert caught.value.cause == "node:n2"


def test_a_probe_from_a_pod_that_has_no_process_is_unknown(facts: Facts) -> None:
    with pytest.raises(Unknown, match="no process of pod") as caught:
        facts.probes(Tls, "flow", source="agent", target="persona-1")

    assert caught.value.cause == "workload:agent"


def test_a_probe_that_the_bed_does_not_give_occasion_for_is_unknown(facts: Facts) -> None:
    with pytest.raises(Unknown, match="no occasion"):
        facts.probes(Tls, "no-such-purpose")


def test_a_pod_whose_process_is_gone_is_unknown(facts: Facts) -> None:
    (pod,) = facts.kubernetes.pods("agent")
    with pytest.raises(Unknown) as caught:
        facts.pod(pod)

    assert caught.value.cause == "workload:agent"


def test_what_is_written_is_for_its_owner_alone(facts: Facts) -> None:
    assert facts.kubernetes.version
    files = list(facts.directory.rglob("*.json"))

    assert files
    assert all(f.stat().st_mode & 0o077 == 0 for f in files)


def test_without_probes_what_they_would_say_is_unknown(bed: Bed, access: Access, tmp_path: Path) -> None:
    collect(bed, access, tmp_path, active=False)
    facts = Facts(tmp_path, bed)

    assert facts.node("n1").hostname
    with pytest.raises(Unknown, match="only reads"):
        facts.probes(Ping, "oobi")


def test_the_api_server_s_failure_leaves_the_nodes_known(bed: Bed, access: Access, tmp_path: Path) -> None:
    broken = Access(ssh_config=access.ssh_config, kubeconfig=tmp_path / "none")
    collect(bed, broken, tmp_path)
    facts = Facts(tmp_path, bed)

    assert facts.probe(Ping, "oobi", source="n1", target="n2").ok
    with pytest.raises(Unknown) as caught:
        facts.probes(Tls, "flow", source="agent")
    assert caught.value.cause == "kubernetes:api"


def test_a_collector_that_died_is_noticed_at_once(bed: Bed, tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    (tmp_path / "collect.json").write_text(
        json.dumps({"process": child.pid, "until": time.time() + 60, "active": True})
    )
    started = time.monotonic()

    with pytest.raises(Unknown, match="has ended"):
        Facts(tmp_path, bed).node("n1")
    assert time.monotonic() - started < 1


def test_a_collector_that_refuses_says_why_to_every_check_at_once(bed: Bed, tmp_path: Path) -> None:
    (tmp_path / "refused.json").write_text(json.dumps("the bed file is\nnot one"))
    facts, started = Facts(tmp_path, bed), time.monotonic()

    for node in ("n1", "n2"):
        with pytest.raises(Unknown, match="nothing was collected: the bed file is not one"):
            facts.node(node)
    assert time.monotonic() - started < 1


def test_a_credential_that_cannot_be_read_hinders_only_who_needs_it(tmp_path: Path, bed: Bed) -> None:
    declared = {"vault": "${env:PLUMBLINE_NO_SUCH}", "consul": "plain"}
    access = Access.of(bed.model_copy(update={"access": bed.access.model_copy(update={"credentials": declared})}))

    assert access.credentials == {"consul": "plain"}
    assert access.without("vault").startswith("access.credentials.vault: ${env:PLUMBLINE_NO_SUCH} is not set")
    assert access.without("other") == "access.credentials.other in the bed file"


def test_rubbish_in_a_file_is_unknown(bed: Bed, tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "n1.json").write_text("{")

    with pytest.raises(Unknown, match="cannot be read"):
        Facts(tmp_path, bed).node("n1")


def test_a_lab_that_is_not_up_is_never_sent_a_packet(bed: Bed, tmp_path: Path) -> None:
    lab = bed.model_copy(update={"realised_by": "lab"})

    for netns in ("", "ct-no-such-namespace"):
        with pytest.raises(BedUnreachable):
            collect(lab, Access(netns=netns, ssh_config=tmp_path / "c", kubeconfig=tmp_path / "k"), tmp_path)
    assert not (tmp_path / "collect.json").exists()


def test_the_command_ends_with_10_where_the_lab_is_not_up(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    small(tmp_path)
    file.write_text((tmp_path / "small.yaml").read_text().replace("realised_by: hardware", "realised_by: lab"))
    command = [sys.executable, "-m", "plumbline.collect", "--bed", str(file), "--out", str(tmp_path / "out")]
    ended = subprocess.run(
        [*command, "--access", str(tmp_path / "none.json")], capture_output=True, text=True, timeout=20, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip

    assert ended.returncode == 10
    assert "python -m lab up" in ended.stderr
    assert "python -m lab up" in (tmp_path / "out" / "refused.json").read_text()
    assert "Traceback" not in ended.stderr


def test_jobs_are_waited_for_as_long_as_they_may_take(tmp_path: Path) -> None:
    bed = load(Path(__file__).parents[1] / "lab" / "beds" / "slurm.yaml")
    assert bed.slurm
    assert bed.slurm.jobs
    jobs = bed.slurm.jobs.model_copy(update={"limit": timedelta(minutes=5)})
    patient = bed.model_copy(update={"slurm": bed.slurm.model_copy(update={"jobs": jobs})})

    assert _longest(patient, 5.0) > 2.5 * 300 > _longest(bed, 5.0)
