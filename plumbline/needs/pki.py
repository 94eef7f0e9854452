"""The certificate authority, certificates of services and their renewal, and certificates of SSH."""

from __future__ import annotations

from plumbline.bed import Bed
from plumbline.needs.parts import Parts

_OF_FILE = ("permissions", "key", "order", "validity", "names", "lifetime")
_OF_SIGNED = ("permissions", "key", "signed", "principals", "validity", "lifetime")


def authority(bed: Bed) -> Parts:
    ca = bed.step_ca
    if ca is None:
        return
    yield f"step-ca:{ca.node}", [f"node:{ca.node}"]
    yield f"provisioner:{ca.node}", _asking(bed, ca.node)
    yield f"longest:{ca.node}", [f"provisioner:{ca.node}"]
    asks = next((node for node in ca.on if bed.nodes[node].ssh), ca.node)
    yield f"anonymous:{ca.node}", [f"authority:{asks}"]
    for node in ca.on:
        for part in ("root", "step", "clock", "tls-placement", "renewer-placement"):
            yield f"{part}:{node}", [f"node:{node}"]
        yield f"root-store:{node}", [f"root:{node}"]
        yield f"authority:{node}", [f"step-ca:{ca.node}", f"root:{node}", f"clock:{node}", f"oobi:{node}"]


def certificates(bed: Bed) -> Parts:
    ca = bed.step_ca
    for name, declared in bed.service_certificates.items():
        for node in declared.on:
            own, unit = f"{node}/{name}", f"{node}/{declared.unit}"
            yield f"tls-file:{own}", [f"node:{node}"]
            yield from ((f"tls-{part}:{own}", [f"tls-file:{own}"]) for part in _OF_FILE)
            # What comes first in the file is taken for the service's own.
            yield from ((f"tls-{part}:{own}", [f"tls-order:{own}"]) for part in ("validity", "names", "lifetime"))
            yield f"tls-validity:{own}", [f"renewal:{own}"]  # what has expired was not renewed
            yield f"tls-chain:{own}", [f"tls-file:{own}", f"tls-order:{own}", f"root:{node}"]
            whole = [f"tls-{part}:{own}" for part in ("file", *_OF_FILE[:-1], "chain")]
            yield f"service-certificate:{own}", whole
            asks = asker(bed, name, node)
            seen = [f"service:{unit}", *([f"node:{asks}", f"root:{asks}", f"clock:{asks}"] if asks else [])]
            yield f"tls-served:{own}", [*whole, f"clock:{node}", *seen]
            yield f"tls-serial:{own}", [f"tls-file:{own}", f"tls-order:{own}", *seen]
            for part in ("renewer", "renewer-path", "renewer-times", "renewer-threshold", "renewer-command"):
                yield f"{part}:{unit}", [f"node:{node}"]
            for part in ("renewer-path", "renewer-times", "renewer-threshold", "renewer-command", "renewer-looks"):
                yield f"{part}:{unit}", [f"renewer:{unit}"]
            yield f"renewer-looks:{unit}", [f"renewer-times:{unit}"]
            commanded = [f"renewer-path:{unit}", f"renewer-command:{unit}", f"tls-file:{own}", f"tls-key:{own}"]
            asked = _asking(bed, node) if ca else []
            yield f"renewal-run:{unit}", [*asked, *commanded, f"tls-order:{own}", f"tls-chain:{own}"]
            yield f"renewal-slack:{own}", [f"renewer-times:{unit}", f"renewer-threshold:{unit}", f"tls-lifetime:{own}"]
            runs = [f"renewer:{unit}", f"renewer-looks:{unit}", f"renewal-run:{unit}", f"renewer-threshold:{unit}"]
            yield f"renewal:{own}", [*runs, f"tls-file:{own}", f"tls-lifetime:{own}"]
            yield f"canary:{own}", [f"renewal:{own}", f"renewer-times:{unit}"]
            yield f"setting:{node}/failed-units", [f"renewal-run:{unit}", f"service:{unit}"]


def _asking(bed: Bed, node: str) -> list[str]:
    """What a node needs to get anything from the authority: its program, and an authority that answers it."""
    return [f"step:{node}", f"authority:{node}"]


def asker(bed: Bed, name: str, node: str) -> str:
    """Who asks a node for a service's certificate: the next node of the service, else another that trusts the authority.

    The node itself where there is no other; empty where nobody can be logged in to.
    """
    on, trusting = bed.service_certificates[name].on, bed.step_ca.on if bed.step_ca else ()
    own = on.index(node)
    candidates = [*on[own + 1 :], *on[:own], *(n for n in trusting if n != node), node]
    return next((n for n in candidates if bed.nodes[n].ssh), "")


def ssh(bed: Bed) -> Parts:
    ca, declared = bed.step_ca, bed.ssh_certificates
    if ca is None or declared is None:
        return
    for kind in ("host", "user"):
        yield f"ssh-ca:{kind}", [f"node:{ca.node}"]
    for node in declared.on:
        yield f"sshd:{node}", [f"node:{node}", f"ssh-host-permissions:{node}"]
        yield f"ssh-trust:{node}", [f"sshd:{node}", "ssh-ca:user"]
        yield f"ssh-known-hosts:{node}", [f"node:{node}", "ssh-ca:host"]
        yield from _signed(f"ssh-host-{{}}:{node}", node, "ssh-ca:host")
        yield from _renewer(bed, node, declared.renewer, f"ssh-host-{{}}:{node}")
        for name, user in declared.users.items():
            yield from _signed(f"ssh-user-{{}}:{node}/{name}", node, "ssh-ca:user")
            yield f"ssh-client:{node}/{name}", [f"node:{node}"]
            yield from _renewer(bed, node, user.renewer, f"ssh-user-{{}}:{node}/{name}")
    for source, target in declared.pairs:
        shown = [f"ssh-host-{part}:{target}" for part in ("file", *_OF_SIGNED[:-1])]
        shows = [f"ssh-user-{part}:{source}/root" for part in ("file", *_OF_SIGNED[:-1])]
        ends = [f"oobi:{source}", f"oobi:{target}", f"sshd:{target}", f"clock:{source}", f"clock:{target}"]
        trust = [f"ssh-trust:{target}", f"ssh-known-hosts:{source}", f"ssh-client:{source}/root"]
        yield f"ssh-login:{source}>{target}", [*ends, *trust, *shown, *shows]
        # who should be refused and is not has no excuse but these; where nobody gets through, the check names the login
        yield f"ssh-refusal:{source}>{target}", [f"node:{source}"]
        yield f"ssh-other:{source}>{target}", [f"node:{source}", f"ssh-user-principals:{source}/root"]


def _signed(subject: str, node: str, authority: str) -> Parts:
    """A key with its certificate: all that is asked of it stands on its file, who signed it on the authority too."""
    file = subject.format("file")
    yield file, [f"node:{node}"]
    for part in _OF_SIGNED:
        yield subject.format(part), [file]
    yield subject.format("signed"), [authority]


def _renewer(bed: Bed, node: str, unit: str, subject: str) -> Parts:
    own, ca = f"{node}/{unit}", bed.step_ca
    assert ca is not None
    yield f"ssh-renewer:{own}", [f"node:{node}"]
    for part in ("times", "command", "looks"):
        yield f"ssh-renewer-{part}:{own}", [f"ssh-renewer:{own}"]
    yield f"ssh-renewer-looks:{own}", [f"ssh-renewer-times:{own}"]
    parts = [subject.format(part) for part in ("file", "signed", "key")]
    yield f"ssh-renewal-run:{own}", [*_asking(bed, node), f"ssh-renewer-command:{own}", *parts]
    yield subject.format("validity"), [subject.format("renewal")]  # what has expired was not renewed
    runs = [f"ssh-renewer:{own}", f"ssh-renewer-looks:{own}", f"ssh-renewal-run:{own}"]
    yield subject.format("renewal"), [*runs, *(subject.format(part) for part in ("file", "lifetime"))]
    yield f"setting:{node}/failed-units", [f"ssh-renewal-run:{own}"]
