"""The host key that a server shows, and servers that show none."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.collect import Access, host_keys
from plumbline.collect.ssh import Login
from tests.collect import sshd as servers

NODE = Login("node", "node")


def test_a_silent_server_is_not_taken_for_one_without_a_signed_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_keys, "_LIMIT_S", 1)
    with servers.pretender(tmp_path, b"") as silent:
        shown = host_keys.collect(Access(ssh_config=silent.config), [NODE])["node"]

    assert "showed nothing within 2 s" in shown["error"]


def test_a_closed_port_is_no_server(tmp_path: Path) -> None:
    closed = servers.config(tmp_path, servers.free_port())
    shown = host_keys.collect(Access(ssh_config=closed), [NODE])["node"]

    assert "no SSH server" in shown["error"]


@pytest.mark.skipif(not servers.ROOT, reason="only root starts an sshd")
def test_a_server_shows_the_certificate_of_its_key_before_any_login(tmp_path: Path) -> None:
    servers.keys(tmp_path)
    with servers.sshd(tmp_path) as server:
        shown = host_keys.collect(Access(ssh_config=server.config), [NODE])["node"]

    assert shown["error"] is None
    assert len(shown["certificates"]) == 1
