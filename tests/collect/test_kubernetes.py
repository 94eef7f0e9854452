"""The API server: what is kept of its answers, and every way in which it does not answer."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plumbline.bed import Bed
from plumbline.collect import Access, kubernetes
from plumbline.facts.cluster import Cluster
from plumbline.facts.source import Source
from plumbline.outcome import Unknown
from suites.kubernetes.test_api import test_the_api_server_answers as judge
from tests.collect import api, objects
from tests.collect.bed import small
from tests.collect.certificates import Authority
from tests.collect.sshd import free_port

PERSONA_CA, FW_CA = Authority("persona-ca"), Authority("fw-ca")
LEAF = PERSONA_CA.leaf("one.test")


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Bed:
    """The small bed."""
    return small(tmp_path_factory.mktemp("bed"))


@pytest.fixture(scope="module")
def source(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """What is collected from a server that is in order."""
    folder = tmp_path_factory.mktemp("api")
    with api.api(folder, objects.cluster(PERSONA_CA, FW_CA, LEAF)) as kubeconfig:
        return kubernetes.collect(bed, Access(kubeconfig=kubeconfig), {})


@pytest.fixture(scope="module")
def cluster(bed: Bed, source: Source) -> Cluster:
    """The same, typed."""
    assert source.outcome == "ok", source.error
    return Cluster(source.facts, bed)


def test_pods_are_known_by_workload(cluster: Cluster) -> None:
    (pod,) = cluster.pods("agent")

    assert (pod.full_name, pod.node, pod.net1, pod.ready) == ("agents/agent-1", "n1", "172.16.1.9", True)
    assert pod.environment("MODE") == "strict"


def test_no_secret_value_is_kept(source: Source) -> None:
    text = json.dumps(source.facts)

    assert "p@ss-word-9" not in text
    assert "p%40ss-word-9" not in text
    assert "t0p-secret" not in text
    assert "PRIVATE KEY" not in text


def test_equal_values_have_equal_digests_also_inside_a_url(cluster: Cluster) -> None:
    found = cluster.secret("agents", "database")

    assert found is not None
    assert found.digests["PASSWORD"] == found.digests["URL#password"] != found.digests["URL"]


def test_a_secret_s_certificate_and_key_belong_together(cluster: Cluster) -> None:
    found = cluster.secret("personas", "tls")

    assert found is not None
    assert found.key_matches is True
    assert found.chain()[0].names == ("one.test",)


def test_what_is_not_there_is_none_and_what_was_not_asked_for_is_unknown(cluster: Cluster) -> None:
    assert cluster.secret("agents", "snmp") is None
    with pytest.raises(Unknown) as caught:
        cluster.secret("agents", "other")
    assert caught.value.cause == "kubernetes:api"


def test_bundles_are_found_in_secrets_and_configmaps(cluster: Cluster) -> None:
    assert cluster.bundle("persona-ca") == PERSONA_CA.certificate
    assert cluster.bundle("fw-ca") == FW_CA.certificate


def test_checks_of_the_api_server_that_fail_are_named(cluster: Cluster) -> None:
    assert cluster.ready_checks == ("[-]etcd failed: reason withheld",)


def test_an_expired_kubeconfig_is_refused_with_its_date(bed: Bed, tmp_path: Path) -> None:
    day = dt.timedelta(days=1)
    expired = Authority("users").leaf("user", start=-2 * day, end=-day)
    with api.api(tmp_path, {}, status=401, user=expired) as kubeconfig:
        found = kubernetes.collect(bed, Access(kubeconfig=kubeconfig), {})

    assert found.outcome == "refused"
    assert "expired" in (found.error or "")


def test_a_port_on_which_nothing_listens_is_refused(bed: Bed, tmp_path: Path) -> None:
    path = api.kubeconfig(tmp_path, free_port(), PERSONA_CA.certificate, LEAF)

    assert kubernetes.collect(bed, Access(kubeconfig=path), {}).outcome == "refused"


def test_a_server_of_another_authority_is_refused(bed: Bed, tmp_path: Path) -> None:
    with api.api(tmp_path, {}) as kubeconfig:
        port = int(json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["server"].rpartition(":")[2])
        other = api.kubeconfig(tmp_path, port, PERSONA_CA.certificate, LEAF)
        found = kubernetes.collect(bed, Access(kubeconfig=other), {})

    assert found.outcome == "refused"
    assert "trusts" in (found.error or "")


def test_a_slow_server_is_a_timeout(bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "_READ_S", 0.3)
    with api.api(tmp_path, {}, delay=1) as kubeconfig:
        assert kubernetes.collect(bed, Access(kubeconfig=kubeconfig), {}).outcome == "timeout"


def test_an_answer_that_is_no_json_is_rubbish(bed: Bed, tmp_path: Path) -> None:
    with api.api(tmp_path, {}, raw=b"<html>") as kubeconfig:
        assert kubernetes.collect(bed, Access(kubeconfig=kubeconfig), {}).outcome == "rubbish"


@pytest.mark.parametrize("text", [None, "", "{", "users: []"])
def test_a_kubeconfig_that_cannot_be_used_is_no_fault_of_the_api_server(
    bed: Bed, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    found = kubernetes.collect(bed, Access(kubeconfig=path), {})

    assert found.outcome == "unusable"
    assert str(path) in (found.error or "")
    facts: Any = SimpleNamespace(raw=lambda _: found)
    with pytest.raises(Unknown, match="nobody was asked"):
        judge("https://localhost", facts)


def test_the_community_goes_to_nobody_but_the_probes(tmp_path: Path, source: Source) -> None:
    bed = small(tmp_path)
    assert bed.ngfw is not None
    snmp = {"network": "browsers", "community": "snmp/COMMUNITY"}
    bed = type(bed).model_validate({**bed.model_dump(by_alias=True), "ngfw": {**bed.ngfw.model_dump(), "snmp": snmp}})
    private: dict[str, str] = {}
    path = "/api/v1/namespaces/agents/secrets/snmp"
    table = {"/version": {"gitVersion": "v1"}, path: objects.secret("snmp", COMMUNITY="hush-hush")}
    with api.api(tmp_path, table) as kubeconfig:
        found = kubernetes.collect(bed, Access(kubeconfig=kubeconfig), private)

    assert private == {"community": "hush-hush"}
    assert "hush-hush" not in json.dumps(found.facts)
