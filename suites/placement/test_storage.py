"""Volumes are bound to their claims, lie where the bed file says, and NFS keeps off the data plane."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from plumbline.bed import Bed
from plumbline.bed.model import Node, Storage, Workload
from plumbline.check import check, for_each, found
from plumbline.facts import Facts, Tcp
from plumbline.outcome import Unknown
from plumbline.subjects import Thing
from suites.placement import cases


def volume(facts: Facts, name: str) -> dict[str, Any]:
    """A PersistentVolume; Unknown where there is none."""
    known = facts.kubernetes.object("persistentvolumes", "", name)
    if known is None:
        raise Unknown(f"there is no PersistentVolume {name}", cause=f"storage:{name}")
    return known


@check(
    "placement.volume",
    severity="critical",
    remedy="kubectl get pv {name}; kubectl describe pv {name}; apply k8s/dut/36-cloned-sites-pvs.yaml or its like again",
    consequence="what needs {name} does not start, or starts without its data",
    source="seed 000, cross-node storage",
)
@for_each("storage", cases.volumes)
def test_a_volume_is_bound(storage: Thing[Storage], facts: Facts) -> None:
    """The PersistentVolume exists and is bound to its own claim."""
    known = facts.kubernetes.object("persistentvolumes", "", storage.name)

    assert known is not None, found(f"no PersistentVolume {storage.name}", expected="Bound")
    claim, phase = known["spec"].get("claimRef", {}), known["status"]["phase"]
    bound = f"{phase} to {claim.get('namespace')}/{claim.get('name')}"
    expected = f"Bound to {storage.spec.namespace}/{storage.name}"
    assert bound == expected, found(bound, expected=expected)


@check(
    "placement.claim",
    severity="critical",
    remedy="kubectl get pvc -A | grep {name}; kubectl describe it; delete it and apply it again if it is bound elsewhere",
    consequence="pods that claim {name} stay Pending",
    source="seed 000, chapter 13",
)
@for_each("storage", cases.claims)
def test_a_claim_is_bound_to_its_volume(storage: Thing[Storage], facts: Facts) -> None:
    """The claim exists and is bound to the volume of its name."""
    known = facts.kubernetes.object("persistentvolumeclaims", storage.spec.namespace, storage.name)

    assert known is not None, found(f"no claim {storage.name} in {storage.spec.namespace}", expected="Bound")
    bound = f"{known['status']['phase']} to {known['spec'].get('volumeName', 'nothing')}"
    assert bound == f"Bound to {storage.name}", found(bound, expected=f"Bound to {storage.name}")


@check(
    "placement.volume-mode",
    severity="major",
    remedy="kubectl get pv {name} -o yaml; delete claim and volume, and apply both again as declared",
    consequence="readers can spoil what is measured, or the writer cannot write",
    source="seed 000, cross-node storage",
)
@for_each("storage", cases.sizes)
def test_a_volume_has_its_size_and_mode(storage: Thing[Storage], facts: Facts) -> None:
    """The volume has the declared size, and exactly the declared access mode."""
    spec = volume(facts, storage.name)["spec"]
    known = spec["capacity"]["storage"], spec["accessModes"]

    assert known == (storage.spec.size, [storage.spec.mode]), found(
        f"{known[0]}, {', '.join(known[1])}", expected=f"{storage.spec.size}, {storage.spec.mode}"
    )


@check(
    "placement.volume-place",
    severity="critical",
    remedy="kubectl get pv {name} -o yaml; data that is elsewhere has to be copied before the volume is made again",
    consequence="pods find another disk than the one with their data",
    source="seed 000, chapters 12 and 13, cross-node storage",
)
@for_each("storage", cases.places)
def test_a_volume_lies_where_declared(storage: Thing[Storage], facts: Facts, bed: Bed) -> None:
    """The volume is on a disk of the declared node, or on the declared export of the declared server."""
    spec = volume(facts, storage.name)["spec"]

    if storage.spec.nfs is None:
        disk = (spec.get("local") or spec.get("hostPath") or {}).get("path")
        assert disk == storage.spec.path, found(f"on {disk}", expected=storage.spec.path)
        nodes = pinned(spec, bed)
        assert nodes == bed.selected(storage.spec.node or {}), found(f"on {nodes}", expected=storage.spec.node)
        return
    server, export = spec.get("nfs", {}).get("server", "none"), spec.get("nfs", {}).get("path")
    service = facts.kubernetes.object(
        "services", bed.workloads[storage.spec.nfs.server].namespace, storage.spec.nfs.server
    )
    known = {storage.spec.nfs.server, service["spec"]["clusterIP"] if service else ""}
    assert server.partition(".")[0] in known or server in known, found(server, expected=storage.spec.nfs.server)
    assert export == storage.spec.nfs.path, found(f"export {export}", expected=storage.spec.nfs.path)


def pinned(spec: dict[str, Any], bed: Bed) -> list[str]:
    """Nodes that the node affinity of a volume allows."""
    terms = spec.get("nodeAffinity", {}).get("required", {}).get("nodeSelectorTerms", ())
    allowed = []
    for name, node in bed.kubernetes_nodes.items():
        labels = {**node.labels, "kubernetes.io/hostname": name}
        for term in terms:
            if all(labels.get(e["key"]) in e.get("values", ()) for e in term.get("matchExpressions", ())):
                allowed.append(name)
    return allowed


@check(
    "placement.mount",
    severity="critical",
    remedy="kubectl get pods -A -o yaml | grep -B3 claimName; apply the manifest of {name} again",
    consequence="the data of {name} is gone with its pod",
    source="seed 000, chapter 12",
)
@for_each("workload", cases.mounted)
def test_pods_use_their_claim(workload: Thing[Workload], facts: Facts) -> None:
    """Each pod has a volume that is the declared claim."""
    for pod in facts.kubernetes.pods(workload.name):
        claims = [v.get("persistentVolumeClaim", {}).get("claimName") for v in pod.raw["spec"].get("volumes", ())]

        assert workload.spec.storage in claims, found(f"{pod.name}: claims {claims}", expected=workload.spec.storage)


@check(
    "placement.beside-its-storage",
    severity="major",
    remedy="move the NFS server and {name} to one node: their node selectors must match (seed 000, cross-node storage)",
    consequence="everything that {name} writes crosses management for nothing",
    source="seed 000, cross-node storage",
)
@for_each("writer", cases.writers)
def test_who_writes_is_on_the_node_of_the_server(writer: cases.Writer, facts: Facts) -> None:
    """The writer and the NFS server are on one node."""
    nodes = {name: {p.node for p in facts.kubernetes.pods(name)} for name in (writer.workload, writer.server)}

    assert len(set.union(*nodes.values())) == 1, found(nodes, expected="one node for both")


@check(
    "placement.nfs-on-management",
    severity="critical",
    remedy="take the annotation k8s.v1.cni.cncf.io/networks away from {name}; kubectl rollout restart deployment {name}",
    consequence="storage shares the path that is measured, and spoils the measurement",
    source="seed 000, cross-node storage",
)
@for_each("server", cases.exporters)
def test_the_nfs_server_is_on_no_vlan(server: Thing[Workload], facts: Facts) -> None:
    """The NFS server's pods have the pod network and nothing else."""
    for pod in facts.kubernetes.pods(server.name):
        assert not pod.wants, found(f"{pod.name} asks for {pod.wants}", expected="no attachment")
        inside = facts.pod(pod)
        assert not inside.host_network, found(f"{pod.name} uses the node's network", expected="one of its own")
        links = sorted(n for n in inside.network.links if n not in {"lo", "eth0"})
        assert not links, found(f"{pod.name} has {', '.join(links)}", expected="eth0 alone")


@check(
    "placement.nfs-path",
    severity="critical",
    remedy="kubectl exec of the pod -- ip route; take the route away from the attachment of {name}",
    consequence="{name} reads and writes storage through the firewall",
    source="seed 000, cross-node storage",
)
@for_each("user", cases.readers)
def test_storage_is_reached_over_management(user: Thing[Workload], facts: Facts, bed: Bed) -> None:
    """No route of a pod leads to the NFS server, or to the address of its service, over net1."""
    nfs = bed.storage[user.spec.storage or ""].nfs
    server = nfs.server if nfs else ""
    service = facts.kubernetes.object("services", bed.workloads[server].namespace, server)
    ends = [p.address for p in facts.kubernetes.pods(server)] + ([service["spec"]["clusterIP"]] if service else [])
    for pod in facts.kubernetes.pods(user.name):
        for route in facts.pod(pod).network.routes:
            wrong = [end for end in ends if route.device == "net1" and IPv4Address(end) in route.destination]

            assert not wrong, found(f"{pod.name}: {wrong} by {route.destination} over net1", expected="over eth0")


@check(
    "placement.nfs-not-on-nodes",
    severity="major",
    remedy="on {name}: ss -tlnp sport = :2049; systemctl disable --now nfs-server",
    consequence="files of {name} are served on the data plane too",
    source="seed 000, cross-node storage",
)
@for_each("node", cases.nfs_hosts)
def test_no_node_serves_nfs_itself(node: Thing[Node], facts: Facts, bed: Bed) -> None:
    """Nothing listens on the port of NFS in the network of the node itself, which has VLANs."""
    ports = {bed.workloads[s.nfs.server].port or 2049 for s in bed.storage.values() if s.nfs}
    heard = [f"{address} port {port}" for port in ports for address in facts.node(node.name).listening("tcp", port)]

    assert not heard, found(f"listens on {', '.join(heard)}", expected="nothing")


@check(
    "placement.nfs-not-on-data-plane",
    severity="critical",
    kind="active",
    remedy="kubectl exec of the pod -- ss -tln; no container may forward the NFS port to net1",
    consequence="whoever is on the VLAN of {name} reads its storage, and the firewall measures it",
    source="seed 000, cross-node storage",
)
@for_each("user", cases.attached_readers)
def test_nfs_does_not_answer_on_the_data_plane(user: Thing[Workload], facts: Facts) -> None:
    """The NFS port of the pods' data-plane address takes no connection from the gateway of their VLAN."""
    for answer in facts.probes(Tcp, "nfs-data-plane", target=user.name):
        if not answer.facts.get("answered_by"):
            raise Unknown(f"{answer.args['address']} answers nothing at all: {answer}", cause=f"net1-path:{user.name}")

        assert answer.syn != "accepted", found(f"a connection to {answer.args['address']}", expected="refused")
