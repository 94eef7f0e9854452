"""What every node of the lab has: names, SSH by certificate, its own sysctls, the addresses on its loopback."""

from __future__ import annotations

from pathlib import Path

from lab import kernel
from lab.disks import FileSpec
from lab.pki import Pki
from plumbline.bed import Bed

BASE_UNITS = ("ssh", "node-network")
_NETWORK_UNIT = """\
[Unit]
Description=The node's own sysctls, and the addresses on its loopback
Before=containerd.service kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip link set lo up
{commands}

[Install]
WantedBy=multi-user.target
"""
_SSHD = """\
HostKey {host_key}
HostCertificate {host_key}-cert.pub
TrustedUserCAKeys {user_ca}
AuthorizedKeysFile none
PasswordAuthentication no
PermitRootLogin prohibit-password
UsePAM no
UseDNS no
PrintMotd no
MaxSessions 64
MaxStartups 64
"""
_SSH_CONFIG = """\
Host {names}
  User root
  IdentityFile {key}
  CertificateFile {certificate}
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  IdentitiesOnly yes
  BatchMode yes
  ConnectTimeout 5
"""


def files(bed: Bed, pki: Pki) -> dict[str, dict[str, FileSpec]]:
    """Files of every node, by node and path."""
    return {node: _node_files(bed, pki, node) for node in bed.nodes}


def ssh_access(bed: Bed, pki: Pki, folder: Path) -> Path:
    """Write the ssh_config of the runner, with a user certificate and the host CA; returns its path."""
    key = pki.ssh_key("runner")
    certificate = pki.ssh_certificate("runner", "user", ["root"])
    host_ca = Path(f"{pki.ssh_authority('host')}.pub").read_text()
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"@cert-authority * {host_ca}")
    reachable = {name: node for name, node in bed.nodes.items() if node.oobi}
    text = _SSH_CONFIG.format(names=" ".join(reachable), key=key, certificate=certificate, known_hosts=known_hosts)
    text += "".join(f"Host {name}\n  HostName {node.oobi}\n  HostKeyAlias {name}\n" for name, node in reachable.items())
    config = folder / "ssh_config"
    config.write_text(text)
    return config


def _no_router(bed: Bed, node: str) -> dict[str, int | str]:
    """Kubernetes lets a node forward from everywhere; from the VLANs that would be a way around the firewall.

    Written with slashes, since the interfaces have dots, and so also sorted after net.ipv4.ip_forward, which resets it.
    """
    if not bed.nodes[node].kubernetes:
        return {}
    return {f"net/ipv4/conf/eth1.{vlan}/forwarding": 0 for vlan in bed.nodes[node].trunk}


def _sshd(bed: Bed, pki: Pki, node: str) -> dict[str, FileSpec]:
    """What sshd shows and whom it trusts: files of its own, or those that the bed gives the node certificates in."""
    declared = bed.ssh_certificates
    if declared and node in declared.on:
        config = _SSHD.format(host_key=declared.host_key, user_ca=declared.user_ca)
        return {"/etc/ssh/sshd_config.d/lab.conf": FileSpec(config)}
    key = pki.ssh_key(f"ssh-host-{node}")
    certificate = pki.ssh_certificate(f"ssh-host-{node}", "host", [node, str(bed.nodes[node].oobi)])
    return {
        "/etc/ssh/host_key": FileSpec(key.read_bytes(), mode=0o600),
        "/etc/ssh/host_key-cert.pub": FileSpec(certificate.read_bytes()),
        "/etc/ssh/user_ca.pub": FileSpec(Path(f"{pki.ssh_authority('user')}.pub").read_bytes()),
        "/etc/ssh/sshd_config.d/lab.conf": FileSpec(
            _SSHD.format(host_key="/etc/ssh/host_key", user_ca="/etc/ssh/user_ca.pub")
        ),
    }


def _names(bed: Bed, node: str) -> str:
    """How a node is called by the others."""
    ca = bed.step_ca
    return " ".join(ca.names(node) if ca and node in ca.on else (node,))


def _node_files(bed: Bed, pki: Pki, node: str) -> dict[str, FileSpec]:
    hosts = "".join(f"{n.oobi} {_names(bed, name)}\n" for name, n in bed.nodes.items() if n.oobi)
    sysctls = {**kernel.own_sysctls(bed, node), **_no_router(bed, node)}
    commands = [f"ExecStart=/usr/sbin/ip address replace {address} dev lo" for address in bed.nodes[node].also]
    if sysctls:
        # "-" : a setting that this kernel does not have is the checks' finding, not a reason not to boot.
        commands.append("ExecStart=-/usr/sbin/sysctl -q -e -p /etc/sysctl.d/99-bed.conf")
    return {
        "/etc/hosts": FileSpec(f"127.0.0.1 localhost\n{hosts}"),
        "/etc/resolv.conf": FileSpec("# the lab has no resolver outside the cluster\n"),
        **_sshd(bed, pki, node),
        "/etc/sysctl.d/99-bed.conf": FileSpec("".join(f"{k} = {v}\n" for k, v in sorted(sysctls.items()))),
        "/etc/systemd/system/node-network.service": FileSpec(_NETWORK_UNIT.format(commands="\n".join(commands))),
    }
