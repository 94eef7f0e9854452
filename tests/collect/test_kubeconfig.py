"""A kubeconfig made into a connection: with its certificates, and without leaving them in files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from urllib3.exceptions import SSLError

from plumbline.collect import Access
from plumbline.collect.kubeconfig import connect
from tests.collect import api
from tests.collect.certificates import Authority


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_certificate_is_shown_and_no_file_holds_it(tmp_path: Path, temporary: Path) -> None:
    with api.api(tmp_path, {}, strict=True) as kubeconfig:
        server = connect(Access(), kubeconfig, "test")

        assert list(temporary.iterdir()) == []
        assert server.pool.request("GET", f"{server.host}/api", headers=server.headers, timeout=5).status == 200


def test_a_server_of_another_authority_is_refused(tmp_path: Path, temporary: Path) -> None:
    with api.api(tmp_path, {}) as kubeconfig:
        port = kubeconfig.read_text().partition("localhost:")[2].partition('"')[0]
        other = Authority("other-ca")
        server = connect(Access(), api.kubeconfig(temporary, int(port), other.certificate, other.leaf("user")), "test")

        with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            server.pool.request("GET", f"{server.host}/api", timeout=5, retries=False)
