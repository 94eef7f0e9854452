"""A small bed of real hardware, all of whose nodes are this machine's loopback."""

from __future__ import annotations

from pathlib import Path

from plumbline.bed import Bed, load

TEXT = """
version: 1
bed: small
realised_by: hardware
nodes:
  n1: {role: agents, oobi: 127.0.0.1, kubernetes: control-plane, trunk: [20], labels: {role: agents}}
  n2: {role: dark, oobi: 127.0.0.2}
  fw: {role: firewall, oobi: 127.0.0.3, trunk: [20, 101], ssh: false}
networks:
  browsers:
    {vlan: 20, cidr: 172.16.0.0/16, mtu: 9216, dscp: AF41, gateway: fw, addresses: {fw: 172.16.0.1, n1: 172.16.0.2}}
  persona-1: {vlan: 101, cidr: 10.1.1.0/27, mtu: 9216, gateway: fw, addresses: {fw: 10.1.1.30}}
host:
  - {on: {}, source: a test, sysctls: {kernel.pid_max: 4194304}, services: [ssh]}
kubernetes:
  version: v1.34.4
  api: "https://127.0.0.1:6443"
  pods: 10.42.0.0/16
  services: 10.43.0.0/16
  dns: 10.43.0.10
attachments:
  dut: {namespace: agents, network: browsers, ipam: host-local, routes: [10.1.0.0/16]}
  p1: {namespace: personas, network: persona-1, ipam: static, address: 10.1.1.2}
workloads:
  agent: {namespace: agents, kind: Deployment, program: agent, replicas: 1, attach: dut, trusts: fw-ca}
  persona-1: {namespace: personas, kind: Deployment, program: persona, port: 443, attach: p1, certificate: persona-1}
personas:
  persona-1: {workload: persona-1, name: one.test, address: 10.1.1.2, network: persona-1, quic: true}
authorities:
  persona-ca: {bundle: {secret: agents/persona-ca, key: ca.crt}}
  fw-ca: {bundle: {configmap: agents/fw-ca, key: ca.crt}}
certificates:
  persona-1:
    secret: personas/tls
    names: [one.test]
    authority: persona-ca
    wire: "10.1.1.2:443"
    lifetime: 90d
    renew_before: 30d
secrets:
  database: {namespace: agents, keys: [PASSWORD, URL]}
  snmp: {namespace: agents, keys: [COMMUNITY]}
ngfw:
  node: fw
  authority: fw-ca
  verifies: persona-ca
  udp_443: refused
  bad_origins: {expired: {name: expired.test, address: 10.1.1.20}}
flows:
  - {from: agent, to: personas, through: fw, expect: inspected}
"""


def small(folder: Path) -> Bed:
    """The bed, read from a file of its own."""
    path = folder / "small.yaml"
    path.write_text(TEXT)
    return load(path)
