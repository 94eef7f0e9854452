"""Nodes can come from an Ansible inventory, YAML or INI; what the bed file says itself wins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.bed import Bed, BedError, load
from plumbline.bed.errors import Spot
from plumbline.bed.inventory import expand_hosts, read

INI = """
gate ansible_host=10.9.0.9 role=gate ansible_password=hunter2   # unsorted

[web]
web-[01:03] ansible_user=ubuntu
10.9.0.50:2222

[web:vars]
role=web
node_labels={"role": "web", "fast": True}

[db]
db-[a:b] ansible_host="10.9.0.8" role=db

[all_servers:children]
web
db

[all_servers:vars]
ansible_user=root
trunk=[10, 20]
"""
YAML = """
all:
  vars: {ansible_user: root}
  children:
    web:
      hosts:
        web-[01:03]: {role: web}
        gate: {ansible_host: 10.9.0.9, role: gate, ansible_port: 2222}
      vars: {node_labels: [role=web, fast=true], ansible_password: !vault abc}
"""
HEAD = "version: 1\nbed: b\nrealised_by: hardware\nnetworks: {oobi: {cidr: 10.9.0.0/24}}\n"


@pytest.fixture
def bed_with(folder: Path) -> Callable[[str, str], Bed]:
    """A bed whose hosts are read from an inventory with this text."""

    def made(inventory: str, hosts: str = "hosts: {ansible: hosts}") -> Bed:
        (folder / "hosts").write_text(inventory)
        (folder / "bed.yaml").write_text(HEAD + hosts + "\n")
        return load("bed.yaml")

    return made


def test_an_ini_inventory_gives_nodes(bed_with: Callable[..., Bed]) -> None:
    nodes = bed_with(INI).nodes

    assert list(nodes) == ["10.9.0.50", "db-a", "db-b", "gate", "web-01", "web-02", "web-03"]
    assert (nodes["web-01"].role, nodes["web-01"].user, nodes["db-a"].user) == ("web", "ubuntu", "root")
    assert nodes["web-02"].labels == {"role": "web", "fast": "true"}
    assert nodes["web-02"].trunk == {10, 20}
    assert (str(nodes["10.9.0.50"].oobi), nodes["10.9.0.50"].port) == ("10.9.0.50", 2222)


def test_a_yaml_inventory_gives_nodes(bed_with: Callable[..., Bed]) -> None:
    nodes = bed_with(YAML).nodes

    assert list(nodes) == ["gate", "web-01", "web-02", "web-03"]
    assert (nodes["gate"].port, nodes["gate"].user, str(nodes["gate"].oobi)) == (2222, "root", "10.9.0.9")
    assert nodes["web-03"].labels == {"role": "web", "fast": "true"}


def test_the_bed_file_wins_and_knows_both_places(bed_with: Callable[..., Bed]) -> None:
    bed = bed_with(YAML, "hosts: {ansible: hosts}\nnodes: {gate: {role: door}, more: {role: x}}")

    assert (bed.nodes["gate"].role, str(bed.nodes["gate"].oobi)) == ("door", "10.9.0.9")
    assert "more" in bed.nodes
    assert (bed.where("nodes.gate.role"), bed.where("nodes.gate.oobi")) == ("bed.yaml:6", "hosts:8")


def test_groups_say_what_their_members_are(bed_with: Callable[..., Bed]) -> None:
    bed = bed_with(INI, "hosts: {ansible: hosts, only: [db], groups: {db: {kubernetes: worker, labels: {tier: data}}}}")

    assert list(bed.nodes) == ["db-a", "db-b"]
    assert bed.nodes["db-a"].kubernetes == "worker"
    assert bed.nodes["db-b"].labels == {"tier": "data"}


def test_group_and_host_variables_come_from_files(folder: Path, bed_with: Callable[..., Bed]) -> None:
    for path, text in {
        "group_vars/all.yml": "role: none\nansible_user: everyone",
        "group_vars/db/main.yml": "role: data",
        "group_vars/db/vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162",
        "host_vars/one.yaml": "ansible_host: 10.9.0.1",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)

    nodes = bed_with("[db]\none ansible_host=10.9.0.77\n[other]\ntwo\n").nodes

    assert (nodes["one"].role, nodes["one"].user, str(nodes["one"].oobi)) == ("data", "everyone", "10.9.0.1")
    assert nodes["two"].role == "none"


def test_a_folder_is_an_inventory_too(folder: Path) -> None:
    (folder / "inv").mkdir()
    (folder / "inv" / "a.ini").write_text("[web]\none\n")
    (folder / "inv" / "b.yml").write_text("web: {hosts: {two: }}\n")

    assert read(folder / "inv").members("web") == {"one", "two"}


def test_child_groups_win_over_their_parents(folder: Path) -> None:
    (folder / "hosts").write_text("[inner]\none\n[outer:children]\ninner\n[outer:vars]\nx=1\n[inner:vars]\nx=2\n")

    assert read(folder / "hosts").variables("one")["x"].value == 2


@pytest.mark.parametrize(
    ("inventory", "hosts", "said"),
    [
        ("[a]\none role\n", "", "hosts:2:1: expected variable=value after the host, found a word without ="),
        ("[a:vars]\nx\n", "", "hosts:2:1: expected variable=value, found a line without ="),
        ("[a]\none x='\n", "", "hosts:2:1: the line cannot be split into words"),
        ("[a]\nn[3:1] role=x\n", "", "hosts:2:1: expected a host range such as .* found \\[3:1\\]"),
        ("[a]\none role=x ansible_host=db.local\n", "", "hosts:2:1: nodes.one.oobi: expected an IPv4 address"),
        ("[a]\none ansible_host=10.9.0.1\n", "", "hosts:2:1: nodes.one.role: the field role is missing"),
        ("a: {hosts: {one: {role: '{{ r }}'}}}\n", "", "role: expected a value, found a template in the variable role"),
        ("#!/bin/sh\n", "", "found a program; save what it prints"),
        ("[web]\none role=x\n", "only: [wbe]", 'expected a group of the inventory, found "wbe"; did you mean web?'),
        ("[web]\none role=x\n", "groups: {web: {rol: x}}", "nodes.one.rol: the key rol is unknown here"),
        ("[web]\none role=x\n", "onyl: [web]", "hosts.onyl: the key onyl is unknown here; did you mean only?"),
        ("all: {hosts: [\n", "", "hosts:2:1: not YAML"),
    ],
)  # fmt: skip
def test_a_wrong_inventory_is_told(bed_with: Callable[..., Bed], inventory: str, hosts: str, said: str) -> None:
    with pytest.raises(BedError, match=said.replace("?", r"\?")):
        bed_with(
            inventory if not inventory.startswith("a:") else f"---\n{inventory}", f"hosts: {{ansible: hosts, {hosts}}}"
        )


def test_a_missing_inventory_is_told(bed_with: Callable[..., Bed]) -> None:
    with pytest.raises(BedError, match=r'bed.yaml:5:18: hosts.ansible: .* found "hots"; did you mean hosts\?'):
        bed_with("", "hosts: {ansible: hots}")


def test_a_password_of_the_inventory_is_never_shown(bed_with: Callable[..., Bed]) -> None:
    bed = bed_with(INI)

    assert "hunter2" not in repr(bed)
    assert "hunter2" not in bed.model_dump_json()


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("n[01:03]", "n01 n02 n03"),
        ("n[1:5:2]", "n1 n3 n5"),
        ("[a:c]-x", "a-x b-x c-x"),
        ("r[1:2]n[1:2]", "r1n1 r1n2 r2n1 r2n2"),
    ],
)
def test_host_ranges(pattern: str, hosts: str) -> None:
    assert list(expand_hosts(pattern, Spot("f"))) == hosts.split()
