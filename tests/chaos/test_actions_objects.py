"""Actions on objects, secrets, certificates, files and the bed file: what was comes back, and no secret is told."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from chaos.actions import certificates
from chaos.actions.inventory import copy_of
from chaos.actions.objects import covers, inverse
from chaos.call import ActionFailed, Call
from chaos.remote import file as remote
from plumbline import places
from plumbline.bed import load
from tests.chaos.reaches import Local, bed, merged

BED = bed()
SECRET = {"tls.crt": "b2xk", "tls.key": "c2VjcmV0", "ca.crt": "Y2E="}


@pytest.fixture
def reach() -> Iterator[Local]:
    with Local(BED, {}) as made:
        ca = certificates.authority("persona-ca")
        made.keep("Secret", "persona-ca", "cert-manager", data={"tls.crt": _b64(ca.pem), "tls.key": _b64(ca.key_pem)})
        made.keep("Secret", "persona-tls", "persona-3", data=dict(SECRET), type="kubernetes.io/tls")
        made.keep(
            "Secret",
            "dashboard-secrets",
            "web-agents",
            data={"A": _b64("postgres://u:p@h"), "B": _b64("b")},
            type="Opaque",
        )
        made.keep("ConfigMap", "ngfw-ca", "web-agents", data={"ngfw-ca.crt": "old"})
        made.keep("Node", "ucs-2", spec={}, metadata={"namespace": "", "labels": {"role": "playwright", "x": "1"}})
        made.keep("Deployment", "web-agent", "web-agents", spec={"replicas": 3, "template": {"spec": {"a": [1, 2]}}})
        yield made


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("kubernetes.patch", {"kind": "Node", "name": "ucs-2", "patch": {"metadata": {"labels": {"role": None}}}}),
    (
        "kubernetes.patch",
        {"kind": "Node", "name": "ucs-2", "patch": {"metadata": {"labels": {"role": "k6", "y": "2"}}}},
    ),
    ("kubernetes.patch", {"kind": "Node", "name": "ucs-2", "patch": {"spec": {"taints": [{"key": "a"}]}}}),
    ("kubernetes.patch", {"workload": "web-agent", "patch": {"spec": {"template": {"spec": {"a": [3]}}}}}),
    ("kubernetes.delete", {"kind": "ConfigMap", "namespace": "web-agents", "name": "ngfw-ca"}),
    (
        "kubernetes.configmap",
        {"namespace": "web-agents", "name": "ngfw-ca", "replace": {"ngfw-ca.crt": {"old": "new"}}},
    ),
    ("kubernetes.create", {"object": {"kind": "Namespace", "metadata": {"name": "stray"}}}),
    ("kubernetes.secret", {"secret": "dashboard-secrets", "replace": {"A": {":p@": ":q@"}}}),
    ("kubernetes.secret", {"secret": "dashboard-secrets", "without": ["B"]}),
    ("kubernetes.secret", {"secret": "dashboard-secrets", "values": {"B": "changeme", "C": "new"}}),
    ("kubernetes.secret", {"secret": "web-agents/dashboard-secrets", "present": False}),
    ("certificate.put", {"certificate": "persona-3", "ended": "1d", "begins": "10d"}),
    ("certificate.put", {"certificate": "persona-3", "without": ["tls.key"]}),
    ("authority.put", {"authority": "persona-ca", "other_key": True}),
    ("authority.publish", {"authority": "ngfw-ca", "what": "another"}),
    ("authority.publish", {"authority": "ngfw-ca", "what": "empty"}),
]


@pytest.mark.parametrize(("action", "arguments"), CALLS, ids=[f"{a} {list(b.values())}"[:90] for a, b in CALLS])
def test_what_is_done_holds_and_its_undo_brings_all_of_it_back(
    action: str, arguments: dict[str, Any], reach: Local
) -> None:
    call = Call(action, arguments)
    before = json.loads(json.dumps(reach.objects))

    undo = call.reverse(BED, reach)
    assert reach.objects == before, "reverse only looks"
    assert not call.holds(BED, reach)
    call.apply(BED, reach)
    call.apply(BED, reach)
    assert call.holds(BED, reach)
    told = json.dumps([step.written() for step in undo])
    for step in undo:
        step.apply(BED, reach)
        step.apply(BED, reach)

    assert all(step.holds(BED, reach) for step in undo)
    assert {k: _content(v) for k, v in reach.objects.items()} == {k: _content(v) for k, v in before.items()}
    assert not any(value in told for value in SECRET.values())


def _content(item: dict[str, Any]) -> Any:
    return {key: value for key, value in item.items() if key not in ("metadata", "apiVersion")}, {
        key: value
        for key, value in item["metadata"].items()
        if value and key not in ("uid", "resourceVersion", "generation")
    }


def test_a_certificate_is_wrong_in_the_one_way_that_was_asked_for(reach: Local) -> None:
    def put(**arguments: Any) -> tuple[x509.Certificate, dict[str, str]]:
        Call("certificate.put", {"certificate": "persona-3", **arguments}).apply(BED, reach)
        data = reach.objects["/api/v1/namespaces/persona-3/secrets/persona-tls"]["data"]
        return x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"])), data

    now = dt.datetime.now(dt.UTC)
    assert put(ended="1d")[0].not_valid_after_utc < now
    assert put(begins_in="1d")[0].not_valid_before_utc > now
    late = put(names=["other.persona.internal"])[0]
    assert "other.persona.internal" in late.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value.get_values_for_type(x509.DNSName)
    assert put(issuer="stranger")[0].issuer.rfc4514_string() == "CN=a stranger"
    own = put(issuer="itself")[0]
    assert own.issuer == own.subject
    certificate, data = put(other_key=True)
    key = certificates.load_pem_private_key(base64.b64decode(data["tls.key"]), None)
    assert key.public_key() != certificate.public_key()
    signer = reach.objects["/api/v1/namespaces/cert-manager/secrets/persona-ca"]["data"]["tls.crt"]
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(base64.b64decode(signer)))


def test_a_patch_that_changes_nothing_needs_no_undo(reach: Local) -> None:
    same = {"kind": "Node", "name": "ucs-2", "patch": {"metadata": {"labels": {"role": "playwright"}}}}

    assert Call("kubernetes.patch", same).reverse(BED, reach) == []


@pytest.mark.parametrize(
    ("now", "patch"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": None}),
        ({}, {"a": {"b": {"c": 1}}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None, "d": 4}}),
        ({"a": [1, 2]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": "text"}),
    ],
)
def test_the_inverse_of_a_patch_takes_it_back(now: dict[str, Any], patch: dict[str, Any]) -> None:
    changed = merged(now, patch)

    assert covers(changed, patch)
    assert covers(merged(changed, inverse(patch, now)), now)


@pytest.mark.parametrize(
    "request_", [{"content": "new\n"}, {"append": "# more\n"}, {"replace": {"old": "new"}}, {"present": False}]
)
def test_a_file_comes_back_with_its_owner_and_mode(
    request_: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(remote, "KEPT", str(tmp_path / "kept"))
    file = tmp_path / "secret.conf"
    file.write_text("old text\n")
    file.chmod(0o640)

    def do(what: str, **more: Any) -> list[str]:
        remote.main({"do": what, "path": str(file), "copy": "c1", **more})
        return list(json.loads(capsys.readouterr().out))

    assert do("look") == ["was"]
    assert do("change", **request_) == ["changed"]
    assert do("change", **request_) == ["changed"]
    assert (file.read_text() if file.exists() else "") != "old text\n"
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    assert do("back") == ["was"]
    assert do("back") == ["was"]
    assert file.read_text() == "old text\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert not list((tmp_path / "kept").iterdir())


def test_two_changes_of_one_file_come_back_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(remote, "KEPT", str(tmp_path / "kept"))
    file = tmp_path / "new"
    for copy, content in (("c1", "one"), ("c2", "two")):
        remote.main({"do": "change", "path": str(file), "copy": copy, "content": content})
    remote.main({"do": "back", "path": str(file), "copy": "c2"})
    assert file.read_text() == "one"
    remote.main({"do": "back", "path": str(file), "copy": "c1"})
    assert not file.exists()


def test_a_file_that_was_removed_below_a_pattern_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(remote, "KEPT", str(tmp_path / "kept"))
    file = tmp_path / "pods" / "one" / "etc" / "key.pem"
    file.parent.mkdir(parents=True)
    (tmp_path / "pods" / "without").mkdir()
    file.write_text("a key")

    def do(what: str) -> list[str]:
        remote.main({"do": what, "path": f"{tmp_path}/pods/*/etc/key.pem", "copy": "c1", "present": False})
        return list(json.loads(capsys.readouterr().out))

    assert do("change") == ["changed"]
    assert not file.exists()
    assert do("look") == ["changed"]
    assert do("back") == ["was"]
    assert file.read_text() == "a key"


CHANGES: list[tuple[str, Any]] = [
    ("networks.persona-3.mtu", 1500),
    ("host.0.sysctls.net.ipv4.ip_forward", 0),
    ("not_applicable.[check=host.module]", None),
    ("networks.browsers.addresses.ngfw", None),
]


def test_the_bed_file_itself_stays_as_it_is(reach: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_root", lambda: tmp_path)
    calls = [Call("inventory.set", {"values": {path: value}}) for path, value in CHANGES]
    before = BED.path.read_bytes()

    for call in calls:
        call.apply(BED, reach)
        call.apply(BED, reach)
    assert all(call.holds(BED, reach) for call in calls)
    altered = load(copy_of(BED))
    assert altered.networks["persona-3"].mtu == 1500
    assert altered.networks["persona-4"] == BED.networks["persona-4"]
    assert altered.host[0].sysctls["net.ipv4.ip_forward"] == 0
    assert altered.host[0].services == BED.host[0].services
    assert len(altered.not_applicable) == len(BED.not_applicable) - 1
    assert "ngfw" not in altered.networks["browsers"].addresses
    for call in reversed(calls):
        for step in call.reverse(BED, reach):
            step.apply(BED, reach)

    assert not copy_of(BED).exists()
    assert BED.path.read_bytes() == before


def test_a_bed_file_that_cannot_be_read_is_refused(
    reach: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_root", lambda: tmp_path)

    with pytest.raises(ActionFailed, match="such a bed file cannot be read"):
        Call("inventory.set", {"values": {"networks.persona-3.vlan": 9999}}).apply(BED, reach)
    assert not copy_of(BED).exists()


@pytest.mark.parametrize(
    ("phase", "ready", "namespace", "holds"),
    [
        ("Running", "True", "web-agents", True),
        ("Running", "False", "web-agents", False),
        ("Running", "False", "somebody-elses", True),
        ("Succeeded", "False", "web-agents", True),
    ],
)
def test_a_pod_that_is_not_ready_is_seen(reach: Local, phase: str, ready: str, namespace: str, holds: bool) -> None:
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": ready, "reason": "any"}]}
    pod = {"metadata": {"namespace": namespace, "name": "a", "uid": "1"}, "spec": {}, "status": status}
    reach.objects["/api/v1/pods"] = {"items": [pod]}

    assert Call("kubernetes.ready").holds(BED, reach) is holds
