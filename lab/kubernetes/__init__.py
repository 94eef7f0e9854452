"""The lab's Kubernetes: what stands on each node before it boots, as files and systemd units.

A pure function of the bed and the PKI: the control plane on the control-plane nodes, and containerd, kubelet,
kube-proxy and flanneld on every member, under the unit names that the bed file's host profiles ask for.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml

from lab import templates
from lab.disks import FileSpec
from lab.images import RECIPES
from lab.pki import KeyPair, Pki
from plumbline.bed import Bed

PKI_DIR = "/etc/kubernetes/pki"
CONTROL_PLANE_UNITS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
MEMBER_UNITS = ("containerd", "kubelet", "kube-proxy", "flanneld")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "flanneld")


def units(bed: Bed, node: str) -> tuple[str, ...]:
    """The units of Kubernetes that a node starts at boot."""
    kind = bed.nodes[node].kubernetes
    return {None: (), "worker": MEMBER_UNITS, "control-plane": (*CONTROL_PLANE_UNITS, *MEMBER_UNITS)}[kind]


def files(bed: Bed, pki: Pki) -> dict[str, dict[str, FileSpec]]:
    """Configuration, certificates and units of every cluster node, by node and path."""
    result: dict[str, dict[str, FileSpec]] = {}
    for node in bed.kubernetes_nodes:
        result[node] = _member_files(bed, pki, node)
        if bed.nodes[node].kubernetes == "control-plane":
            result[node] |= _control_plane_files(bed, pki, node)
    return result


def kubeconfig(bed: Bed, pki: Pki, user: str, groups: tuple[str, ...] = (), *, server: str | None = None) -> str:
    """A kubeconfig for a user and its groups, with certificates inline; keep it private."""
    assert bed.kubernetes is not None
    pair = pki.leaf("kubernetes-ca", f"kubernetes-{user.replace(':', '-')}", user, organizations=groups)
    return _kubeconfig(server or bed.kubernetes.api, pki.authority("kubernetes-ca").certificate, user, pair)


def credential(bed: Bed, pki: Pki, user: str, file: Path) -> str:
    """The path of a file, for root only, with the kubeconfig of a user."""
    file.touch(mode=0o600)
    file.write_text(kubeconfig(bed, pki, user))
    return str(file)


def service_address(bed: Bed) -> IPv4Address:
    """The cluster address of the `kubernetes` service: the first of the service network."""
    assert bed.kubernetes is not None
    return bed.kubernetes.services[1]


def control_plane(bed: Bed) -> list[str]:
    """Names of the control-plane nodes, in the order of the bed file."""
    return [name for name, node in bed.nodes.items() if node.kubernetes == "control-plane"]


def _kubeconfig(server: str, authority: bytes, user: str, pair: KeyPair) -> str:
    def inline(data: bytes) -> str:
        return base64.b64encode(data).decode()

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority-data": inline(authority)}}],
        "users": [
            {
                "name": user,
                "user": {"client-certificate-data": inline(pair.certificate), "client-key-data": inline(pair.key)},
            }
        ],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _private(data: bytes | str) -> FileSpec:
    return FileSpec(data, mode=0o600)


def _pair(path: str, pair: KeyPair) -> dict[str, FileSpec]:
    return {f"{path}.crt": FileSpec(pair.certificate), f"{path}.key": _private(pair.key)}


def _oobi(bed: Bed, node: str) -> IPv4Address:
    address = bed.nodes[node].oobi
    assert address is not None
    return address


def _member_files(bed: Bed, pki: Pki, node: str) -> dict[str, FileSpec]:
    assert bed.kubernetes is not None
    declared = bed.nodes[node]
    serving = pki.leaf(
        "kubernetes-ca", f"kubelet-{node}", f"system:node:{node}",
        organizations=["system:nodes"], dns=[node], addresses=[_oobi(bed, node)],
    )  # fmt: skip
    context = {
        "node": node,
        "address": _oobi(bed, node),
        "labels": ",".join(f"{k}={v}" for k, v in sorted(declared.labels.items())),
        "kubernetes": bed.kubernetes,
    }
    flannel = {
        "Network": str(bed.kubernetes.pods),
        "Backend": {"Type": bed.kubernetes.overlay.backend, "Port": bed.kubernetes.overlay.port},
    }
    result = {
        f"{PKI_DIR}/ca.crt": FileSpec(pki.authority("kubernetes-ca").certificate),
        **_pair(f"{PKI_DIR}/kubelet", serving),
        "/etc/kubernetes/kubelet.kubeconfig": _private(kubeconfig(bed, pki, f"system:node:{node}", ("system:nodes",))),
        "/etc/kubernetes/kube-proxy.kubeconfig": _private(kubeconfig(bed, pki, "system:kube-proxy")),
        "/etc/kubernetes/flanneld.kubeconfig": _private(kubeconfig(bed, pki, "lab:flanneld")),
        "/etc/kube-flannel/net-conf.json": FileSpec(json.dumps(flannel)),
        "/etc/containerd/config.toml": _rendered("containerd.toml", {**context, "pause": RECIPES["pause"].reference}),
        "/etc/kubernetes/kubelet.yaml": _rendered("kubelet.yaml", context),
        "/etc/kubernetes/kube-proxy.yaml": _rendered("kube-proxy.yaml", context),
    }
    return result | _unit_files(("kubelet", "kube-proxy", "flanneld"), context)


def _control_plane_files(bed: Bed, pki: Pki, node: str) -> dict[str, FileSpec]:
    assert bed.kubernetes is not None
    address = _oobi(bed, node)
    domain = bed.kubernetes.domain
    api_names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{domain}", node]
    api_addresses = [address, IPv4Address("127.0.0.1"), service_address(bed)]
    etcd_addresses = [address, IPv4Address("127.0.0.1")]
    etcd = pki.leaf("etcd-ca", f"etcd-{node}", node, dns=[node, "localhost"], addresses=etcd_addresses)
    service_accounts = pki.service_account_key()
    context = {
        "node": node,
        "address": address,
        "kubernetes": bed.kubernetes,
        "pki": PKI_DIR,
        "etcd_cluster": ",".join(f"{n}=https://{_oobi(bed, n)}:2380" for n in control_plane(bed)),
    }
    api = pki.leaf("kubernetes-ca", f"kube-apiserver-{node}", "kube-apiserver", dns=api_names, addresses=api_addresses)
    kubelet_client = pki.leaf(
        "kubernetes-ca",
        "kube-apiserver-kubelet-client",
        "kube-apiserver-kubelet-client",
        organizations=["system:masters"],
    )
    result = {
        **_pair(f"{PKI_DIR}/kube-apiserver", api),
        **_pair(f"{PKI_DIR}/kubelet-client", kubelet_client),
        **_pair(
            f"{PKI_DIR}/front-proxy-client", pki.leaf("front-proxy-ca", "front-proxy-client", "front-proxy-client")
        ),
        f"{PKI_DIR}/front-proxy-ca.crt": FileSpec(pki.authority("front-proxy-ca").certificate),
        **_pair(f"{PKI_DIR}/etcd", etcd),
        f"{PKI_DIR}/etcd-ca.crt": FileSpec(pki.authority("etcd-ca").certificate),
        **_pair(f"{PKI_DIR}/etcd-client", pki.leaf("etcd-ca", "etcd-client", "kube-apiserver")),
        f"{PKI_DIR}/service-accounts.pub": FileSpec(service_accounts.certificate),
        f"{PKI_DIR}/service-accounts.key": _private(service_accounts.key),
        f"{PKI_DIR}/ca.key": _private(pki.authority("kubernetes-ca").key),
        "/etc/kubernetes/controller-manager.kubeconfig": _private(
            kubeconfig(bed, pki, "system:kube-controller-manager")
        ),
        "/etc/kubernetes/scheduler.kubeconfig": _private(kubeconfig(bed, pki, "system:kube-scheduler")),
    }
    return result | _unit_files(CONTROL_PLANE_UNITS, context)


def _unit_files(names: tuple[str, ...], context: Mapping[str, Any]) -> dict[str, FileSpec]:
    return {f"/etc/systemd/system/{name}.service": _rendered(f"{name}.service", context) for name in names}


def _rendered(template: str, context: Mapping[str, Any]) -> FileSpec:
    return FileSpec(templates.render(Path(__file__).parent, template, context))
