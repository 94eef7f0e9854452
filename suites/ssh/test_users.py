"""What users show when they log in, and what their clients are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from plumbline.check import check, for_each, found
from plumbline.facts.ssh import SignedKey, SshFacts, read
from suites.ssh import cases
from suites.ssh.cases import User

Shown = Callable[[User], SignedKey]
_BACKDATE = timedelta(seconds=90)


@check(
    "ssh.user-file",
    severity="critical",
    remedy="on {node}: step ssh certificate --sign {item}@{node} KEY.pub; systemctl start the renewer",
    consequence="{item} of {node} cannot log in to the other nodes",
    source="seed 001, fact 28",
)
@for_each("user", cases.users("ssh-user-file"))
def test_a_user_has_a_user_certificate(user: User, shown: Shown) -> None:
    """The certificate of the user's key is one for users."""
    signed = shown(user)
    assert signed.file.exists, found(f"there is no {user.user.key}-cert.pub", expected="a user certificate")
    try:
        certificate = read(signed.file.text)
    except ValueError as error:
        raise AssertionError(found(str(error), expected="a user certificate")) from None

    assert certificate.kind == "user", found(f"a certificate for a {certificate.kind}", expected="for a user")


@check(
    "ssh.user-permissions",
    severity="critical",
    remedy="on {node}: chown {item} KEY; chmod 600 KEY",
    consequence="others can log in as {item}, or the client refuses the key",
    source="seed 001, facts 28 and 30",
)
@for_each("user", cases.users("ssh-user-permissions"))
def test_the_key_is_for_the_user_alone(user: User, shown: Shown) -> None:
    """The key is the user's, and nobody else may read it."""
    key = shown(user).key

    assert key.exists, found(f"there is no {user.user.key}", expected="a key")
    assert (key.owner, key.mode & 0o077) == (user.name, 0), found(
        f"{key.owner} {key.mode:04o}", expected=f"{user.name} 0600"
    )


@check(
    "ssh.user-key",
    severity="critical",
    remedy="on {node}: step ssh certificate --sign {item}@{node} KEY.pub",
    consequence="{item} of {node} cannot log in to the other nodes",
    source="seed 001, fact 28",
)
@for_each("user", cases.users("ssh-user-key"))
def test_the_certificate_is_of_the_key(user: User, shown: Shown) -> None:
    """The certificate is for the key that lies beside it."""
    signed = shown(user)

    assert signed.certificate.key == signed.public, found(
        f"for SHA256:{signed.certificate.key}", expected=f"for SHA256:{signed.public}"
    )


@check(
    "ssh.user-signed",
    severity="critical",
    remedy="on {node}: step ssh certificate --sign {item}@{node} KEY.pub",
    consequence="{item} of {node} cannot log in to the other nodes",
    source="seed 001, fact 28",
)
@for_each("user", cases.users("ssh-user-signed"))
def test_the_user_authority_has_signed_it(user: User, shown: Shown, authority: Callable[[str], str]) -> None:
    """The authority for users has signed the user's certificate."""
    signer = shown(user).certificate.authority

    assert signer == authority("user"), found(f"signed by SHA256:{signer}", expected=f"SHA256:{authority('user')}")


@check(
    "ssh.user-principals",
    severity="critical",
    remedy="on {node}: step ssh certificate --sign with --principal {item} and --principal {node}-{item}",
    consequence="the user logs in as fewer users than promised, or as more",
    source="seed 001, fact 28",
)
@for_each("user", cases.users("ssh-user-principals"))
def test_a_user_is_signed_for_itself(user: User, shown: Shown) -> None:
    """The certificate is for the user and for NODE-USER, and for nothing else."""
    wanted = tuple(sorted([user.name, f"{user.node}-{user.name}"]))
    seen = shown(user).certificate.principals

    assert seen == wanted, found(", ".join(seen) or "any user", expected=", ".join(wanted))


@check(
    "ssh.user-valid",
    severity="critical",
    remedy="on {node}: systemctl start the renewer of {item}; journalctl -u it",
    consequence="{item} of {node} cannot log in to the other nodes",
    source="seed 001, fact 28 and S2",
)
@for_each("user", cases.users("ssh-user-validity"))
def test_the_user_certificate_is_valid_now(user: User, shown: Shown) -> None:
    """It has begun, and has not ended."""
    certificate, now = shown(user).certificate, datetime.now(UTC)

    assert certificate.starts <= now, found(f"it begins {certificate.starts:%Y-%m-%d %H:%M} UTC", expected="valid now")
    assert certificate.ends is None or certificate.ends > now, found(
        f"expired {certificate.ends}", expected="valid now"
    )


@check(
    "ssh.user-lifetime",
    severity="major",
    remedy="on {node}: step ssh certificate --sign with --not-after",
    consequence="a leaked key is good for longer than promised",
    source="seed 001, fact 28",
)
@for_each("user", cases.users("ssh-user-lifetime"))
def test_the_user_certificate_lives_as_declared(user: User, shown: Shown) -> None:
    """It lives for as long as declared, but for the minute by which it begins earlier."""
    certificate, declared = shown(user).certificate, user.spec.lifetime
    lifetime = certificate.ends - certificate.starts if certificate.ends else None

    assert lifetime is not None, found("it lives for ever", expected=str(declared))
    assert timedelta(0) <= lifetime - declared <= _BACKDATE, found(str(lifetime), expected=str(declared))


@check(
    "ssh.client-config",
    severity="major",
    remedy="on {node}: mend the user's configuration of ssh, chmod 600; ssh -G another node",
    consequence="the certificate is not shown, or a host that nobody signed is taken for the right one (S32)",
    source="seed 001, fact 30 and S32",
)
@for_each("user", cases.users("ssh-client"))
def test_the_client_uses_certificates(user: User, ssh: Callable[[str], SshFacts]) -> None:
    """ssh shows the user's key and certificate, asks for known hosts strictly, and its file is the user's alone."""
    node = ssh(user.node)
    file, client = node.config(user.name), node.client(user.name)

    assert (file.owner, file.mode) == (user.name, 0o600), found(
        f"{user.user.config}: {file.owner} {file.mode:04o}" if file.exists else f"there is no {user.user.config}",
        expected=f"{user.name} 0600",
    )
    assert client.get("identityfile") == [user.user.key], found(
        f"IdentityFile {', '.join(client.get('identityfile', ()))}", expected=user.user.key
    )
    assert client.get("certificatefile") == [f"{user.user.key}-cert.pub"], found(
        f"CertificateFile {', '.join(client.get('certificatefile', ())) or 'none'}",
        expected=f"{user.user.key}-cert.pub",
    )
    strict = client.get("stricthostkeychecking", ["?"])[0]
    assert strict in ("true", "yes"), found(f"StrictHostKeyChecking {strict}", expected="yes")
