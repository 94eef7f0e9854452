"""A name that refers to nothing is an error of the file, and the nearest name that does exist is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plumbline.bed import BedError
from plumbline.bed.model import Bed
from plumbline.bed.references import REFERENCES

_CERTIFICATE = "service_certificates: {own: {on: [one], unit: u, certificate: /c, key: /k}}"


def _consul(servers: str = "one", certificate: str = "own", more: str = "") -> str:
    parts = f"version: 1.20.1, servers: [{servers}], certificate: {certificate}"
    return f"consul: {{{parts}{more}}}\n{_CERTIFICATE}"


def _vault(node: str, certificate: str) -> str:
    shown = "{on: [one], unit: vault, certificate: /c, key: /k}"
    told = f"{{on: [{node}], cluster: keep, certificate: {certificate}, seal: {{type: static}}}}"
    return f"vault: {told}\nservice_certificates: {{vault: {shown}}}"


def _load(source: str, to: str) -> str:
    target = f"{{profile: p, from: {source}, to: {to}, users: 1, promise: {{}}}}"
    return f"load: {{limits: {{users: 1, requests: 9, time: 1m}}, targets: {{t: {target}}}}}"


DANGLING = {
    "networks.*.gateway": ("networks: {agents: {gateway: ffw}}", "networks.agents.gateway", "fw"),
    "networks.*.addresses.[key]": (
        "networks: {agents: {addresses: {onne: 10.1.0.9}}}",
        "networks.agents.addresses.onne",
        "one",
    ),
    "networks.*.dhcp.server": (
        "networks: {oobi: {dhcp: {server: fww, range: 10.9.0.9-10.9.0.19}}}",
        "networks.oobi.dhcp.server",
        "fw",
    ),
    "attachments.*.network": ("attachments: {agent: {network: agent}}", "attachments.agent.network", "agents"),
    "workloads.*.attach": ("workloads: {agent: {attach: agnt}}", "workloads.agent.attach", "agent"),
    "workloads.*.secrets.*": ("workloads: {agent: {secrets: [key]}}", "workloads.agent.secrets.0", "keys"),
    "workloads.*.certificate": ("workloads: {origin: {certificate: orign}}", "workloads.origin.certificate", "origin"),
    "workloads.*.storage": ("workloads: {origin: {storage: site}}", "workloads.origin.storage", "sites"),
    "workloads.*.trusts": ("workloads: {agent: {trusts: cb}}", "workloads.agent.trusts", ""),
    "workloads.*.uses.*": ("workloads: {agent: {uses: [file]}}", "workloads.agent.uses.0", "files"),
    "personas.*.workload": ("personas: {origin: {workload: orig}}", "personas.origin.workload", "origin"),
    "personas.*.network": ("personas: {origin: {network: origin}}", "personas.origin.network", "origins"),
    "certificates.*.authority": ("certificates: {origin: {authority: caa}}", "certificates.origin.authority", "ca"),
    "storage.*.nfs.server": ("storage: {sites: {nfs: {server: file}}}", "storage.sites.nfs.server", "files"),
    "ngfw.node": ("ngfw: {node: fw1}", "ngfw.node", "fw"),
    "ngfw.authority": ("ngfw: {authority: ca1}", "ngfw.authority", "ca"),
    "ngfw.verifies": ("ngfw: {verifies: ca1}", "ngfw.verifies", "ca"),
    "ngfw.snmp.network": ("ngfw: {snmp: {network: agent}}", "ngfw.snmp.network", "agents"),
    "flows.*.from": ("flows: [{from: agnt, to: personas, expect: refused}]", "flows.0.from", "agent"),
    "flows.*.to": ("flows: [{from: agent, to: persona, expect: refused}]", "flows.0.to", "personas"),
    "flows.*.through": ("flows: [{from: agent, to: personas, through: ffw, expect: refused}]", "flows.0.through", "fw"),
    "load.targets.*.from": (_load("agnt", "personas"), "load.targets.t.from", "agent"),
    "load.targets.*.to": (_load("agent", "persona"), "load.targets.t.to", "personas"),
    "load.targets.*.service": (
        _load("agent", "personas").replace("to: personas", "service: file"),
        "load.targets.t.service",
        "files",
    ),
    "services.dns.from": ("services: {dns: {from: agents}}", "services.dns.from", "agent"),
    "services.cloned.workload": (
        "services: {cloned: {workload: file, page: /}}",
        "services.cloned.workload",
        "files",
    ),
    "services.prometheus.workload": (
        "services: {prometheus: {workload: file, targets: {}}}",
        "services.prometheus.workload",
        "files",
    ),
    "consul.servers.*": (_consul(servers="onne"), "consul.servers.0", "one"),
    "consul.clients.*": (_consul(more=", clients: [onne]"), "consul.clients.0", "one"),
    "consul.certificate": (_consul(certificate="owm"), "consul.certificate", "own"),
    "consul.services.*.on.*": (
        _consul(more=", services: {web: {on: [onne], port: 80, check: {tcp: true}}}"),
        "consul.services.web.on.0",
        "one",
    ),
    "vault.on.*": (_vault("onne", "vault"), "vault.on.0", "one"),
    "vault.certificate": (_vault("one", "vaul"), "vault.certificate", "vault"),
    "slurm.controllers.*": ("slurm: {controllers: [one, ffw]}", "slurm.controllers.1", "fw"),
    "slurm.compute.[key]": ("slurm: {compute: {onne: {}}}", "slurm.compute.onne", "one"),
    "slurm.partitions.*.on.*": ("slurm: {partitions: {general: {on: [onne]}}}", "slurm.partitions.general.on.0", "one"),
    "slurm.accounting.node": ("slurm: {accounting: {node: onne}}", "slurm.accounting.node", "one"),
    "slurm.submit": ("slurm: {submit: onne}", "slurm.submit", "one"),
    "step_ca.node": ("step_ca: {node: onne, on: [one], domain: test}", "step_ca.node", "one"),
    "step_ca.on.*": ("step_ca: {node: one, on: [one, fww], domain: test}", "step_ca.on.1", "fw"),
    "service_certificates.*.on.*": (
        "service_certificates: {s: {on: [fww], unit: s, certificate: /s.crt, key: /s.key}}",
        "service_certificates.s.on.0",
        "fw",
    ),
    "ssh_certificates.on.*": ("ssh_certificates: {on: [fww]}", "ssh_certificates.on.0", "fw"),
}


def test_every_reference_has_a_test() -> None:
    assert DANGLING.keys() == REFERENCES.keys()


@pytest.mark.parametrize(("lines", "path", "near"), DANGLING.values(), ids=DANGLING.keys())
def test_a_dangling_name_is_told(small_with: Callable[[str], Bed], lines: str, path: str, near: str) -> None:
    with pytest.raises(BedError) as caught:
        small_with(lines)

    (problem,) = caught.value.problems
    assert (problem.path, problem.spot.file, problem.spot.line) == (path, "bed.yaml", 3)
    assert problem.hint == (f"did you mean {near}?" if near else "valid: ca")


def test_a_dangling_name_does_not_hide_other_errors(small_with: Callable[[str], Bed]) -> None:
    with pytest.raises(BedError) as caught:
        small_with("networks: {agents: {gateway: ffw, vlan: 0}}")

    assert [problem.path for problem in caught.value.problems] == ["networks.agents.gateway", "networks.agents.vlan"]
