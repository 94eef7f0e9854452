"""The host key that a server shows, and servers that show none."""

from __future__ import annotations

import base64
import hmac
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


@pytest.mark.parametrize(
    ("hosts", "trusted"),
    [
        ("*", True),
        ("*.example.net,192.0.2.?", True),
        ("[192.0.2.7]:2222", True),
        ("[192.0.2.7]:22", False),
        ("*,!192.0.2.7,!*:2222", False),
        ("*.example.net", False),
        ("|1|c2FsdA==|bXQjkhUhLsvIzN2eSmVkXX2tJ4c=", False),
    ],
)
def test_an_authority_counts_for_the_hosts_of_its_line(tmp_path: Path, hosts: str, trusted: bool) -> None:
    (tmp_path / "global").write_text(
        f"# a comment\n\n{hosts} ssh-ed25519 HOST\n@cert-authority {hosts} ssh-ed25519 CA it\n"
    )
    config = f"Host node\n HostName 192.0.2.7\n Port 2222\n GlobalKnownHostsFile {tmp_path}/global\n"
    (tmp_path / "config").write_text(f"{config} UserKnownHostsFile none\n")
    known = host_keys._resolved(Access(ssh_config=tmp_path / "config"), NODE)

    assert host_keys._authorities(known) == (["ssh-ed25519 CA"] if trusted else [])


def test_an_authority_counts_for_hosts_whose_names_are_hidden() -> None:
    made = hmac.new(b"salt", b"192.0.2.7", "sha1").digest()
    hidden = f"|1|{base64.b64encode(b'salt').decode()}|{base64.b64encode(made).decode()}"

    assert host_keys._is_for([hidden], ["192.0.2.7"])
    assert not host_keys._is_for([hidden], ["192.0.2.8"])


@pytest.mark.skipif(not servers.ROOT, reason="only root starts an sshd")
def test_a_server_shows_the_certificate_of_its_key_before_any_login(tmp_path: Path) -> None:
    servers.keys(tmp_path)
    with servers.sshd(tmp_path) as server:
        shown = host_keys.collect(Access(ssh_config=server.config), [NODE])["node"]

    assert shown["error"] is None
    assert len(shown["certificates"]) == 1
