"""The certificate authority of services outside the cluster, what trusts it, and the certificates that it gave."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from lab import machine
from lab.disks import FileSpec
from lab.errors import LabError
from lab.machine import Volume
from lab.pki import Pki
from lab.progress import Progress
from lab.stepca import ssh
from lab.stepca.provisioners import key_id, password, provisioners
from lab.stepca.templates import calendar, render
from plumbline.bed import Bed
from plumbline.bed.model import Renewal, ServiceCertificate, StepCa

ROOT, INTERMEDIATE = "step-root", "step-intermediate"
"""Names under which the lab's PKI keeps the two authorities."""
PROGRAM, SERVER = "/usr/bin/step", "/usr/bin/step-ca"
_SHOWN = "cert-"
"""Units of these names are no services of their own: the lab shows their certificate by HAProxy, to have it on the wire."""
_POLL_S = 0.2
_ASK_S, _DO_S = 10.0, 30.0
_AGAIN_S = 3.0
"""Between two tries to renew: systemd starts a unit five times in ten seconds at most."""


def programs(bed: Bed) -> tuple[str, ...]:
    """The authority and its client."""
    return ("step-ca", "step") if bed.step_ca else ()


def files(bed: Bed, pki: Pki, folder: Path) -> dict[str, dict[str, FileSpec]]:
    """The authority's own files; on each node that trusts it the root, certificates and keys, and what renews them."""
    ca = bed.step_ca
    if ca is None:
        return {}
    pki.intermediate(INTERMEDIATE, ROOT)
    result = {node: _client(bed, ca, pki) | ssh.files(bed, pki, node) for node in ca.on}
    result.setdefault(ca.node, {}).update(_authority(bed, ca, pki))
    for name, declared in bed.service_certificates.items():
        for node in declared.on:
            result.setdefault(node, {}).update(_certificate(bed, ca, pki, name, node) | _renewer(declared))
            if _shown(declared):
                result[node].update(_showing(declared, bed.nodes[node].oobi))
    return result


def volumes(bed: Bed, binaries: Mapping[str, Path]) -> dict[str, dict[str, Volume]]:
    """`step` on every node that trusts the authority, `step-ca` on its own."""
    if bed.step_ca is None:
        return {}
    found: dict[str, dict[str, Volume]] = {node: {PROGRAM: Volume(binaries["step"])} for node in bed.step_ca.on}
    found.setdefault(bed.step_ca.node, {})[SERVER] = Volume(binaries["step-ca"])
    return found


def units(bed: Bed, node: str) -> tuple[str, ...]:
    """The authority, the timers of renewal, the canaries' services."""
    ca, found = bed.step_ca, list[str]()
    if ca is None:
        return ()
    found += [f"{ca.unit}.service"] if node == ca.node else []
    found += ["trust-root.service"] if node in ca.on else []
    for declared in bed.service_certificates.values():
        if node in declared.on:
            found.append(f"cert-renewer@{declared.unit}.timer")
            found += [f"{declared.unit}.service"] if _shown(declared) else []
    if bed.ssh_certificates and node in bed.ssh_certificates.on:
        found += ssh.units(bed.ssh_certificates)
    return tuple(found)


def settle(bed: Bed, pki: Pki, folder: Path, deadline: float, progress: Progress) -> dict[str, str]:
    """Waits for the authority, then has it renew once what is due: canaries, and what SSH shows.

    What the lab has made without the authority is thereby known to be renewable by it.
    """
    ca = bed.step_ca
    if ca is None:
        return {}
    with progress.step("certificates", estimate=5):
        _wait_healthy(bed, ca, deadline)
        jobs = [partial(_renew_canary, bed, ca, name, node, deadline) for name, node in _canaries(bed)]
        if bed.ssh_certificates:
            jobs += [partial(_renew_ssh, bed, node, deadline) for node in bed.ssh_certificates.on]
        with ThreadPoolExecutor(max(1, len(jobs))) as pool:
            list(pool.map(_called, jobs))
    return {}


def names(ca: StepCa, declared: ServiceCertificate, node: str) -> list[str]:
    """The DNS names of a service's certificate on a node (seed 001, fact 38)."""
    return list(dict.fromkeys([*ca.names(node), "localhost", *declared.names]))


def _called(job: Callable[[], None]) -> None:
    job()


def _authority(bed: Bed, ca: StepCa, pki: Pki) -> dict[str, FileSpec]:
    """Its configuration, its keys for itself alone, and the password of its provisioner for root."""
    secrets, certs = f"{ca.folder}/secrets", f"{ca.folder}/certs"
    address = bed.nodes[ca.node].oobi
    configuration = {
        "root": ca.root,
        "crt": f"{certs}/intermediate_ca.crt",
        "key": f"{secrets}/intermediate_ca_key",
        "address": f":{ca.port}",
        "dnsNames": [*ca.names(ca.node), *([str(address)] if address else []), "localhost"],
        "logger": {"format": "text"},
        "db": {"type": "bbolt", "dataSource": "/var/lib/step-ca/step-ca.db"},
        "authority": {
            "claims": {
                "minTLSCertDuration": "1m", "defaultTLSCertDuration": "24h",
                "maxTLSCertDuration": _span(ca.longest.total_seconds()),
            },
            "provisioners": provisioners(pki, ca, bed.ssh_certificates),
        },
    }  # fmt: skip
    intermediate = pki.intermediate(INTERMEDIATE, ROOT)
    found = {
        f"{certs}/intermediate_ca.crt": FileSpec(intermediate.certificate),
        f"{secrets}/intermediate_ca_key": FileSpec(intermediate.key, 0o600, "step"),
        ca.key_opener: FileSpec(password(pki, ca.provisioner), 0o600),
        f"/etc/systemd/system/{ca.unit}.service": FileSpec(render("step-ca.service", folder=ca.folder)),
    }
    if bed.ssh_certificates:
        configuration["ssh"] = {kind: f"{secrets}/ssh_{kind[:4]}_ca_key" for kind in ("hostKey", "userKey")}
        for kind in ("host", "user"):
            key = pki.ssh_authority(kind)
            found[f"{secrets}/ssh_{kind}_ca_key"] = FileSpec(key.read_bytes(), 0o600, "step")
            found[f"{certs}/ssh_{kind}_ca_key.pub"] = FileSpec(Path(f"{key}.pub").read_bytes())
    found[f"{ca.folder}/config/ca.json"] = FileSpec(json.dumps(configuration, indent=1), 0o600, "step")
    return found


def _client(bed: Bed, ca: StepCa, pki: Pki) -> dict[str, FileSpec]:
    """What a node needs to ask the authority, and the template of all renewals (seed 001, facts 39 and 40)."""
    usual = Renewal()
    defaults = {"ca-url": f"https://{bed.nodes[ca.node].oobi}:{ca.port}", "root": ca.root}
    timer = render("cert-renewer@.timer", renewal=usual, calendar=calendar(usual.every))
    return {
        ca.root: FileSpec(pki.authority(ROOT).certificate),
        f"{ca.folder}/config/defaults.json": FileSpec(json.dumps(defaults, indent=1)),
        "/etc/systemd/system/trust-root.service": FileSpec(
            render("trust-root.service", root=ca.root, bundle=ca.bundle)
        ),
        "/etc/systemd/system/cert-renewer@.service": FileSpec(
            render("cert-renewer@.service", folder=ca.folder, renewal=usual)
        ),
        "/etc/systemd/system/cert-renewer@.timer": FileSpec(timer),
    }


def _certificate(bed: Bed, ca: StepCa, pki: Pki, name: str, node: str) -> dict[str, FileSpec]:
    declared, address = bed.service_certificates[name], bed.nodes[node].oobi
    pair = pki.short_leaf(
        INTERMEDIATE, ROOT, f"{name}-{node}", dns=names(ca, declared, node),
        addresses=[address] if address else [], lifetime=declared.lifetime,
        provisioner=(ca.provisioner, key_id(pki, ca.provisioner)),
    )  # fmt: skip
    return {
        declared.certificate: FileSpec(pair.certificate, owner=declared.owner),
        declared.key: FileSpec(pair.key, 0o600, declared.owner),
    }


def _renewer(declared: ServiceCertificate) -> dict[str, FileSpec]:
    """What a service's renewal has of its own (seed 001, fact 42), and its times where they are not the usual ones."""
    place, usual = f"/etc/systemd/system/cert-renewer@{declared.unit}", Renewal()
    found = {f"{place}.service.d/override.conf": FileSpec(render("override.conf", declared=declared))}
    if (declared.renewal.every, declared.renewal.jitter) != (usual.every, usual.jitter):
        times = render("timer.conf", renewal=declared.renewal, calendar=calendar(declared.renewal.every))
        found[f"{place}.timer.d/override.conf"] = FileSpec(times)
    return found


def _shown(declared: ServiceCertificate) -> bool:
    return declared.unit.startswith(_SHOWN) and declared.port is not None


def _showing(declared: ServiceCertificate, address: IPv4Address | None) -> dict[str, FileSpec]:
    values = {"declared": declared, "unit": declared.unit, "address": address}
    return {
        f"/etc/{declared.unit}.cfg": FileSpec(render("shown.cfg", **values)),
        f"/etc/systemd/system/{declared.unit}.service": FileSpec(render("shown.service", **values)),
    }


def _canaries(bed: Bed) -> list[tuple[str, str]]:
    return [(name, node) for name, c in bed.service_certificates.items() if c.canary for node in c.on]


def _wait_healthy(bed: Bed, ca: StepCa, deadline: float) -> None:
    while True:
        try:
            asked = machine.run(
                bed.bed, ca.node, ["env", f"STEPPATH={ca.folder}", PROGRAM, "ca", "health"], timeout=_ASK_S
            )
            said = asked.stderr.strip()
            if asked.returncode == 0:
                return
        except subprocess.TimeoutExpired:
            said = f"no answer in {_ASK_S:g} s"
        if time.monotonic() > deadline:
            raise LabError(
                f"{ca.node}: the certificate authority is not healthy: {said}", remedy=f"python -m lab logs {ca.node}"
            )
        time.sleep(_POLL_S)


def _renew_canary(bed: Bed, ca: StepCa, name: str, node: str, deadline: float) -> None:
    """Once, whether it is due or not; from then on its timer does. One that was renewed already is only shown anew."""
    declared = bed.service_certificates[name]
    script = (
        f'[ "$(stat -c %Y {declared.certificate})" -gt "$(($(stat -c %Y {declared.key}) + 1))" ] || '
        f"{{ sleep 1.1; {PROGRAM} ca renew --force {declared.certificate} {declared.key}; }} && "
        f"systemctl try-reload-or-restart {declared.unit}.service"
    )
    _do(bed, node, ["env", f"STEPPATH={ca.folder}", "sh", "-c", script], f"the canary {name}", deadline)


def _renew_ssh(bed: Bed, node: str, deadline: float) -> None:
    """By the very units that do it from then on; one that is not due ends without doing anything."""
    declared = bed.ssh_certificates
    assert declared is not None
    units = [declared.renewer, *(user.renewer for user in declared.users.values())]
    started = ["systemctl", "start", *(f"{unit}.service" for unit in units)]
    _do(bed, node, started, "its certificates of SSH", deadline)


def _do(bed: Bed, node: str, argv: list[str], what: str, deadline: float) -> None:
    """Run it until it passes: an authority that answers may still be too busy to sign in time."""
    while True:
        try:
            done = machine.run(bed.bed, node, argv, timeout=_DO_S)
            said = (done.stderr.strip()[-300:] or "it failed") if done.returncode else ""
        except subprocess.TimeoutExpired:
            said = f"no end after {_DO_S:g} s"
        if not said:
            return
        if time.monotonic() > deadline:
            raise LabError(f"{node}: {what} could not be renewed: {said}", remedy=f"python -m lab logs {node}")
        time.sleep(_AGAIN_S)


def _span(seconds: float) -> str:
    return f"{int(seconds)}s"
