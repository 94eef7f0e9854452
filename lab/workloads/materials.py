"""What the templates need beside the bed: secret values, and certificates of the lab's own services."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from lab import isp
from lab.ngfw.bad_origins import bad_origin
from lab.pki import KeyPair, Pki
from lab.workloads.objects import SERVICES_CA
from lab.workloads.rendering import Material
from plumbline.bed import Bed
from plumbline.bed.model import Workload

_AUTHORITIES = {"postgres": SERVICES_CA, "pgbouncer": SERVICES_CA, "metrics-server": "kubernetes-ca"}
"""Programs that serve TLS with a certificate that cert-manager does not issue, and who signs it."""


def material(bed: Bed, pki: Pki, secrets: Mapping[str, str]) -> Material:
    """The material of a bed; what the PKI has signed before is used again."""
    files = {
        name: _pem(_leaf(bed, pki, name, workload))
        for name, workload in bed.workloads.items()
        if workload.program in _AUTHORITIES
    }
    kubernetes_ca, public_ca = (pki.authority(name).certificate for name in ("kubernetes-ca", isp.AUTHORITY))
    return Material(secrets, files | _bad_origins(bed, pki), kubernetes_ca, public_ca, (isp.SITE,))


def _leaf(bed: Bed, pki: Pki, name: str, workload: Workload) -> KeyPair:
    host = bed.host_of(name)
    names = [name, f"{name}.{workload.namespace}", f"{name}.{workload.namespace}.svc", host]
    return pki.leaf(_AUTHORITIES[workload.program], f"workload-{workload.namespace}-{name}", host, dns=names)


def _bad_origins(bed: Bed, pki: Pki) -> dict[str, dict[str, bytes]]:
    """By `bad-origin/<kind>`; made once and kept, since a new certificate at each `up` would restart what serves it."""
    if bed.ngfw is None:
        return {}
    issuer = pki.authority(bed.ngfw.verifies)
    return {
        f"bad-origin/{kind}": _pem(pki.kept(f"bad-origin-{kind}", partial(bad_origin, kind, origin.name, issuer)))
        for kind, origin in bed.ngfw.bad_origins.items()
    }


def _pem(pair: KeyPair) -> dict[str, bytes]:
    return {"tls.crt": pair.certificate, "tls.key": pair.key}
