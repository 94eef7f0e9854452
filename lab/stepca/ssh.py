"""Certificates of SSH on a node: what sshd shows, what users show, whom both trust, and what renews them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from lab.disks import FileSpec
from lab.pki import Pki
from lab.stepca.provisioners import password, principals, user_provisioner
from lab.stepca.templates import render
from plumbline.bed import Bed
from plumbline.bed.model import SshCertificates, SshUser

PASSWORD = "/etc/step/provisioner_password"
"""The password of a node's own provisioner, for root alone."""
_DUE = timedelta(minutes=1)


def files(bed: Bed, pki: Pki, node: str) -> dict[str, FileSpec]:
    """The files of a node; none where the bed gives it no such certificates.

    Both certificates are due for renewal when the node boots, so that each lab shows that they are renewed.
    """
    ca, ssh = bed.step_ca, bed.ssh_certificates
    if ca is None or ssh is None or node not in ssh.on:
        return {}
    host = pki.short_ssh_certificate(
        f"ssh-host-{node}", "host", (*ca.names(node), str(bed.nodes[node].oobi)),
        key_id=node, lifetime=ssh.lifetime, age=_age(ssh),
    )  # fmt: skip
    found = {
        ssh.host_key: FileSpec(pki.ssh_key(f"ssh-host-{node}").read_bytes(), 0o600),
        f"{ssh.host_key}.pub": FileSpec(_public(pki, f"ssh-host-{node}")),
        f"{ssh.host_key}-cert.pub": FileSpec(host),
        ssh.user_ca: FileSpec(Path(f"{pki.ssh_authority('user')}.pub").read_bytes()),
        ssh.known_hosts: FileSpec(b"@cert-authority * " + Path(f"{pki.ssh_authority('host')}.pub").read_bytes()),
        PASSWORD: FileSpec(password(pki, user_provisioner(node)), 0o600),
    }
    command = f"/usr/bin/step ssh renew --force {ssh.host_key}-cert.pub {ssh.host_key}"
    # sshd reads its certificate when it starts.
    again = "/usr/bin/systemctl try-reload-or-restart ssh.service"
    found |= _renewer(bed, ssh.renewer, f"{ssh.host_key}-cert.pub", command, again)
    for name, user in ssh.users.items():
        found |= _user(pki, bed, node, name, user)
    return found


def units(ssh: SshCertificates) -> tuple[str, ...]:
    """The timers of a node."""
    return (f"{ssh.renewer}.timer", *(f"{user.renewer}.timer" for user in ssh.users.values()))


def _user(pki: Pki, bed: Bed, node: str, name: str, user: SshUser) -> dict[str, FileSpec]:
    """Nobody can renew a user's certificate (`step ssh renew` is for hosts): a new one is asked for."""
    ssh, kept, names = bed.ssh_certificates, f"ssh-{name}-{node}", principals(node, name)
    assert ssh is not None
    certificate = pki.short_ssh_certificate(
        kept, "user", names, key_id=f"{name}@{node}", lifetime=ssh.lifetime, age=_age(ssh)
    )
    asked = " ".join(f"--principal={principal}" for principal in names)
    command = (
        f"/usr/bin/step ssh certificate --sign --force --no-agent --provisioner={user_provisioner(node)} "
        f"--provisioner-password-file={PASSWORD} {asked} --not-after={int(ssh.lifetime.total_seconds())}s "
        f"{name}@{node} {user.key}.pub"
    )
    config = f"Host *\n  CertificateFile {user.key}-cert.pub\n  IdentityFile {user.key}\n  IdentitiesOnly yes\n"
    return {
        user.key: FileSpec(pki.ssh_key(kept).read_bytes(), 0o600, name),
        f"{user.key}.pub": FileSpec(_public(pki, kept), owner=name),
        f"{user.key}-cert.pub": FileSpec(certificate, owner=name),
        user.config: FileSpec(f"{config}  StrictHostKeyChecking yes\n  UpdateHostKeys no\n", 0o600, name),
        **_renewer(bed, user.renewer, f"{user.key}-cert.pub", command),
    }


def _renewer(bed: Bed, unit: str, certificate: str, command: str, after: str = "") -> dict[str, FileSpec]:
    ca, ssh = bed.step_ca, bed.ssh_certificates
    assert ca is not None
    assert ssh is not None
    values = {
        "what": f"renewal of {certificate}", "folder": ca.folder, "certificate": certificate, "renewal": ssh.renewal,
        "command": command, "after": after,
    }  # fmt: skip
    place = f"/etc/systemd/system/{unit}"
    return {f"{place}.{kind}": FileSpec(render(f"ssh-renewer.{kind}", **values)) for kind in ("service", "timer")}


def _age(ssh: SshCertificates) -> timedelta:
    return ssh.lifetime * ssh.renewal.elapsed / 100 + _DUE


def _public(pki: Pki, name: str) -> bytes:
    return Path(f"{pki.ssh_key(name)}.pub").read_bytes()
