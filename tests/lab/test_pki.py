"""A small bed with step-ca, a canary and certificates of SSH: it comes up, and what renews does renew (needs root)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lab import machine, programs, stepca, up
from lab.errors import LabError
from lab.pki import Pki
from lab.progress import Progress
from lab.stepca import ssh
from lab.stepca.templates import calendar
from plumbline import x509
from plumbline.bed import Bed, load
from plumbline.facts.ssh import read

pytestmark = pytest.mark.timeout(400)
BED = Path(__file__).parent / "beds/pki.yaml"
CANARY = "/opt/cert-canary/certs/tls.crt"
HOST = "/etc/step/certs/ssh_host.key-cert.pub"


@pytest.mark.parametrize(
    ("seconds", "written"), [(300, "*:1/5"), (15, "*:*:0/15"), (60, "*:0/1"), (1800, "*:1/30"), (1, "*:*:0/1")]
)
def test_a_period_is_a_calendar(seconds: int, written: str) -> None:
    assert calendar(timedelta(seconds=seconds)) == written


def test_a_period_that_no_calendar_has_is_told() -> None:
    with pytest.raises(LabError, match="every 7 s"):
        calendar(timedelta(seconds=7))


def test_a_key_of_ssh_is_kept_whatever_its_name(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    made = pki.ssh_key("ssh-one.example").read_bytes()

    assert pki.ssh_key("ssh-one.example").read_bytes() == made
    assert (tmp_path / "pki/ssh-one.example.pub").exists()


def test_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    bed, pki = load(BED), Pki(tmp_path / "pki")
    files = stepca.files(bed, pki, tmp_path)["jast"]

    for path, spec in files.items():
        content = spec.content if isinstance(spec.content, bytes) else spec.content.encode()
        if b"PRIVATE KEY" in content or "password" in path or b"encryptedKey" in content:
            assert spec.mode & 0o077 == 0, path


def test_a_bed_without_an_authority_has_none_of_it(tmp_path: Path) -> None:
    bed = load(BED).model_copy(update={"step_ca": None})

    assert stepca.programs(bed) == ()
    assert stepca.files(bed, Pki(tmp_path / "pki"), tmp_path) == {}
    assert stepca.units(bed, "jast") == ()


def test_what_is_made_offline_is_due_at_the_first_boot(tmp_path: Path) -> None:
    bed = load(BED)
    made = ssh.files(bed, Pki(tmp_path / "pki"), "jast")[HOST].content
    assert isinstance(made, bytes)
    certificate, spec = read(made.decode()), bed.ssh_certificates
    assert spec is not None
    assert certificate.ends is not None

    assert certificate.ends - certificate.starts == spec.lifetime
    assert certificate.principals == ("198.18.20.19", "jast", "jast.goldentooth.net", "jast.nodes.goldentooth.net")


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    """The bed, up."""
    if os.geteuid() != 0:
        pytest.skip("machines need root")
    bed = load(BED)
    programs.ensure(stepca.programs(bed))
    up.down(bed.bed, Progress())
    try:
        up.up(bed, Progress())
        yield bed
    finally:
        up.down(bed.bed, Progress())


def _told(bed: Bed, node: str, *argv: str) -> str:
    done = machine.run(bed.bed, node, argv, timeout=15)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_canary_is_renewed_by_the_authority_and_shown(bed: Bed) -> None:
    asked = "openssl s_client -connect 198.18.20.14:9444 -CAfile /etc/ssl/certs/goldentooth.pem -verify_return_error"
    deadline = time.monotonic() + 20  # what shows it begins anew after each renewal, while the old one still answers
    while True:
        leaf = x509.one(_told(bed, "erenford", "cat", CANARY))
        shown = _told(bed, "jast", "sh", "-c", f"{asked} </dev/null 2>&1")
        same = x509.one(shown[shown.index("-----BEGIN") :]).serial == leaf.serial
        if same or time.monotonic() > deadline:
            break

    assert leaf.lifetime == timedelta(minutes=6)
    assert same


def test_ssh_is_renewed_by_the_units_that_renew_it(bed: Bed) -> None:
    for node in bed.nodes:
        certificate = read(_told(bed, node, "cat", HOST))
        age = _told(bed, node, "sh", "-c", f"echo $(($(date +%s) - $(stat -c %Y {HOST})))")

        assert certificate.ends is not None
        assert certificate.ends - certificate.starts == timedelta(days=1)
        assert int(age) < 300
        assert _told(bed, node, "systemctl", "show", "-P", "Result", "ssh-host-renewer").strip() == "success"


def test_nodes_log_in_to_each_other_by_certificate(bed: Bed) -> None:
    said = _told(bed, "bettley", "sh", "-c", "ssh -v erenford.nodes.goldentooth.net hostname 2>&1")

    assert "erenford" in said.splitlines()
    assert "matches the ED25519-CERT host certificate" in said


def test_a_node_gets_nothing_but_certificates_for_its_own_users(bed: Bed) -> None:
    asked = (
        "STEPPATH=/etc/step-ca step ca certificate bad.test /tmp/c /tmp/k --force --provisioner users-bettley "
        f"--provisioner-password-file {ssh.PASSWORD} 2>&1 || true"
    )
    of_another = (
        "ssh-keygen -q -t ed25519 -N '' -f /tmp/other; STEPPATH=/etc/step-ca step ssh certificate --sign --force --no-agent "
        f"--provisioner users-bettley --provisioner-password-file {ssh.PASSWORD} --principal erenford-root "
        "root@erenford /tmp/other.pub 2>&1; cat /tmp/other-cert.pub"
    )

    assert "certificates of SSH alone" in _told(bed, "bettley", "sh", "-c", asked)
    said = _told(bed, "bettley", "sh", "-c", of_another)
    assert read(said[said.index("ssh-ed25519-cert") :].strip()).principals == ("bettley-root", "root")
