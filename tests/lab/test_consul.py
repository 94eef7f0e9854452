"""Consul's part of the lab: files by the bed file; and real agents in a namespace of their own (needs root)."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab import consul
from lab.consul import acl
from lab.disks import FileSpec
from lab.pki import Pki
from plumbline.bed import Bed, load
from plumbline.collect import consul as collect
from plumbline.facts.consul import Consul
from plumbline.facts.consul_agent import Agent, denied
from plumbline.facts.facts import Facts
from plumbline.remote import consul as remote
from tests.lab.agents import BED, Agents, agents

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="machines need root")


@pytest.fixture(scope="module")
def bed() -> Bed:
    return load(BED)


@pytest.fixture(scope="module")
def files(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, FileSpec]]:
    folder = tmp_path_factory.mktemp("consul")
    return consul.files(bed, Pki(folder / "pki"), folder)


def test_a_second_time_gives_the_same_files(bed: Bed, tmp_path: Path) -> None:
    first, again = (consul.files(bed, Pki(tmp_path / "pki"), tmp_path) for _ in range(2))

    assert first == again


def test_secrets_are_for_the_agent_alone(files: dict[str, dict[str, FileSpec]]) -> None:
    for of_node in files.values():
        config = of_node["/etc/consul.d/consul.hcl"]
        assert (config.mode, config.owner) == (0o640, "consul")
        secrets = re.findall(r'"([0-9a-f-]{36}|[\w+/]{43}=)"', str(config.content))
        assert len(secrets) == 4
        assert not [path for path, spec in of_node.items() if spec.mode & 4 and any(s in spec.content for s in secrets)]


def test_no_check_of_a_service_begins_as_passing(files: dict[str, dict[str, FileSpec]]) -> None:
    defined = [json.loads(s.content) for f in files.values() for p, s in f.items() if p.endswith(".json")]

    assert len(defined) == 8
    assert not [check for each in defined for check in each["service"]["checks"] if "status" in check]


def test_clients_ask_for_their_certificates_and_servers_have_theirs(files: dict[str, dict[str, FileSpec]]) -> None:
    server, client = (str(files[node]["/etc/consul.d/consul.hcl"].content) for node in ("bettley", "jast"))

    assert "allow_tls = true" in server
    assert "cert_file" in server
    assert re.search(r"auto_encrypt {\n  tls = true", client)
    assert "cert_file" not in client


def test_every_token_may_do_what_its_node_needs_and_no_more(bed: Bed) -> None:
    assert bed.consul
    tokens = {token.name: token.may for token in acl.tokens(bed.consul)}

    assert tokens["agent-jast"] == {"NodeIdentities": [{"NodeName": "jast", "Datacenter": "dc1"}]}
    assert tokens["services-jast"] == {"ServiceIdentities": [{"ServiceName": "ssh"}]}
    assert "global-management" not in json.dumps([*tokens.values()])


def test_a_bed_without_consul_has_nothing_of_it(bed: Bed, tmp_path: Path) -> None:
    other = bed.model_copy(update={"consul": None})

    assert consul.programs(other) == ()
    assert consul.files(other, Pki(tmp_path), tmp_path) == {}
    assert consul.units(other, "jast") == ()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    """Three servers and a client, real ones, in a namespace of their own."""
    with pytest.MonkeyPatch.context() as patch, agents(tmp_path_factory.mktemp("agents"), patch.setattr) as made:
        yield made


def collected(running: Agents, folder: Path, active: bool = True) -> Consul:
    """What the gate would have of them."""
    source = running.inside(lambda: collect.collect(running.bed, running.access, active, 2.5))
    source.write(folder / "consul.json")
    return Consul(Facts(folder, running.bed), running.bed)


def described(running: Agents, node: str) -> Agent:
    """What the program of a node would find of its agent."""
    asked = collect.node_request(running.bed, running.access, node, b"s" * 32)
    assert asked
    place = {"config": str(running.config(node)), "data": str(running.folder / node / "data"), "server": False}
    return Agent(node, running.inside(lambda: remote.describe({**asked, **place})))


@needs_root
def test_real_servers_agree_and_keep_what_is_written(running: Agents, tmp_path: Path) -> None:
    said = collected(running, tmp_path)

    assert said.speaking == ["bettley", "cargyll", "dalt"]
    assert len({said.leaders(node) for node in said.speaking}) == 1
    assert {m.state for m in said.members("dalt").values()} == {"alive"}
    assert said.tolerance == (True, 1, [])
    assert said.key.written
    assert None not in said.key.seen.values()
    assert (listed := said.instance("ssh-jast", "ssh"))
    assert listed.state == "passing"


@needs_root
def test_real_servers_let_in_the_gate_alone_and_no_further(running: Agents, tmp_path: Path) -> None:
    said = collected(running, tmp_path)

    assert said.refusal == ""
    assert all(said.rights[collect.right(*each)] for each in collect.MAY)
    assert not any(said.rights[collect.right(*each)] for each in collect.MAY_NOT)
    assert denied(said.key.elsewhere)
    assert said.anonymous == []
    for node in said.speaking:
        server = said.server(node)
        assert denied(server["nobody"]["keys"])
        assert denied(server["stranger"])
        assert (server["nobody"]["members"], server["uncertified"]) == (0, "")


@needs_root
def test_a_real_agent_tells_of_itself_what_its_checks_ask(running: Agents) -> None:
    client, server = described(running, "jast"), described(running, "bettley")

    assert (client.self["auto_encrypt"], server.self["auto_encrypt_allowed"]) == (True, True)
    for agent in (client, server):
        assert denied(agent.status("nobody"))
        assert denied(agent.status("stranger"))
        assert agent.self["default_policy"] == "deny"
        assert agent.self["encrypted"]
        assert (agent.rpc.incoming, agent.rpc.outgoing, agent.rpc.hostname) == (True, True, True)
        assert agent.keeps_token
        assert agent.keyrings.configured in agent.keyrings.lan
    assert client.keyrings.configured == server.keyrings.configured
    assert client.checks("ssh-jast") == ((3, 1),)


@needs_root
def test_a_real_client_without_its_token_does_not_begin(running: Agents) -> None:
    config = running.config("jast") / "consul.hcl"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('    agent = "', '    # agent = "'), encoding="utf-8")
    running.stop("jast")
    running.start("jast")
    try:
        agent = described(running, "jast")

        assert not agent.keeps_token
        assert not agent.answers
    finally:
        config.write_text(text, encoding="utf-8")
        running.stop("jast")


@needs_root
def test_a_real_token_that_was_never_made_is_told(running: Agents, tmp_path: Path) -> None:
    stranger = replace(running.access, credentials={**running.access.credentials, "consul": str(uuid.uuid4())})
    source = running.inside(lambda: collect.collect(running.bed, stranger, True, 2.5))
    source.write(tmp_path / "consul.json")

    assert "ACL not found" in Consul(Facts(tmp_path, running.bed), running.bed).refusal
