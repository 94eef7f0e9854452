"""The pod networks of a node: flannel's for eth0, and the bed's attachments for net1, through `cni-attach`.

`cni-attach` (lab/programs/go/cni-attach) stands in for Multus, which is in no registry: it reads the same annotation
and the same NetworkAttachmentDefinitions and calls the same plugins, as the public specification says.
"""

from __future__ import annotations

import json
from typing import Any

from lab.disks import FileSpec
from lab.pki import Pki
from plumbline.bed import Bed

CNI_VERSION = "0.4.0"
USER = "lab:cni"
PROGRAMS = {"cni-attach": "/usr/lib/cni/cni-attach", "flannel-cni": "/usr/lib/cni/flannel"}
"""Program of the lab → where it stands on a node, beside the plugins of Debian: containerd looks in one folder only."""
_PKI = "/etc/kubernetes/pki"


def files(bed: Bed, pki: Pki) -> dict[str, FileSpec]:
    """The CNI configuration of a cluster node, and the certificate that it asks the API server with."""
    assert bed.kubernetes is not None
    pair = pki.leaf("kubernetes-ca", "kubernetes-lab-cni", USER)
    return {
        "/etc/cni/net.d/00-lab.conf": FileSpec(json.dumps(_configuration(bed), indent=1)),
        f"{_PKI}/cni.crt": FileSpec(pair.certificate),
        f"{_PKI}/cni.key": FileSpec(pair.key, mode=0o600),
    }


def _configuration(bed: Bed) -> dict[str, Any]:
    assert bed.kubernetes is not None
    return {
        "cniVersion": CNI_VERSION,
        "name": "lab",
        "type": "cni-attach",
        "api": bed.kubernetes.api,
        "ca": f"{_PKI}/ca.crt",
        "cert": f"{_PKI}/cni.crt",
        "key": f"{_PKI}/cni.key",
        "state": "/var/lib/cni/cni-attach",
        "default": {
            "cniVersion": CNI_VERSION,
            "name": "pods",
            "type": "flannel",
            "delegate": {"hairpinMode": True, "isDefaultGateway": True},
        },
    }
