"""Certificates as they lie on a node: every way in which a file can be wrong has an outcome of its own."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from plumbline.facts.renewers import Command, Renewer, span
from plumbline.facts.ssh import authorities, read
from plumbline.remote import pem_files, renewers, ssh_files, step_issue
from plumbline.remote.types import Probe
from tests.collect.certificates import Authority, Leaf


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Leaf:
    return authority.leaf("service.test")


def test_a_whole_pair_belongs_together(leaf: Leaf, tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_text(leaf.certificate)
    key.write_text(leaf.key)
    key.chmod(0o600)

    found = pem_files.certificate(str(certificate))

    assert (found["form"], len(found["pem"]), found["owner"]) == ("pem", 1, "root")
    assert pem_files.key(str(key)) | {"mtime": 0} == {
        "exists": True, "owner": "root", "mode": 0o600, "size": len(leaf.key), "mtime": 0, "form": "pem",
    }  # fmt: skip
    assert pem_files.matching(found["pem"], str(key)) == [0]


def _broken(leaf: Leaf) -> dict[str, bytes]:
    pem = leaf.certificate
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    return {
        "empty": b"", "truncated": pem[: len(pem) // 2].encode(), "der": der, "key": (pem + leaf.key).encode(),
        "rubbish": b"no certificate",
    }  # fmt: skip


@pytest.mark.parametrize("form", ["empty", "truncated", "der", "key", "rubbish"])
def test_a_certificate_file_says_what_is_wrong_with_it(leaf: Leaf, tmp_path: Path, form: str) -> None:
    (tmp_path / "tls.crt").write_bytes(_broken(leaf)[form])

    found = pem_files.certificate(str(tmp_path / "tls.crt"))

    assert found["form"] == form
    assert "PRIVATE" not in str(found)


def test_a_missing_file_is_just_that(tmp_path: Path) -> None:
    assert pem_files.certificate(str(tmp_path / "none")) == {"exists": False}


def test_certificates_in_the_wrong_order_are_seen_by_the_key(leaf: Leaf, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_text(authority.certificate + leaf.certificate)
    (tmp_path / "tls.key").write_text(leaf.key)

    found = pem_files.certificate(str(tmp_path / "tls.crt"))

    assert pem_files.matching(found["pem"], str(tmp_path / "tls.key")) == [1]


def test_a_key_of_another_matches_nothing(leaf: Leaf, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "tls.key").write_text(authority.leaf("other.test").key)

    assert pem_files.matching([leaf.certificate], str(tmp_path / "tls.key")) == []


def test_a_protected_key_is_told_and_not_asked_for(leaf: Leaf, tmp_path: Path) -> None:
    key = load_pem_private_key(leaf.key.encode(), None)
    protected = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    (tmp_path / "tls.key").write_bytes(protected)

    assert pem_files.key(str(tmp_path / "tls.key"))["form"] == "encrypted"
    assert pem_files.matching([leaf.certificate], str(tmp_path / "tls.key")) == []


@pytest.mark.parametrize(("password", "form"), [("", "pem"), ("a word", "encrypted")])
def test_a_key_of_ssh_is_protected_or_not(tmp_path: Path, password: str, form: str) -> None:
    _keygen("-t", "ed25519", "-N", password, "-f", str(tmp_path / "key"))

    assert pem_files.key(str(tmp_path / "key"))["form"] == form


def test_a_certificate_of_ssh_is_read(tmp_path: Path) -> None:
    ca, key = tmp_path / "ca", tmp_path / "key"
    for name in (ca, key):
        _keygen("-t", "ed25519", "-N", "", "-f", str(name))
    _keygen("-s", str(ca), "-h", "-I", "id", "-n", "b,a", "-V", "-1m:+1d", "-z", "7", f"{key}.pub")
    found = ssh_files.text(f"{key}-cert.pub")

    certificate = read(found["text"])

    assert (certificate.kind, certificate.key_type, certificate.serial) == ("host", "ssh-ed25519", 7)
    assert certificate.principals == ("a", "b")
    assert certificate.authority == authorities(Path(f"{ca}.pub").read_text())[0]
    assert certificate.key == authorities(f"@cert-authority * {Path(f'{key}.pub').read_text()}")[0]
    assert certificate.ends is not None
    assert certificate.ends - certificate.starts == timedelta(days=1, minutes=1)


def test_what_nobody_signed_is_no_certificate(tmp_path: Path) -> None:
    _keygen("-t", "ed25519", "-N", "", "-f", str(tmp_path / "key"))

    with pytest.raises(ValueError, match="nobody has signed"):
        read((tmp_path / "key.pub").read_text())
    with pytest.raises(ValueError, match="no certificate"):
        read("rubbish")


def _keygen(*arguments: str) -> None:
    subprocess.run(["ssh-keygen", "-q", *arguments], check=True, timeout=20)


def ago(seconds: int) -> str:
    """A moment as systemctl writes it."""
    return f"{datetime.now(UTC) - timedelta(seconds=seconds):%a %Y-%m-%d %H:%M:%S UTC}"


TIMER = {
    "LoadState": ["loaded"], "ActiveState": ["active"], "UnitFileState": ["enabled"], "Persistent": ["yes"],
    "TimersCalendar": ["{ OnCalendar=*-*-* *:01/5:00 ; next_elapse=Fri 2025-11-21 20:01:00 UTC }"], "RandomizedDelayUSec": ["1min"],
    "LastTriggerUSec": ["Fri 2025-11-21 20:00:00 UTC"], "Unit": ["cert-renewer@s.service"],
}  # fmt: skip
SERVICE = {
    "LoadState": ["loaded"], "Result": ["exec-condition"], "User": ["root"],
    "Environment": ["STEPPATH=/etc/step-ca CERT_LOCATION=/s.crt KEY_LOCATION=/s.key EXPIRES_IN_THRESHOLD=66%"],
    "ExecCondition": [
        "{ path=/usr/bin/step ; argv[]=/usr/bin/step certificate needs-renewal ${CERT_LOCATION} ; ignore_errors=no ; "
        "start_time=[@1763755200] ; stop_time=[@1763755201] ; pid=7 ; code=exited ; status=1 }"
    ],
    "ExecStart": [
        "{ path=/usr/bin/step ; argv[]=/usr/bin/step ca renew ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; "
        "pid=0 ; code=(null) ; status=0/0 }"
    ],
}  # fmt: skip


def test_a_timer_is_read() -> None:
    renewer = Renewer("s", {"timer": TIMER, "service": SERVICE})

    assert (renewer.loaded, renewer.active, renewer.enabled, renewer.persistent) == (True, True, True, True)
    assert (renewer.every, renewer.jitter) == (timedelta(minutes=5), timedelta(minutes=1))
    assert renewer.triggered == datetime(2025, 11, 21, 20, tzinfo=UTC)
    assert renewer.environment["CERT_LOCATION"] == "/s.crt"
    assert renewer.condition == Command("/usr/bin/step certificate needs-renewal ${CERT_LOCATION}", "exited", 1)
    assert renewer.command.status == -1


@pytest.mark.parametrize(
    ("looked", "active", "seconds"),
    [(50, 70, 50), (None, 70, 70), (None, 9000, 600), (None, None, 600)],
)
def test_a_timer_is_silent_since_its_last_look_or_since_it_could_look(
    looked: int | None, active: int | None, seconds: int
) -> None:
    timer = {"LastTriggerUSec": ["n/a" if looked is None else ago(looked)]}
    timer |= {} if active is None else {"ActiveEnterTimestamp": [ago(active)]}

    silent = Renewer("s", {"timer": timer, "service": {}}).silent_for(timedelta(seconds=600))

    assert seconds <= silent.total_seconds() < seconds + 30


@pytest.mark.parametrize(("begun", "spans", "seconds"), [(30, True, 30), (90, True, 70), (30, False, 70)])
def test_a_timer_that_counts_from_its_service_waits_anew_when_that_was_started(
    begun: int, spans: bool, seconds: int
) -> None:
    timer = {"LastTriggerUSec": [ago(70)], "TimersMonotonic": ["{ OnUnitActiveUSec=1min ; next_elapse=2 }"] * spans}
    renewer = Renewer("s", {"timer": timer, "service": {"InactiveExitTimestamp": [ago(begun)]}})

    assert seconds <= renewer.silent_for(timedelta(seconds=600)).total_seconds() < seconds + 10


@pytest.mark.parametrize(
    ("lines", "every", "first"),
    [
        (["{ OnBootUSec=5min ; next_elapse=1 }", "{ OnUnitActiveUSec=15min ; next_elapse=2 }"], 900, 300),
        (["{ OnStartupUSec=1min 30s ; next_elapse=1 }"], None, 90),
    ],
)
def test_a_timer_of_spans_is_read(lines: list[str], every: int | None, first: int) -> None:
    renewer = Renewer("s", {"timer": {"TimersMonotonic": lines}, "service": {}})

    assert renewer.every == (timedelta(seconds=every) if every else None)
    assert renewer.after_boot == timedelta(seconds=first)
    assert renewer.triggered is None


@pytest.mark.parametrize(
    ("calendar", "seconds"), [("*-*-* *:*:00/15", 15), ("*-*-* *:00/10:00", 600), ("*-*-* *:*:00", 60), ("daily", None)]
)
def test_a_calendar_is_a_period_or_unknown(calendar: str, seconds: int | None) -> None:
    timer = {"TimersCalendar": [f"{{ OnCalendar={calendar} ; next_elapse=n/a }}"]}
    every = Renewer("s", {"timer": timer, "service": {}}).every

    assert every == (timedelta(seconds=seconds) if seconds else None)


@pytest.mark.parametrize(("text", "seconds"), [("1min 30s", 90), ("1us", 0.000001), ("0", 0), ("1h 5min", 3900)])
def test_a_span_is_read(text: str, seconds: float) -> None:
    assert span(text) == timedelta(seconds=seconds)


def test_no_more_of_an_environment_is_kept_than_is_judged() -> None:
    assert renewers._block("Environment=A_TOKEN=secret CERT_LOCATION=/c\nId=x") == {
        "Environment": ["CERT_LOCATION=/c"],
        "Id": ["x"],
    }


@pytest.mark.parametrize(
    ("says", "code", "outcome"),
    [
        ("dial tcp 10.0.0.1:9443: connect: connection refused", 1, "unreachable"),
        ("requested duration of 169h0m0s is more than the authorized maximum", 1, "refused"),
        ("something else", 1, "error"),
    ],
)
def test_what_step_says_is_an_outcome(tmp_path: Path, says: str, code: int, outcome: str) -> None:
    step = tmp_path / "step"
    step.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    step.chmod(0o755)
    args = {"program": str(step), "folder": "/", "provisioner": "p", "password": "/p", "name": "n", "seconds": 60}

    answer = step_issue.probe(Probe("one", "step", args, timeout=5))

    assert (answer.outcome, says in (answer.error or "")) == (outcome, True)
