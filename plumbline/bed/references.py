"""Names in a bed file that stand for something declared elsewhere in it; a name of nothing is an error of the file."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed.describe import shown
from plumbline.bed.errors import Problem, nearest
from plumbline.bed.tree import Tree

# where a name stands → the section that declares it. `*` is any key or item, `[key]` the keys themselves.
REFERENCES = {
    "networks.*.gateway": "nodes",
    "networks.*.addresses.[key]": "nodes",
    "networks.*.dhcp.server": "nodes",
    "attachments.*.network": "networks",
    "workloads.*.attach": "attachments",
    "workloads.*.secrets.*": "secrets",
    "workloads.*.certificate": "certificates",
    "workloads.*.storage": "storage",
    "workloads.*.trusts": "authorities",
    "workloads.*.uses.*": "workloads",
    "personas.*.workload": "workloads",
    "personas.*.network": "networks",
    "certificates.*.authority": "authorities",
    "storage.*.nfs.server": "workloads",
    "ngfw.node": "nodes",
    "ngfw.authority": "authorities",
    "ngfw.verifies": "authorities",
    "ngfw.snmp.network": "networks",
    "flows.*.from": "workloads",
    "flows.*.to": "workloads",
    "flows.*.through": "nodes",
    "load.targets.*.from": "workloads",
    "load.targets.*.to": "personas",
    "load.targets.*.service": "workloads",
    "services.dns.from": "workloads",
    "services.prometheus.workload": "workloads",
    "services.cloned.workload": "workloads",
    "step_ca.node": "nodes",
    "step_ca.on.*": "nodes",
    "service_certificates.*.on.*": "nodes",
    "consul.servers.*": "nodes",
    "consul.clients.*": "nodes",
    "consul.certificate": "service_certificates",
    "consul.services.*.on.*": "nodes",
    "vault.on.*": "nodes",
    "vault.certificate": "service_certificates",
    "slurm.controllers.*": "nodes",
    "slurm.compute.[key]": "nodes",
    "slurm.partitions.*.on.*": "nodes",
    "slurm.accounting.node": "nodes",
    "slurm.submit": "nodes",
    "ssh_certificates.on.*": "nodes",
}
_ALSO = {
    "flows.*.from": ("personas",),
    "flows.*.to": ("personas",),
    "load.targets.*.to": ("personas", "consul", "kubernetes"),
}  # words that stand for all of a kind


def dangling(tree: Tree) -> Iterator[Problem]:
    """Every name that refers to nothing, with the nearest name that does exist."""
    for pattern, section in REFERENCES.items():
        declared = tree.child(section)
        names = [*(name for name, _ in (declared.items() if declared else ())), *_ALSO.get(pattern, ())]
        for path, name, item in _matching(tree, pattern.split("."), ""):
            if isinstance(name, str) and name not in names:
                spot = item.key if pattern.endswith("[key]") else item.spot
                yield Problem(spot, path, f"a name from {section}", shown(name), nearest(name, names))


def _matching(tree: Tree, pattern: list[str], path: str) -> Iterator[tuple[str, object, Tree]]:
    if not pattern:
        yield path, tree.value, tree
    elif pattern[0] == "[key]":
        yield from ((f"{path}.{name}", name, item) for name, item in tree.items())
    else:
        for name, item in tree.items():
            if pattern[0] in ("*", name):
                yield from _matching(item, pattern[1:], f"{path}.{name}" if path else name)
