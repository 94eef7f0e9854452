"""What the checks of this folder are about: certificates, authorities, and their parts."""

from __future__ import annotations

from collections.abc import Callable

from plumbline.bed import Bed
from plumbline.check import Case, Cases
from plumbline.subjects import Thing, case


def certificates(part: str, only: Callable[[Thing], bool] = lambda _: True) -> Cases:  # type: ignore[type-arg]
    """A part of each certificate, such as its names: Thing[Certificate], subject certificate:NAME/PART."""

    def cases(bed: Bed) -> list[Case]:
        things = [Thing(name, spec) for name, spec in bed.certificates.items()]
        return [_certificate(bed, thing, part) for thing in things if only(thing)]

    return cases


def _certificate(bed: Bed, thing: Thing, part: str) -> Case:  # type: ignore[type-arg]
    subject = f"certificate:{thing.name}"
    where = f"certificates.{thing.name}"
    also = [f"{subject}/issued"] if part in ("plan", "request") else []
    return case(bed, f"{subject}/{part}", thing, id=thing.name, where=where, also=also)


def served(part: str) -> Cases:
    """A part of each certificate that is served somewhere: Thing[Certificate]."""
    return certificates(part, lambda thing: bool(thing.spec.wire))


def canaries(bed: Bed) -> list[Case]:
    """Certificates that must be seen to have renewed themselves: Thing[Certificate]."""
    return list(certificates("renewal", lambda thing: thing.spec.renewed)(bed))


def tls_secrets(bed: Bed) -> list[Case]:
    """The secret of each certificate: Thing[Certificate], subject secret:NAMESPACE/NAME."""
    return [
        case(bed, f"secret:{c.secret}", Thing(name, c), id=name, where=f"certificates.{name}.secret")
        for name, c in bed.certificates.items()
    ]


def authorities(part: str) -> Cases:
    """A part of each authority; key and issuer only of those that the bed itself signs with: Thing[Authority]."""

    def cases(bed: Bed) -> list[Case]:
        return [
            case(
                bed,
                f"authority:{name}/{part}" if part else f"authority:{name}",
                Thing(name, authority),
                id=name,
                where=f"authorities.{name}",
                also=["ngfw:ngfw"] if not part and bed.ngfw and bed.ngfw.authority == name else [],
            )
            for name, authority in bed.authorities.items()
            if {"key": authority.secret, "issuer": authority.issuer}.get(part, True)
        ]

    return cases


def control_planes(bed: Bed) -> list[Case]:
    """The API server as each member of the cluster sees it: the node's name, subject kubernetes:api/NODE."""
    return [
        case(bed, f"kubernetes:api/{name}", name, id=name, where="kubernetes.api", also=_asked_by(name))
        for name in (bed.kubernetes_nodes if bed.kubernetes else ())
    ]


def _asked_by(node: str) -> list[str]:
    """What a look at the API server from a node stands on."""
    return ["kubernetes:api", f"api-client:{node}"]


def control_plane_names(bed: Bed) -> list[Case]:
    """The same, as the pods of that node ask for it: the node's name, subject kubernetes:names/NODE."""
    return [
        case(bed, f"kubernetes:names/{c.value}", c.value, id=c.id, where="kubernetes.services", also=_asked_by(c.id))
        for c in control_planes(bed)
    ]


def kubelets(bed: Bed) -> list[Case]:
    """The kubelet of each member of the cluster: the node's name, subject kubelet:NODE/certificate."""
    return [
        case(bed, f"kubelet:{name}/certificate", name, id=name, where=f"nodes.{name}", also=[f"kubelet:{name}"])
        for name in bed.kubernetes_nodes
    ]
