"""Actions on certificates of services and of SSH, on files of this machine: there and back."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from chaos.call import Call
from lab.pki import Pki
from lab.stepca import INTERMEDIATE, ROOT
from plumbline import x509
from plumbline.bed import Bed, load
from plumbline.facts.ssh import authorities, read
from plumbline.remote import pem_files
from tests.chaos.reaches import Local

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="copies of what was are kept for root")
BED = """version: 1
bed: t-actions
realised_by: hardware
nodes: {{jast: {{role: ca, oobi: 192.0.2.19}}}}
networks: {{oobi: {{cidr: 192.0.2.0/24}}}}
step_ca: {{node: jast, on: [jast], domain: test, folder: {folder}}}
"""
Wrong = Callable[[x509.Certificate], bool]


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    """A bed whose authority's folder is this test's, and in it a service's pair and a host's."""
    pki = Pki(tmp_path / "pki")
    pair = pki.short_leaf(
        INTERMEDIATE, ROOT, "s", dns=["jast"], addresses=[IPv4Address("192.0.2.19")], lifetime=timedelta(days=1),
        provisioner=("default", "id"),
    )  # fmt: skip
    intermediate = pki.intermediate(INTERMEDIATE, ROOT)
    made = {
        "certs/intermediate_ca.crt": intermediate.certificate,
        "secrets/intermediate_ca_key": intermediate.key,
        "secrets/ssh_host_ca_key": pki.ssh_authority("host").read_bytes(),
        "secrets/ssh_user_ca_key": pki.ssh_authority("user").read_bytes(),
        "tls.crt": pair.certificate,
        "tls.key": pair.key,
        "host.pub": Path(f"{pki.ssh_key('host')}.pub").read_bytes(),
        "host-cert.pub": pki.short_ssh_certificate(
            "host", "host", ["jast"], key_id="jast", lifetime=timedelta(days=1), age=timedelta(hours=1)
        ),
    }
    for name, content in made.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
    (tmp_path / "bed.yaml").write_text(BED.format(folder=tmp_path))
    return load(tmp_path / "bed.yaml")


def there_and_back(bed: Bed, action: str, path: Path, seen: Callable[[], object], **arguments: Any) -> None:
    """Applies an action, sees what it has done, undoes it, and finds the file as it was."""
    before, call = path.read_bytes(), Call(action, {"node": "jast", "path": str(path), **arguments})
    with Local(bed, {}) as reach:
        back = call.reverse(bed, reach)
        call.apply(bed, reach)
        assert call.holds(bed, reach)
        assert seen()
        for undo in back:
            undo.apply(bed, reach)
            assert undo.holds(bed, reach)
    assert path.read_bytes() == before


WRONG: dict[str, tuple[dict[str, Any], Wrong]] = {
    "expired": ({"expired": True}, lambda c: c.left() < timedelta(0) < c.lifetime),
    "future": ({"future": True}, lambda c: c.starts > datetime.now(UTC)),
    "names": ({"names": ["other"]}, lambda c: c.names == ("192.0.2.19", "other")),
    "stranger": ({"stranger": True}, lambda c: c.issuer == "a stranger"),
    "month": ({"ends": "30d"}, lambda c: c.lifetime > timedelta(days=29)),
    "fresh": ({}, lambda c: c.lifetime == timedelta(days=1, minutes=1) and c.issuer == INTERMEDIATE),
}


@pytest.mark.parametrize(("arguments", "wrong"), WRONG.values(), ids=WRONG.keys())
def test_a_certificate_is_wrong_in_what_is_said(
    bed: Bed, tmp_path: Path, arguments: dict[str, Any], wrong: Wrong
) -> None:
    path, old = tmp_path / "tls.crt", x509.one((tmp_path / "tls.crt").read_text())

    def seen() -> bool:
        leaf, issuer = x509.parse(path.read_text())
        same = leaf.key_fingerprint == old.key_fingerprint and leaf.serial != old.serial
        return wrong(leaf) and same and leaf.signed_by(issuer)

    there_and_back(bed, "tls.certificate", path, seen, **arguments)


@pytest.mark.parametrize(
    ("shape", "form"),
    [
        ("empty", "empty"),
        ("truncated", "truncated"),
        ("der", "der"),
        ("key", "key"),
        ("backwards", "pem"),
        ("leaf", "pem"),
    ],
)
def test_a_file_has_another_shape(bed: Bed, tmp_path: Path, shape: str, form: str) -> None:
    path = tmp_path / "tls.crt"

    there_and_back(bed, "tls.certificate", path, lambda: pem_files.certificate(str(path))["form"] == form, shape=shape)


@pytest.mark.parametrize(("protected", "form"), [(False, "pem"), (True, "encrypted")])
def test_a_key_belongs_to_nothing(bed: Bed, tmp_path: Path, protected: bool, form: str) -> None:
    path, pem = tmp_path / "tls.key", (tmp_path / "tls.crt").read_text()

    def seen() -> bool:
        return pem_files.key(str(path))["form"] == form and not pem_files.matching([pem], str(path))

    there_and_back(bed, "tls.key", path, seen, protected=protected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"of": "host", "principals": ["a", "b"]}, ("host", ("a", "b"), True)),
        ({"of": "user", "principals": ["root"]}, ("user", ("root",), False)),
        ({"of": "host", "principals": ["jast"], "stranger": True}, ("host", ("jast",), False)),
    ],
)
def test_a_certificate_of_ssh_is_signed_anew(
    bed: Bed, tmp_path: Path, arguments: dict[str, Any], expected: tuple[str, tuple[str, ...], bool]
) -> None:
    path = tmp_path / "host-cert.pub"
    (host,) = authorities((tmp_path / "pki/ssh-host-ca.pub").read_text())

    def seen() -> bool:
        found = read(path.read_text())
        return (found.kind, found.principals, found.authority == host) == expected

    there_and_back(bed, "ssh.certificate", path, seen, **arguments)


def test_a_certificate_of_ssh_may_have_ended(bed: Bed, tmp_path: Path) -> None:
    path = tmp_path / "host-cert.pub"

    def seen() -> bool:
        ends = read(path.read_text()).ends
        return ends is not None and ends < datetime.now(UTC)

    there_and_back(bed, "ssh.certificate", path, seen, of="host", principals=["jast"], expired=True)


def test_a_certificate_of_ssh_may_be_for_another_key(bed: Bed, tmp_path: Path) -> None:
    path = tmp_path / "host-cert.pub"
    (own,) = authorities((tmp_path / "host.pub").read_text())

    there_and_back(
        bed, "ssh.certificate", path, lambda: read(path.read_text()).key != own, of="host", principals=["jast"],
        other_key=True,
    )  # fmt: skip


def test_a_renewer_is_started_again_by_its_undo(bed: Bed) -> None:
    call = Call("renewer.start", {"node": "jast", "unit": "cert-renewer@s.service"})
    with Local(bed, {}) as reach:
        (undo,) = call.reverse(bed, reach)

    assert undo.arguments == {"node": "jast", "unit": "cert-renewer@s.service", "failed": False}
