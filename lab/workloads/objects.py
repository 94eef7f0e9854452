"""The objects of a bed that are no workload's own: namespaces, attachments, secrets, authorities, storage, …"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from lab.errors import LabError
from lab.pki import Pki
from plumbline.bed import Bed
from plumbline.bed.model import Attachment, Certificate, Storage

Manifest = dict[str, Any]

TRUNK = "eth1"
"""The data NIC of a node; the interface of a VLAN on it is `eth1.<VLAN>`."""
CLASSLESS_ROUTES = "121"
SERVICES_CA = "services-ca"
"""The authority of the lab's own services (database, connection pool), which no persona and no agent trusts."""
_NAMESPACES_OF_KUBERNETES = {"default", "kube-system", "kube-public", "kube-node-lease"}
_NFS_PORT = 2049


def manifest(api: str, kind: str, name: str, namespace: str | None = None, **body: Any) -> Manifest:
    """An object of Kubernetes."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **body}


def encoded(document: Manifest) -> Manifest:
    """The object with the values of a secret as they are kept, so that an apply owns them and mends them."""
    if "stringData" not in document:
        return document
    data = {key: base64.b64encode(value.encode()).decode() for key, value in document["stringData"].items()}
    return {key: value for key, value in document.items() if key != "stringData"} | {"data": data}


def namespaces(bed: Bed) -> list[Manifest]:
    """Every namespace that the bed names, but those that Kubernetes makes itself."""
    names = {
        *(w.namespace for w in bed.workloads.values()),
        *(a.namespace for a in bed.attachments.values()),
        *(s.namespace for s in bed.secrets.values()),
        *(s.namespace for s in bed.storage.values()),
        *(c.secret.namespace for c in bed.certificates.values()),
    }
    for authority in bed.authorities.values():
        references = (authority.secret, authority.bundle.secret, authority.bundle.configmap)
        names |= {reference.namespace for reference in references if reference}
    return [manifest("v1", "Namespace", name) for name in sorted(names - _NAMESPACES_OF_KUBERNETES)]


def attachment_definition() -> Manifest:
    """The CustomResourceDefinition of the public NetworkAttachmentDefinition specification."""
    schema = {
        "type": "object",
        "description": "a network that pods may be attached to beside the cluster's own",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {"config": {"type": "string", "description": "a CNI configuration, as JSON"}},
            }
        },
        "x-kubernetes-preserve-unknown-fields": True,
    }
    return manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "network-attachment-definitions.k8s.cni.cncf.io",
        spec={
            "group": "k8s.cni.cncf.io",
            "scope": "Namespaced",
            "names": {
                "plural": "network-attachment-definitions",
                "singular": "network-attachment-definition",
                "kind": "NetworkAttachmentDefinition",
                "listKind": "NetworkAttachmentDefinitionList",
                "shortNames": ["net-attach-def"],
            },
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    )


def attachments(bed: Bed) -> list[Manifest]:
    """A NetworkAttachmentDefinition for each attachment of the bed."""
    return [
        manifest(
            "k8s.cni.cncf.io/v1",
            "NetworkAttachmentDefinition",
            name,
            attachment.namespace,
            spec={"config": json.dumps(_cni_configuration(bed, name, attachment))},
        )
        for name, attachment in bed.attachments.items()
    ]


def secrets(bed: Bed, values: Mapping[str, str]) -> list[Manifest]:
    """The secrets of the bed, with a value for every key that it declares."""
    return [
        manifest("v1", "Secret", name, s.namespace, stringData={key: values[f"{name}/{key}"] for key in s.keys})
        for name, s in bed.secrets.items()
    ]


def authorities(bed: Bed, pki: Pki) -> Iterator[Manifest]:
    """The bed's authorities: key pair and issuer where Kubernetes signs with them, and the published certificates."""
    for name, authority in bed.authorities.items():
        pair = pki.authority(name)
        certificate = pair.certificate.decode()
        if authority.secret:
            where = authority.secret
            data = {"tls.crt": certificate, "tls.key": pair.key.decode()}
            yield manifest("v1", "Secret", where.name, where.namespace, type="kubernetes.io/tls", stringData=data)
            if authority.issuer:
                spec = {"ca": {"secretName": where.name}}
                yield manifest("cert-manager.io/v1", "ClusterIssuer", authority.issuer, spec=spec)
        bundle = authority.bundle
        if bundle.secret:
            where, published = bundle.secret, {bundle.key: certificate}
            yield manifest("v1", "Secret", where.name, where.namespace, stringData=published)
        if bundle.configmap:
            where = bundle.configmap
            yield manifest("v1", "ConfigMap", where.name, where.namespace, data={bundle.key: certificate})


def certificates(bed: Bed) -> list[Manifest]:
    """A cert-manager Certificate for each certificate whose authority is an issuer of the bed."""
    return [
        _certificate(certificate, issuer)
        for certificate in bed.certificates.values()
        if (issuer := bed.authorities[certificate.authority].issuer)
    ]


def storage(bed: Bed) -> Iterator[Manifest]:
    """PersistentVolume and claim of each storage of the bed, bound to each other by name, without a provisioner."""
    for name, declared in bed.storage.items():
        size = {"storage": declared.size}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name, "namespace": declared.namespace}
        common = {"accessModes": [declared.mode], "storageClassName": "", "volumeMode": "Filesystem"}
        yield manifest(
            "v1",
            "PersistentVolume",
            name,
            spec={
                **common,
                "capacity": size,
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": claim,
                **_volume_source(bed, name, declared),
            },
        )
        yield manifest(
            "v1",
            "PersistentVolumeClaim",
            name,
            declared.namespace,
            spec={**common, "resources": {"requests": size}, "volumeName": name},
        )


def _cni_configuration(bed: Bed, name: str, attachment: Attachment) -> dict[str, Any]:
    network = bed.networks[attachment.network]
    if network.vlan is None:
        raise LabError(f"attachment {name}: its network {attachment.network} has no VLAN")
    return {
        "cniVersion": "1.0.0",
        "name": name,
        "type": "macvlan",
        "master": f"{TRUNK}.{network.vlan}",
        "mode": "bridge",
        "mtu": attachment.mtu or network.mtu,
        "ipam": _ipam(bed, name, attachment),
    }


def _ipam(bed: Bed, name: str, attachment: Attachment) -> dict[str, Any]:
    network = bed.networks[attachment.network]
    gateway = bed.gateway_address(attachment.network)
    routes = [{"dst": str(route)} | ({"gw": str(gateway)} if gateway else {}) for route in attachment.routes]
    if attachment.ipam == "dhcp":
        # The DHCP server tells the routes: asked for them, it gives no default route that would rival the pod's own.
        asked = [{"skipDefault": True, "option": "subnet-mask"}, {"option": CLASSLESS_ROUTES}]
        return {"type": "dhcp"} | ({"request": asked} if attachment.routes else {})
    if attachment.ipam == "static":
        if attachment.address is None:
            raise LabError(f"attachment {name}: ipam is static, but there is no address")
        address = {"address": f"{attachment.address}/{network.cidr.prefixlen}"}
        return {"type": "static", "addresses": [address], "routes": routes}
    if network.pool is None:
        raise LabError(f"attachment {name}: ipam is host-local, but networks.{attachment.network} has no pool")
    pool = {"subnet": str(network.cidr), "rangeStart": str(network.pool.first), "rangeEnd": str(network.pool.last)}
    return {"type": "host-local", "ranges": [[pool]], "routes": routes}


def _certificate(certificate: Certificate, issuer: str) -> Manifest:
    algorithm, _, size = certificate.key.partition("-")
    return manifest(
        "cert-manager.io/v1",
        "Certificate",
        certificate.secret.name,
        certificate.secret.namespace,
        spec={
            "secretName": certificate.secret.name,
            "dnsNames": list(certificate.names),
            "duration": duration(certificate.lifetime),
            "renewBefore": duration(certificate.renew_before),
            "privateKey": {"algorithm": algorithm, "size": int(size), "rotationPolicy": "Always"},
            "usages": ["digital signature", "server auth"],
            "issuerRef": {"kind": "ClusterIssuer", "name": issuer},
            "revisionHistoryLimit": 1,
        },
    )


def duration(value: timedelta) -> str:
    """A time span as Kubernetes writes it back, so that a second apply is no change.

    >>> duration(timedelta(days=90)), duration(timedelta(seconds=3570))
    ('2160h0m0s', '59m30s')
    """
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{seconds}s"


def _volume_source(bed: Bed, name: str, declared: Storage) -> dict[str, Any]:
    if declared.nfs:
        read_only = declared.mode == "ReadOnlyMany"
        source = {"server": bed.host_of(declared.nfs.server), "path": declared.nfs.path} | (
            {"readOnly": True} if read_only else {}
        )
        return {"nfs": source, "mountOptions": ["nfsvers=4", f"port={_NFS_PORT}"]}
    if not (declared.path and declared.node):
        raise LabError(f"storage {name}: give it nfs, or a path and the labels of the node that it is on")
    terms = [{"key": key, "operator": "In", "values": [value]} for key, value in sorted(declared.node.items())]
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": terms}]}}
    return {"local": {"path": declared.path}, "nodeAffinity": affinity}
