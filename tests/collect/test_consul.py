"""Consul: what its servers say, each way in which they do not, and what lies on the disk of a node."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from plumbline.bed import Bed, load
from plumbline.collect import consul, plan
from plumbline.collect.access import Access
from plumbline.collect.planned import World
from plumbline.facts.consul import Consul
from plumbline.facts.consul_agent import Agent
from plumbline.facts.consul_rules import parsed
from plumbline.facts.facts import Facts
from plumbline.facts.source import Source
from plumbline.outcome import Unknown
from plumbline.remote import consul as remote
from tests.collect.consuls import TOKEN, Server, serving

BED = """
version: 1
bed: c1
realised_by: hardware
nodes:
  one: {role: server, oobi: 127.0.0.1}
  two: {role: client, oobi: 192.0.2.9}
networks: {oobi: {cidr: 127.0.0.0/8}}
step_ca: {node: one, domain: example.net, on: [one, two]}
service_certificates:
  consul: {on: [one], unit: consul, certificate: /c, key: /k, names: [server.dc1.consul]}
consul:
  version: 1.20.1
  servers: [one]
  clients: [two]
  certificate: consul
  server: {http: {port: %d, on: [oobi]}, https: null}
  services: {web: {on: [two], port: 80, check: {http: /health}}}
  policies: {vault: {key_prefix: {vault/: write}}}
budgets: {consul_api: 500ms, consul_replication: 100ms}
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as pretended:
        yield pretended


@pytest.fixture
def bed(tmp_path: Path, server: Server) -> Bed:
    file = tmp_path / "c1.yaml"
    file.write_text(BED % server.port)
    return load(file)


def facts(bed: Bed, folder: Path, token: str = TOKEN, active: bool = True, patience: float = 2.5) -> Consul:
    source = consul.collect(bed, Access(credentials={"consul": token}), active, patience)
    source.write(folder / "consul.json")
    return Consul(Facts(folder, bed), bed)


def test_what_the_servers_say_is_typed(bed: Bed, tmp_path: Path) -> None:
    said = facts(bed, tmp_path)

    assert said.speaking == ["one"]
    assert said.leaders("one") == ("one", "one")
    assert said.members("one")["one"].state == "alive"
    assert (listed := said.instance("web-two", "web"))
    assert (listed.state, listed.port) == ("passing", 80)
    assert said.instance("web-one", "web") is None
    assert said.policy("vault") == {"key_prefix": {"vault/": "write"}}
    assert said.refusal == ""


def test_a_key_is_written_read_and_taken_away_again(bed: Bed, tmp_path: Path, server: Server) -> None:
    key = facts(bed, tmp_path).key

    assert (key.written, key.deleted) == (True, True)
    assert key.seen["one"] is not None
    assert server.keys == {}


def test_a_collector_that_is_ended_takes_its_key_away(
    bed: Bed, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consul, "_writing", threading.Lock())
    monkeypatch.setattr(consul, "_ending", threading.Event())
    server.late = True
    patient = bed.model_copy(update={"budgets": {**bed.budgets, "consul_replication": timedelta(seconds=20)}})
    access = Access(credentials={"consul": TOKEN})
    threading.Thread(target=consul.collect, args=(patient, access, True, 1.0), daemon=True).start()
    while not server.keys:
        time.sleep(0.01)

    consul.tidy(1.5)

    assert server.keys == {}


def test_a_run_that_only_reads_writes_no_key(bed: Bed, tmp_path: Path) -> None:
    with pytest.raises(Unknown, match="only reads"):
        _ = facts(bed, tmp_path, active=False).key


def test_without_a_token_nothing_is_asked(bed: Bed, tmp_path: Path) -> None:
    said = facts(bed, tmp_path, token="")

    assert "no token" in said.refusal
    with pytest.raises(Unknown) as unknown:
        said.server("one")
    assert unknown.value.cause == "consul-gate:token"


def test_a_mistake_of_the_gate_is_no_silence_of_a_server(bed: Bed, tmp_path: Path) -> None:
    Source("rubbish", "KeyError: 'x'").write(tmp_path / "consul.json")

    with pytest.raises(Unknown, match="KeyError"):
        Consul(Facts(tmp_path, bed), bed).silence("one")


def test_a_token_that_is_no_more_is_told(bed: Bed, tmp_path: Path, server: Server) -> None:
    server.known = False
    said = facts(bed, tmp_path)

    assert "ACL not found" in said.refusal
    assert said.silence("one") == ""


def test_what_is_not_shown_to_a_token_that_is_no_more_is_not_called_missing(
    bed: Bed, tmp_path: Path, server: Server
) -> None:
    server.known = False
    said = facts(bed, tmp_path)

    for ask in (lambda: said.instance("web-two", "web"), lambda: said.policy("vault")):
        with pytest.raises(Unknown, match="ACL not found") as unknown:
            ask()
        assert unknown.value.cause == "consul-gate:token"


def test_what_the_gate_may_not_read_is_open_since_lists_leave_it_out(bed: Bed, tmp_path: Path, server: Server) -> None:
    server.blind = ("node",)
    said = facts(bed, tmp_path)

    with pytest.raises(Unknown, match="lacks read node") as unknown:
        said.members("one")
    assert unknown.value.cause == "consul-gate:token"


def test_a_right_that_is_missing_leaves_only_its_part_open(bed: Bed, tmp_path: Path, server: Server) -> None:
    server.lacks = ("/v1/operator",)
    said = facts(bed, tmp_path)

    with pytest.raises(Unknown, match="operator:read") as unknown:
        _ = said.tolerance
    assert unknown.value.cause == "consul-gate:token"
    assert said.instance("web-two", "web")


def test_a_server_that_is_silent_is_asked_again_and_then_told(bed: Bed, tmp_path: Path, server: Server) -> None:
    server.silent = True
    first = consul.collect(bed, Access(credentials={"consul": TOKEN}), False, 1.0)
    said = facts(bed, tmp_path)

    assert first.outcome == "timeout"
    assert "no answer" in said.silence("one")
    with pytest.raises(Unknown) as unknown:
        _ = said.tolerance
    assert unknown.value.cause == "consul-api:one"


def test_without_a_leader_nothing_is_written_and_nothing_waited_for(bed: Bed, tmp_path: Path, server: Server) -> None:
    server.leader = ""
    said = facts(bed, tmp_path)

    assert not said.key.written
    assert "leader" in said.key.error
    with pytest.raises(Unknown) as unknown:
        _ = said.rights
    assert unknown.value.cause == "consul:leader"


def test_no_secret_is_kept(bed: Bed, tmp_path: Path) -> None:
    facts(bed, tmp_path)

    assert TOKEN not in (tmp_path / "consul.json").read_text()


@pytest.mark.parametrize(
    "rules",
    [
        'operator = "read"\nkey_prefix "a#/" {\n  policy = "write"\n}\nkey_prefix "b/" { policy = "read" }',
        '# key "x" { policy = "write" }\noperator = "read" // all\n"key_prefix" "a#/" { policy = "write" } /* acl = "write"\n */'
        'key_prefix "b/" {\n # so that\n "policy" = "read" }',
        '{"operator": "read", "key_prefix": {"a#/": {"policy": "write"}, "b/": {"policy": "read"}}}',
    ],
    ids=["short", "commented and quoted", "JSON"],
)
def test_rules_are_read_as_the_bed_file_writes_them(rules: str) -> None:
    assert parsed(rules) == {"operator": "read", "key_prefix": {"a#/": "write", "b/": "read"}}


@pytest.mark.parametrize(
    "more",
    [
        'service "web" { policy = "read" intentions = "write" }',
        'namespace "x" { acl = "write" }',
        'key_prefix "b/" { policy = "write" }',
        'node_prefix "" { policy = "write"',
    ],
)
def test_a_rule_that_cannot_be_read_is_not_left_out(more: str) -> None:
    with pytest.raises(Unknown, match="cannot read"):
        parsed(f'key_prefix "b/" {{ policy = "read" }}\n{more}')


@pytest.mark.parametrize(
    "rules",
    [
        '{"acl": "write", "acl": "read"}',
        '{"key": {"a": {"policy": "read", "x": 1}}}',
        '{"key": [{"a": {"policy": "read"}}]}',
        '{"acl": 1}',
        "{",
    ],
)
def test_json_that_is_no_rule_is_not_left_out(rules: str) -> None:
    with pytest.raises(Unknown, match="cannot read"):
        parsed(rules)


def test_names_and_ports_are_asked_of_each_agent(bed: Bed) -> None:
    planned = [p for found in plan.probes(World(bed, None)).values() for p in found]
    asked = {(p.kind, p.purpose, p.source, p.target) for p in planned}

    assert ("dns", "consul-dns", "two", "web") in asked
    assert ("tcp", "consul-rpc", "two", "one") in asked
    assert ("http", "consul-direct", "two", "web-two") in asked
    assert ("tcp", "consul-rpc", "one", "two") not in asked


@pytest.fixture
def disk(tmp_path: Path) -> dict[str, Any]:
    config, data = tmp_path / "config", tmp_path / "data"
    (data / "serf").mkdir(parents=True)
    config.mkdir()
    (config / "consul.hcl").write_text('encrypt = "KEY"\nacl {\n  tokens {\n    # agent = "x"\n  }\n}\n')
    (config / "consul.hcl").chmod(0o640)
    service = {"service": {"name": "web", "id": "web-1", "checks": [{"tcp": "x", "status": "passing"}]}}
    (config / "service-web.json").write_text(json.dumps(service))
    (data / "serf/local.keyring").write_text('["KEY"]')
    (data / "server_metadata.json").write_text(json.dumps({"last_seen_unix": time.time() - 100}))
    place = {"address": "127.0.0.1", "port": 1, "token": "t", "config": str(config), "data": str(data)}
    return {**place, "salt": "00" * 16, "within": 30, "server": False}


def test_what_lies_on_the_disk_of_a_node_is_told_without_its_secrets(disk: dict[str, Any]) -> None:
    said = remote.describe(disk)

    assert "KEY" not in json.dumps(said)
    assert said["keyrings"]["configured"] == said["keyrings"]["lan"]
    assert said["keyrings"]["wan"] == []
    assert said["tokens"] == {"configured": False, "persisted": False}
    assert said["services"] == {"web-1": ["passing"]}
    assert 99 < said["last_seen"] < 110
    assert said["agent"]["outcome"] == "refused"


def test_a_file_that_is_no_json_leaves_its_part_open_and_no_other(disk: dict[str, Any]) -> None:
    Path(disk["data"], "serf/local.keyring").write_text("rubbish")
    said = remote.describe(disk)

    assert "keyrings" not in said
    assert "keyrings" in said["errors"]
    assert said["tokens"]


def test_a_later_key_wins(disk: dict[str, Any]) -> None:
    Path(disk["config"], "zz.hcl").write_text('encrypt = "OTHER"\n')
    said = remote.describe(disk)["keyrings"]

    assert len(said["configured"]) == 1
    assert said["configured"] != said["lan"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zz.json", '{"encrypt": "KEY", "acl": {"tokens": {"agent": "x"}}}'),
        ("zz.hcl", '/*\nencrypt = "OLD"\n*/ encrypt = "KEY" acl { tokens { agent = "x" } }'),
    ],
)
def test_a_key_is_read_wherever_it_stands_in_its_line(disk: dict[str, Any], name: str, text: str) -> None:
    Path(disk["config"], name).write_text(text)
    said = remote.describe(disk)

    assert said["keyrings"]["configured"] == said["keyrings"]["lan"]
    assert said["tokens"]["configured"]


def test_an_agent_is_asked_as_gate_as_nobody_and_as_a_stranger(disk: dict[str, Any], server: Server) -> None:
    config = {"NodeName": "one", "Datacenter": "dc1", "Server": True, "Version": "1.20.1"}
    server.pages["/v1/agent/self"] = {"Config": config, "DebugConfig": {"ACLsEnabled": True}, "Stats": {}}
    check = {"ServiceID": "web-1", "Interval": "1m30s", "Timeout": "10s"}
    server.pages["/v1/agent/checks"] = {"web-health": check}
    facts = remote.describe({**disk, "port": server.port, "token": TOKEN})
    said = facts["agent"]

    assert said["status"] == {"gate": 200, "nobody": 403, "stranger": 403}
    assert said["self"]["server"]
    assert said["self"]["acl"]
    assert Agent("one", facts).checks("web-1") == ((90, 10),)


def test_the_source_says_what_came_of_it(bed: Bed) -> None:
    source = consul.collect(bed, Access(), True, 1.0)

    assert source == Source("refused", "the gate has no token; access.credentials.consul in the bed file")
