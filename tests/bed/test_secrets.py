"""Secrets never stand in a bed file; references to them are looked up on use and never printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.bed import Bed, BedError, resolve, resolve_path

HUSH = "hunter2"


@pytest.mark.parametrize(
    "lines",
    [
        f"ngfw: {{snmp: {{community: {HUSH}}}}}",
        f"access: {{ssh: {{password: {HUSH}}}}}",
        f"access: {{token: {HUSH}}}",
        f"title: 'postgres://me:{HUSH}@db/x'",
        f"title: '-----BEGIN EC PRIVATE KEY----- {HUSH}'",
        "access: {api_key: 12345}",
    ],
)
def test_a_literal_secret_is_refused_and_not_shown(small_with: Callable[[str], Bed], lines: str) -> None:
    with pytest.raises(BedError, match="found a value that is not shown") as caught:
        small_with(lines)

    assert HUSH not in str(caught.value)
    assert "12345" not in str(caught.value)


def test_a_reference_is_kept_as_it_is_written(small_with: Callable[[str], Bed]) -> None:
    bed = small_with('access: {kubeconfig: "${env:KUBECONFIG}"}\nngfw: {snmp: {community: "${file:/run/community}"}}')

    assert bed.access.kubeconfig == "${env:KUBECONFIG}"
    assert bed.ngfw is not None
    assert bed.ngfw.snmp is not None
    assert bed.ngfw.snmp.community == "${file:/run/community}"


def test_references_are_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "/etc/bed")
    (tmp_path / "word").write_text(f"{HUSH}\n")

    assert resolve("${env:PLACE}/config") == "/etc/bed/config"
    assert resolve("${file:word}", tmp_path / "bed.yaml") == HUSH
    assert resolve_path("${env:PLACE}") == Path("/etc/bed")
    assert resolve_path("config", tmp_path / "bed.yaml") == tmp_path / "config"
    assert resolve_path("~/config") == Path.home() / "config"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "${env:NO_SUCH_NAME}",
            r"bed.yaml: access.kubeconfig: \$\{env:NO_SUCH_NAME\} is not set; export NO_SUCH_NAME=…",
        ),
        ("${file:/no/such}", r"bed.yaml: access.kubeconfig: \$\{file:/no/such\} is not set; No such file or directory"),
    ],
)
def test_an_unset_reference_is_told(value: str, said: str) -> None:
    with pytest.raises(BedError, match=said):
        resolve(value, "bed.yaml", "access.kubeconfig")
