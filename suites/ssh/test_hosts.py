"""What nodes show before a login, and whom their sshd trusts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from plumbline.bed import Bed
from plumbline.check import check, for_each, found
from plumbline.facts import Facts
from plumbline.facts.ssh import Signed, SshFacts, authorities, read
from suites.ssh import cases
from suites.ssh.cases import Host

SshOf = Callable[[str], SshFacts]
AuthorityOf = Callable[[str], str]
ShownBy = Callable[[str], Signed]
_BACKDATE = timedelta(seconds=90)


@check(
    "ssh.sshd-config",
    severity="critical",
    remedy="on {node}: sshd -t",
    consequence="sshd of {node} does not come back from its next restart",
    source="seed 001, fact 24",
)
@for_each("host", cases.hosts("sshd"))
def test_sshd_takes_its_configuration(host: Host, ssh: SshOf) -> None:
    """sshd accepts its configuration, and shows the declared key and certificate."""
    sshd, key = ssh(host.node).sshd, host.spec.host_key

    assert not sshd["error"], found(sshd["error"], expected="accepted by sshd -t")
    assert f"{key}-cert.pub" in sshd.get("hostcertificate", ()), found(
        f"HostCertificate {', '.join(sshd.get('hostcertificate', ())) or 'none'}", expected=f"{key}-cert.pub"
    )


@check(
    "ssh.server-trusts",
    severity="critical",
    remedy="on {node}: copy certs/ssh_user_ca_key.pub of the authority; TrustedUserCAKeys in sshd_config; reload ssh",
    consequence="nobody logs in to {node} by certificate, or somebody whom another authority has signed",
    source="seed 001, fact 24",
)
@for_each("host", cases.hosts("ssh-trust"))
def test_sshd_trusts_the_user_authority(host: Host, ssh: SshOf, authority: AuthorityOf) -> None:
    """sshd trusts the declared file, which holds the authority's key for users and nothing else."""
    node, path = ssh(host.node), host.spec.user_ca
    trusted = node.sshd.get("trustedusercakeys", [])

    assert trusted == [path], found(f"TrustedUserCAKeys {', '.join(trusted) or 'none'}", expected=path)
    assert node.user_ca.exists, found(f"there is no {path}", expected="the authority's key for users")
    assert _keys(node.user_ca.text) == (authority("user"),), found(
        f"{path} holds {_shown(node.user_ca.text)}", expected=f"SHA256:{authority('user')} alone, as on the authority"
    )


def _keys(text: str) -> tuple[str, ...]:
    """The fingerprints of a file's keys; none where a line cannot be read."""
    try:
        return authorities(text)
    except ValueError:
        return ()


def _shown(text: str) -> str:
    try:
        return ", ".join(f"SHA256:{key}" for key in authorities(text)) or "no key"
    except ValueError as error:
        return str(error)


@check(
    "ssh.known-hosts",
    severity="critical",
    remedy="on {node}: echo '@cert-authority * HOST_CA' > /etc/ssh/ssh_known_hosts; chmod 644",
    consequence="{node} cannot tell the other nodes from machines that took their addresses",
    source="seed 001, fact 29",
)
@for_each("host", cases.hosts("ssh-known-hosts"))
def test_clients_trust_the_host_authority(host: Host, ssh: SshOf, authority: AuthorityOf) -> None:
    """The node's known hosts hold one line, @cert-authority for all hosts, and belong to root."""
    file, path = ssh(host.node).known_hosts, host.spec.known_hosts

    assert file.exists, found(f"there is no {path}", expected="one line @cert-authority *")
    assert (file.owner, file.mode) == ("root", 0o644), found(f"{file.owner} {file.mode:04o}", expected="root 0644")
    lines = [line for line in file.text.splitlines() if line.strip() and not line.startswith("#")]
    assert [line.split()[:2] for line in lines] == [["@cert-authority", "*"]], found(
        f"{len(lines)} lines: {'; '.join(line[:40] for line in lines)}", expected="one line @cert-authority *"
    )
    assert _keys(file.text) == (authority("host"),), found(
        _shown(file.text), expected=f"SHA256:{authority('host')}, as on the authority"
    )


@check(
    "ssh.host-file",
    severity="critical",
    remedy="on {node}: step ssh certificate --host --sign {node} HOST_KEY.pub; is it for the key beside it?",
    consequence="{node} shows a key that nobody can tell from another's",
    source="seed 001, fact 25",
)
@for_each("host", cases.hosts("ssh-host-file"))
def test_a_host_shows_a_host_certificate(host: Host, facts: Facts) -> None:
    """Before any login sshd shows a certificate for hosts, of an Ed25519 key."""
    wire = [read(line) for line in facts.host_key(host.node).certificates]
    kinds = sorted({certificate.kind for certificate in wire})
    types = sorted({certificate.key_type for certificate in wire})

    assert kinds == ["host"], found(f"certificates for {', '.join(kinds) or 'nobody'}", expected="one for hosts")
    assert types == ["ssh-ed25519"], found(", ".join(types), expected="ssh-ed25519")


@check(
    "ssh.host-permissions",
    severity="critical",
    remedy="on {node}: chown root HOST_KEY; chmod 600 HOST_KEY",
    consequence="others can pretend to be {node}, or sshd refuses the key",
    source="seed 001, fact 25",
)
@for_each("host", cases.hosts("ssh-host-permissions"))
def test_the_host_key_is_for_root_alone(host: Host, ssh: SshOf) -> None:
    """The host key is root's, and nobody else may read it."""
    key = ssh(host.node).host.key

    assert key.exists, found(f"there is no {host.spec.host_key}", expected="a key")
    assert (key.owner, key.mode & 0o077) == ("root", 0), found(f"{key.owner} {key.mode:04o}", expected="root 0600")


@check(
    "ssh.host-signed",
    severity="critical",
    remedy="on {node}: step ssh certificate --host --sign {node} HOST_KEY.pub",
    consequence="the other nodes refuse to log in to {node}",
    source="seed 001, fact 25",
)
@for_each("host", cases.hosts("ssh-host-signed"))
def test_the_host_authority_has_signed_it(host: Host, shown_by: ShownBy, authority: AuthorityOf) -> None:
    """The authority for hosts has signed what the host shows."""
    signer = shown_by(host.node).authority

    assert signer == authority("host"), found(f"signed by SHA256:{signer}", expected=f"SHA256:{authority('host')}")


@check(
    "ssh.host-principals",
    severity="major",
    remedy="on {node}: step ssh certificate --host --sign with --principal for each: a renewal keeps what it finds",
    consequence="logins by a missing name are refused",
    source="seed 001, fact 26",
)
@for_each("host", cases.hosts("ssh-host-principals"))
def test_a_host_is_signed_for_its_names(host: Host, shown_by: ShownBy, bed: Bed) -> None:
    """The certificate is for the short name, both long ones and the address, and for nothing else."""
    assert bed.step_ca is not None
    wanted = tuple(sorted([*bed.step_ca.names(host.node), str(bed.nodes[host.node].oobi)]))
    seen = shown_by(host.node).principals

    assert seen == wanted, found(", ".join(seen) or "any name", expected=", ".join(wanted))


@check(
    "ssh.host-valid",
    severity="critical",
    remedy="on {node}: step ssh certificate --host --sign {node} HOST_KEY.pub; systemctl reload ssh",
    consequence="nobody logs in to {node} any more",
    source="seed 001, fact 27",
)
@for_each("host", cases.hosts("ssh-host-validity"))
def test_the_host_certificate_is_valid_now(host: Host, shown_by: ShownBy) -> None:
    """It has begun, has not ended, and has no critical options."""
    certificate, now = shown_by(host.node), datetime.now(UTC)

    assert certificate.starts <= now, found(f"it begins {certificate.starts:%Y-%m-%d %H:%M} UTC", expected="valid now")
    assert certificate.ends is None or certificate.ends > now, found(
        f"expired {certificate.ends}", expected="valid now"
    )
    assert not certificate.critical, found(f"critical: {', '.join(certificate.critical)}", expected="no such options")


@check(
    "ssh.host-lifetime",
    severity="major",
    remedy="on {node}: step ssh certificate --host --sign with --not-after: a renewal keeps the lifetime that it finds",
    consequence="a leaked key is good for longer than promised",
    source="seed 001, fact 27",
)
@for_each("host", cases.hosts("ssh-host-lifetime"))
def test_the_host_certificate_lives_as_declared(host: Host, shown_by: ShownBy) -> None:
    """It lives for as long as declared, but for the minute by which it begins earlier."""
    certificate, declared = shown_by(host.node), host.spec.lifetime
    lifetime = certificate.ends - certificate.starts if certificate.ends else None

    assert lifetime is not None, found("it lives for ever", expected=str(declared))
    assert timedelta(0) <= lifetime - declared <= _BACKDATE, found(str(lifetime), expected=str(declared))
