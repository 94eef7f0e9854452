"""Rules about the cluster: where things may run, and what they stand on."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bed.consistency.found import Inconsistency
from plumbline.bed.model import Bed
from plumbline.bed.types import Labels


def role_without_node(bed: Bed) -> Iterator[Inconsistency]:
    """Whatever is pinned by labels has a node that carries them."""
    for subject, path, labels in selectors(bed):
        if labels is not None and not bed.selected(labels):
            written = ", ".join(f"{name}={value}" for name, value in labels.items()) or "any Kubernetes node"
            yield Inconsistency(
                "role-without-node",
                subject,
                bed.where(path),
                f"a node with {written}",
                "none",
                "label a node in nodes, or change the selector",
            )


def even_quorum(bed: Bed) -> Iterator[Inconsistency]:
    """The control plane has an odd number of members: an even one bears no more losses and can split in halves."""
    members = [name for name, node in bed.nodes.items() if node.kubernetes == "control-plane"]
    if bed.kubernetes and len(members) % 2 == 0:
        yield Inconsistency(
            "even-quorum",
            "kubernetes:control-plane",
            bed.where(f"nodes.{members[0]}.kubernetes" if members else "kubernetes"),
            "an odd number of control-plane nodes",
            f"{len(members)}{': ' + ', '.join(members) if members else ''}",
            "add one or remove one",
        )


def replicas_outside_scale(bed: Bed) -> Iterator[Inconsistency]:
    """The declared number of replicas is one of those that are in order."""
    for name, workload in bed.workloads.items():
        if workload.scale and workload.replicas not in workload.scale:
            yield Inconsistency(
                "replicas-outside-scale",
                f"workload:{name}",
                bed.where(f"workloads.{name}.replicas"),
                f"{min(workload.scale)} to {max(workload.scale)} replicas",
                str(workload.replicas),
                f"change workloads.{name}.replicas or .scale",
            )


def nfs_over_data_plane(bed: Bed) -> Iterator[Inconsistency]:
    """Storage is served over management: on a VLAN it would share the path that is measured."""
    for name, storage in bed.storage.items():
        server = bed.workloads[storage.nfs.server] if storage.nfs else None
        network = bed.attachments[server.attach].network if server and server.attach else ""
        if storage.nfs and network in bed.vlans:
            yield Inconsistency(
                "nfs-over-data-plane",
                f"storage:{name}",
                bed.where(f"workloads.{storage.nfs.server}.attach"),
                "an NFS server on OOBI only",
                f"{storage.nfs.server} is attached to VLAN {bed.vlans[network].vlan} ({network})",
                f"remove workloads.{storage.nfs.server}.attach",
            )


def another_namespace(bed: Bed) -> Iterator[Inconsistency]:
    """A pod reaches secrets, certificates, claims and attachments of its own namespace only."""
    for name, workload in bed.workloads.items():
        used = [(f"secret {key}", bed.secrets[key].namespace, f"secrets.{key}") for key in workload.secrets]
        if workload.certificate:
            certificate = bed.certificates[workload.certificate]
            place = f"certificates.{workload.certificate}.secret"
            used.append((f"certificate {workload.certificate}", certificate.secret.namespace, place))
        if workload.storage:
            used.append(
                (f"claim {workload.storage}", bed.storage[workload.storage].namespace, f"storage.{workload.storage}")
            )
        if workload.attach:
            attachment = bed.attachments[workload.attach]
            used.append((f"attachment {workload.attach}", attachment.namespace, f"attachments.{workload.attach}"))
        for what, namespace, path in used:
            if namespace != workload.namespace:
                yield Inconsistency(
                    "another-namespace",
                    f"workload:{name}",
                    bed.where(f"workloads.{name}.namespace"),
                    f"the {what} in namespace {workload.namespace}",
                    f"it is in {namespace} ({bed.where(path)})",
                    "put both into one namespace",
                )


def attachment_without_addresses(bed: Bed) -> Iterator[Inconsistency]:
    """An attachment has where to take its addresses from."""
    for name, attachment in bed.attachments.items():
        network = bed.networks[attachment.network]
        source, wanted = {
            "host-local": (network.pool, f"a pool in networks.{attachment.network}"),
            "dhcp": (network.dhcp, f"a DHCP service in networks.{attachment.network}"),
            "static": (attachment.address, f"attachments.{name}.address"),
        }[attachment.ipam]
        if source is None:
            yield Inconsistency(
                "attachment-without-addresses",
                f"attachment:{name}",
                bed.where(f"attachments.{name}.ipam"),
                wanted,
                "none",
                "declare it, or change ipam",
            )


def node_without_way_in(bed: Bed) -> Iterator[Inconsistency]:
    """A node that is looked at over SSH has an address, or an ssh_config that knows one."""
    for name, node in bed.nodes.items():
        if node.ssh and node.oobi is None and bed.access.ssh.config is None:
            yield Inconsistency(
                "node-without-way-in",
                f"node:{name}",
                bed.where(f"nodes.{name}"),
                "an address on OOBI",
                "none, and no access.ssh.config",
                f"set nodes.{name}.oobi, or ssh: false for an appliance",
            )


def selectors(bed: Bed) -> Iterator[tuple[str, str, Labels | None]]:
    """Subject, path and labels of whatever chooses nodes by labels."""
    for name, workload in bed.workloads.items():
        yield f"workload:{name}", f"workloads.{name}.on", workload.on
    for name, storage in bed.storage.items():
        yield f"storage:{name}", f"storage.{name}.node", storage.node
    for index, profile in enumerate(bed.host):
        yield f"profile:{index}", f"host.{index}.on", profile.on
