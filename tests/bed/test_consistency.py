"""Each rule is silent on a bed that is right and names the subject of one that is not, and a check shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from plumbline.bed import Bed, load
from plumbline.bed.consistency import RULES, inconsistencies
from plumbline.check import Loop, check_of, loops_of

ROOT = Path(__file__).parents[2]
OTHER = "two: {role: x, oobi: 10.9.0.3, kubernetes: worker"


def _consul(certificate: str = "", **changed: str) -> str:
    """Lines with a Consul of one server, some of its keys changed."""
    names = "on: [one], unit: consul, certificate: /c, key: /k, names: [server.dc1.consul]"
    parts = {"version": "1.20.1", "servers": "[one]", "certificate": "consul", **changed}
    return (
        "step_ca: {node: one, domain: example.net, on: [one, fw]}\n"
        f"service_certificates: {{consul: {{{certificate or names}}}}}\n"
        f"consul: {{{', '.join(f'{key}: {value}' for key, value in parts.items())}}}"
    )


_WEB = "{web: {on: [one], port: 80, unit: consul, check: {http: /, scheme: https, host: %s, timeout: %s}}}"
CERTIFICATE = "{on: [one, fw, two], unit: vault, certificate: /c, key: /k, names: [vault.service.consul], port: 8200}"
VAULT = f"""nodes: {{two: {{role: x, oobi: 10.9.0.3}}}}
step_ca: {{node: one, domain: example.net, on: [one, fw, two]}}
service_certificates: {{vault: {CERTIFICATE}}}
vault:
  on: [one, fw, two]
  cluster: keep
  certificate: vault
  seal: {{type: static}}
  engines: {{secret: {{type: kv, version: 2}}, pki: {{type: pki}}}}
  secrets: {{mine: {{path: secret/a, readable: true}}}}
  issuing: {{engine: pki, name: x.example.net}}
"""
CA = "step_ca: {node: one, on: [one], domain: example.internal}"
FILES = "on: [one], unit: s, certificate: /s.crt, key: /s.key"

# rule, subject → lines over small.yaml that make it red
RED = {
    ("overlapping-networks", "vlan:origins"): "networks: {origins: {cidr: 10.1.0.0/16}}",
    ("overlapping-networks", "kubernetes:pods"): "kubernetes: {pods: 10.9.0.0/16}",
    ("overlapping-networks", "kubernetes:services"): "kubernetes: {services: 10.42.0.0/24}",
    ("duplicate-address", "node:one"): "networks: {agents: {addresses: {one: 10.1.0.1}}}",
    ("duplicate-address", "node:fw"): "nodes: {fw: {oobi: 10.9.0.1}}",
    ("duplicate-address", "node:runner"): "access: {runner: 10.9.0.2}",
    ("duplicate-address", "attachment:origin"): "attachments: {origin: {address: 10.2.0.1}}",
    ("duplicate-address", "persona:origin"): "personas: {origin: {address: 10.2.0.1}}",
    (
        "duplicate-mac",
        "node:fw",
    ): "nodes: {one: {macs: {eth1: '02:00:00:00:00:0a'}}, fw: {macs: {eth0: '02:00:00:00:00:0A'}}}",
    ("address-outside-network", "node:one"): "nodes: {one: {oobi: 10.8.0.1}}",
    ("address-outside-network", "node:runner"): "access: {runner: 10.9.0.255}",
    ("address-outside-network", "attachment:origin"): "attachments: {origin: {address: 10.2.1.10}}",
    ("service-address-outside", "kubernetes:services"): "kubernetes: {dns: 10.9.0.53}",
    ("gateway-without-address", "vlan:origins"): "networks: {origins: {gateway: one}}",
    ("pool-outside-network", "vlan:agents"): "networks: {agents: {pool: 10.1.0.10-10.1.1.20}}",
    ("pool-over-static-address", "vlan:agents"): "networks: {agents: {pool: 10.1.0.2-10.1.0.20}}",
    ("pool-over-static-address", "vlan:origins"): "attachments: {agent: {network: origins}}",
    ("pool-over-static-address", "network:oobi"): "networks: {oobi: {dhcp: {server: fw, range: 10.9.0.2-10.9.0.9}}}",
    ("overlapping-pools", "vlan:agents"): "networks: {agents: {dhcp: {server: fw, range: 10.1.0.20-10.1.0.30}}}",
    ("duplicate-vlan", "vlan:origins"): "networks: {origins: {vlan: 10}}",
    ("address-off-trunk", "node:one"): "nodes: {one: {trunk: [20]}}",
    ("trunk-without-network", "node:fw"): "nodes: {fw: {trunk: [10, 20, 30-31]}}",
    ("workload-off-trunk", "workload:agent"): f"nodes: {{{OTHER}, labels: {{role: web}}}}}}",
    ("persona-without-vlan", "persona:origin"): "networks: {origins: {vlan: null}}",
    ("path-mtu", "flow:agent>personas"): "networks: {origins: {mtu: 1500}}",
    ("attachment-mtu", "attachment:agent"): "networks: {agents: {mtu: 1500}}\nattachments: {agent: {mtu: 9000}}",
    ("route-over-management", "attachment:agent"): "attachments: {agent: {routes: [10.0.0.0/8]}}",
    ("role-without-node", "workload:agent"): "workloads: {agent: {on: {role: wbe}}}",
    ("role-without-node", "storage:sites"): "storage: {sites: {node: {role: none}}}",
    ("role-without-node", "profile:0"): "host: [{on: {role: none}, source: a book}]",
    ("even-quorum", "kubernetes:control-plane"): "nodes: {fw: {kubernetes: control-plane}}",
    ("replicas-outside-scale", "workload:agent"): "workloads: {agent: {replicas: 10}}",
    ("nfs-over-data-plane", "storage:sites"): "workloads: {files: {attach: agent}}",
    ("another-namespace", "workload:agent"): "secrets: {keys: {namespace: play}}",
    ("another-namespace", "workload:origin"): "storage: {sites: {namespace: play}}",
    ("attachment-without-addresses", "attachment:agent"): "networks: {agents: {pool: null}}",
    ("attachment-without-addresses", "attachment:origin"): "attachments: {origin: {ipam: dhcp}}",
    ("node-without-way-in", "node:one"): "nodes: {one: {oobi: null}}",
    ("renewal-after-expiry", "certificate:origin"): "certificates: {origin: {renew_before: 90d}}",
    ("persona-unnamed", "persona:origin"): "certificates: {origin: {names: [x.example.internal]}}",
    ("persona-elsewhere", "persona:origin"): "workloads: {origin: {attach: null}}",
    ("certificate-elsewhere", "certificate:origin"): "certificates: {origin: {wire: '10.2.0.11:443'}}",
    ("secret-without-key", "secret:work/keys"): "ngfw: {snmp: {community: keys/COMMUNITY}}",
    ("secret-without-key", "secret:key"): "ngfw: {snmp: {community: key/TOKEN}}",
    ("zone-without-server", "dns:example.com"): "services: {dns: {zone: example.com}}",
    ("consul-quorum", "consul:peers"): _consul(servers="[one, fw]"),
    ("consul-twice", "consul-agent:one"): _consul(clients="[one]"),
    ("consul-certificate", "consul-api:fw"): _consul(servers="[fw]"),
    ("consul-server-name", "consul:name-of-servers"): _consul(datacenter="dc2"),
    ("consul-service-without-agent", "consul-service:web-fw"): _consul(
        services="{web: {on: [fw], port: 80, check: {tcp: true}}}"
    ),
    ("consul-check-unnamed", "consul-service:web-one"): _consul(services=_WEB % ("web.example.net", "1s")),
    ("consul-check-overlapping", "consul-name:web"): _consul(services=_WEB % ("one", "30s")),
    ("vault-even-quorum", "vault-cluster:keep"): VAULT.replace("  on: [one, fw, two]", "  on: [one, fw]"),
    ("vault-without-certificate", "vault-cluster:keep"): VAULT.replace("{on: [one, fw, two]", "{on: [one, fw]"),
    ("vault-unnamed", "vault-cluster:keep"): VAULT.replace("[vault.service.consul]", "[x.example.net]"),
    ("vault-engine-missing", "vault-secret:mine"): VAULT.replace("path: secret/a", "path: secrets/a"),
    ("vault-engine-missing", "vault-issuer:pki"): VAULT.replace("{type: pki}", "{type: kv}"),
    ("partition-without-slurmd", "slurm-partition:general"): "slurm: {partitions: {general: {on: [one, fw]}}}",
    ("default-partition", "slurm:partitions"): "slurm: {partitions: {general: {default: false}}}",
    ("job-size", "slurm-size:large"): "slurm: {sizes: {large: {memory: 8001}}}",
    ("slurm-backup", "slurm:controllers"): "slurm: {controllers: [one]}",
    ("slurm-state", "slurm:state"): "slurm: {state: /var/lib/slurm}",
    ("renewal-slack", "service-certificate:s"): f"{CA}\nservice_certificates: {{s: {{{FILES}, lifetime: 15m}}}}",
    ("renewal-slack", "ssh:certificates"): f"{CA}\nssh_certificates: {{on: [one], lifetime: 30m}}",
    ("lifetime-too-long", "service-certificate:s"): f"{CA}\nservice_certificates: {{s: {{{FILES}, lifetime: 8760h}}}}",
    ("renewal-without-authority", "service-certificate:s"): f"service_certificates: {{s: {{{FILES}}}}}",
    ("renewal-without-authority", "ssh:certificates"): f"{CA}\nssh_certificates: {{on: [one, fw]}}",
    ("certificate-in-one-place", "service-certificate:t"): (
        f"{CA}\nservice_certificates: {{s: {{{FILES}}}, t: {{{FILES}}}}}"
    ),
}
GREEN = [
    "access: {runner: 10.9.0.9}",
    "nodes: {fw: {macs: {eth0: '02:00:00:00:00:01', eth1: '02:00:00:00:00:02'}}}",
    "nodes: {two: {role: x, oobi: 10.9.0.3, kubernetes: worker}}",
    "nodes: {fw: {kubernetes: control-plane}, two: {role: x, oobi: 10.9.0.3, kubernetes: control-plane}}",
    "nodes: {fw: {oobi: null, ssh: false}}",
    "certificates: {origin: {names: ['*.example.internal']}}",
    "ngfw: {snmp: {community: '${env:COMMUNITY}'}}",
    "ngfw: null",
    VAULT,
    "slurm: null",
    "slurm: {compute: {one: {memory: null}}, sizes: {large: {memory: 9000}}}",
    "kubernetes: null\nservices: {dns: null}",
    _consul(clients="[fw]", services=_WEB % ("'{node}.nodes.example.net'", "10s")),
]  # fmt: skip


@pytest.mark.parametrize("name", ["lab.yaml", "tlsstress.yaml"])
def test_the_committed_beds_do_not_contradict_themselves(name: str) -> None:
    assert [str(item) for item in inconsistencies(load(ROOT / "inventories" / name))] == []


def test_the_cluster_of_seed_001_has_the_one_contradiction_that_it_really_has() -> None:
    found = inconsistencies(load(ROOT / "inventories" / "goldentooth.yaml"))

    assert [(item.rule, item.subject) for item in found] == [("renewal-slack", "service-certificate:canary")]


@pytest.mark.parametrize("lines", ["", *GREEN])
def test_a_bed_that_is_right_is_left_alone(small_with: Callable[[str], Bed], lines: str) -> None:
    assert [str(item) for item in inconsistencies(small_with(lines))] == []


@pytest.mark.parametrize(("about", "lines"), RED.items(), ids=[" ".join(key) for key in RED])
def test_a_rule_names_what_is_wrong(small_with: Callable[[str], Bed], about: tuple[str, str], lines: str) -> None:
    bed = small_with(lines)
    named = [item for item in inconsistencies(bed) if (item.rule, item.subject) == about]

    assert named, [str(item) for item in inconsistencies(bed)]
    assert all(item.expected and item.found and item.remedy for item in named)
    assert all(re.fullmatch(r"(bed|small)\.yaml:\d+", item.declared) for item in named)


@pytest.mark.parametrize(("about", "lines"), RED.items(), ids=[" ".join(key) for key in RED])
def test_a_check_of_the_suite_is_about_it(small_with: Callable[[str], Bed], about: tuple[str, str], lines: str) -> None:
    (loop,) = checks()[f"inventory.{about[0]}"]

    assert about[1] in [case.value for case in loop.cases(small_with(lines))]


def test_every_rule_is_proved_and_checked() -> None:
    rules = {rule.__name__.replace("_", "-") for rule in RULES}

    assert rules == {rule for rule, _ in RED}
    assert rules == {id.removeprefix("inventory.") for id in checks()}


def test_the_seeds_own_slip_is_caught(small_with: Callable[[str], Bed]) -> None:
    """The seed gives 172.16.0.1 both to the node's VLAN interface and to the firewall."""
    bed = small_with("networks: {agents: {cidr: 172.16.0.0/16, addresses: {one: 172.16.0.1, fw: 172.16.0.1}}}")

    assert "172.16.0.1 belongs to node:fw too (bed.yaml:3)" in [item.found for item in inconsistencies(bed)]


def checks() -> dict[str, tuple[Loop, ...]]:
    """The loops of each check of the inventory layer, by id."""
    found = {}
    for file in sorted((ROOT / "suites" / "inventory").glob("test_*.py")):
        module: ModuleType = import_module(f"suites.inventory.{file.stem}")
        for function in vars(module).values():
            check = check_of(function)
            if check:
                found[check.id] = loops_of(function)
    return found
