"""The ways to a bed: a real SSH server on the loopback, a pretended API server, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.actions.words import filled
from chaos.call import ActionFailed
from chaos.reach import Reach
from plumbline.bed import Bed
from plumbline.collect.access import Access
from tests.chaos.reaches import bed as lab_bed
from tests.collect import sshd
from tests.collect.api import api
from tests.collect.bed import small

needs_sshd = pytest.mark.skipif(not (sshd.PATH or sshd.ROOT), reason="no sshd here")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    folder = tmp_path_factory.mktemp("sshd")
    sshd.keys(folder)
    with sshd.sshd(folder) as running:
        yield running


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    found = small(tmp_path)
    return found.model_copy(update={"nodes": {"node": found.nodes["n1"]}})


@pytest.fixture
def reach(server: sshd.Server, bed: Bed) -> Iterator[Reach]:
    with Reach(bed, Access(ssh_config=server.config)) as opened:
        yield opened


@needs_sshd
def test_a_command_runs_on_a_node_whatever_is_in_its_words(reach: Reach) -> None:
    odd = "a b'c\"$(false);\n|"

    assert reach.run("node", ["printf", "%s", odd]) == odd
    assert reach.run("node", ["cat"], input="by standard input") == "by standard input"


def test_port_and_user_of_a_node_count_beside_a_configuration(tmp_path: Path) -> None:
    declared = small(tmp_path)
    node = declared.nodes["n1"].model_copy(update={"port": 2222, "user": "ada"})
    with Reach(declared.model_copy(update={"nodes": {"n1": node}}), Access(ssh_config=tmp_path / "config")) as reach:
        words = " ".join(reach._ssh("n1"))

    assert words.endswith("-l ada -p 2222 -- n1")


@needs_sshd
def test_a_command_that_fails_says_where_and_why(reach: Reach) -> None:
    assert reach.ask("node", ["sh", "-c", "exit 3"]).code == 3
    with pytest.raises(ActionFailed, match=r"node: .*ended with 1: .*No such file"):
        reach.run("node", ["cat", "/nowhere"])


@needs_sshd
def test_a_command_that_does_not_end_is_left(reach: Reach) -> None:
    with pytest.raises(ActionFailed, match="node: no answer within 1 s"):
        reach.run("node", ["sleep", "20"], limit=1)


@needs_sshd
def test_a_pod_that_is_not_there_has_its_own_exit_code(reach: Reach) -> None:
    assert reach.ask_pod("node", "99999999-2222-3333-4444-555555555555", ["true"]).code == 44


def test_a_node_that_is_silent_is_told(tmp_path: Path, bed: Bed) -> None:
    nobody = sshd.config(tmp_path, sshd.free_port())
    with Reach(bed, Access(ssh_config=nobody)) as reach, pytest.raises(ActionFailed, match="Connection refused"):
        reach.run("node", ["true"])


def test_the_api_server_answers_and_what_is_missing_is_none(tmp_path: Path) -> None:
    there = {"/api/v1/nodes/ucs-2": {"kind": "Node"}}
    with api(tmp_path, there) as admin, Reach(lab_bed(), Access(), admin) as reach:
        assert reach.get("/api/v1/nodes/ucs-2") == {"kind": "Node"}
        assert reach.get("/api/v1/namespaces/a/secrets/b") is None


def test_an_api_server_that_refuses_is_told(tmp_path: Path) -> None:
    with (
        api(tmp_path, {}, status=403) as admin,
        Reach(lab_bed(), Access(), admin) as reach,
        pytest.raises(ActionFailed, match="the API server: GET /api/v1/nodes: 403 Unauthorized"),
    ):
        reach.get("/api/v1/nodes")


def test_the_switch_of_hardware_is_left_alone() -> None:
    hardware = lab_bed().model_copy(update={"realised_by": "hardware"})

    with Reach(hardware, Access()) as reach, pytest.raises(ActionFailed, match="on the lab's alone"):
        reach.switch("ovs-vsctl", "show")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(address:ngfw@browsers)", "172.16.0.1"),
        ("$(interface:ngfw@browsers)", "172.16.0.1/16"),
        ("$(address:persona-3)", "10.1.3.2"),
        ("ip daddr $(cidr:k6) oifname $(link:k6) { 22, 80 }", "ip daddr 172.17.0.0/16 oifname eth1.30 { 22, 80 }"),
        ("$(oobi:ucs-1) $(runner:oobi) $(port:postgres) $(mtu:isp) $(vlan:isp)", "10.0.0.1 10.0.0.250 5432 1500 40"),
    ],
)
def test_words_stand_for_numbers_of_the_bed(text: str, value: str) -> None:
    assert filled(lab_bed(), text) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [("$(address:ngfw@browser)", "did you mean browsers?"), ("$(adress:persona-3)", "did you mean address?")],
)
def test_a_word_that_stands_for_nothing_is_told(text: str, said: str) -> None:
    with pytest.raises(ActionFailed) as error:
        filled(lab_bed(), text)
    assert said in str(error.value)
