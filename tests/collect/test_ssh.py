"""A node that answers, and every way in which one does not."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plumbline.collect import Access
from plumbline.collect.ssh import Login, connections
from plumbline.facts.source import Source
from tests.collect import sshd as servers

REQUEST: dict[str, Any] = {"deadline": 4, "host": {"sysctls": ["kernel.pid_max"]}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys."""
    path = tmp_path_factory.mktemp("ssh")
    servers.keys(path)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[servers.Server]:
    """A real SSH server."""
    if not servers.ROOT:
        pytest.skip("only root starts an sshd")
    with servers.sshd(folder) as running:
        yield running


def ask(config: Path, tmp_path: Path, deadline: float = 8, request: dict[str, Any] | None = None) -> Source:
    """One round trip."""
    with connections(Access(ssh_config=config), tmp_path / "c", 2) as ssh:
        return ssh.ask(Login("node", "node"), request or REQUEST, deadline)


def test_a_node_answers_in_spite_of_its_banner(server: servers.Server, tmp_path: Path) -> None:
    source = ask(server.config, tmp_path)

    assert source.outcome == "ok", source.error
    assert int(source.facts["host"]["sysctls"]["kernel.pid_max"]) > 0


def test_the_second_round_trip_shares_the_connection(server: servers.Server, tmp_path: Path) -> None:
    with connections(Access(ssh_config=server.config), tmp_path / "c", 2) as ssh:
        login = Login("node", "node")
        first, second = (ssh.ask(login, {"deadline": 4}, 8) for _ in range(2))

    assert (first.outcome, second.outcome) == ("ok", "ok")
    assert second.seconds < first.seconds
    assert not (tmp_path / "c").exists()


def test_the_clock_of_the_same_machine_is_right(server: servers.Server, tmp_path: Path) -> None:
    facts = ask(server.config, tmp_path).facts

    assert facts["clock"]["sent"] <= facts["start"] <= facts["end"] <= facts["clock"]["received"]


def test_a_login_without_the_right_key_is_refused(server: servers.Server, folder: Path, tmp_path: Path) -> None:
    config = servers.config(tmp_path, server.port, "IdentityFile /dev/null")
    (tmp_path / "known_hosts").write_text((folder / "known_hosts").read_text())

    assert ask(config, tmp_path).outcome == "refused"


def test_a_host_that_the_authority_did_not_sign_is_refused(server: servers.Server, tmp_path: Path) -> None:
    servers.keys(tmp_path)
    source = ask(servers.config(tmp_path, server.port), tmp_path)

    assert source.outcome == "refused"
    assert "host key" in (source.error or "").lower()


def test_a_closed_port_is_refused(folder: Path, tmp_path: Path) -> None:
    assert ask(servers.config(folder, servers.free_port()), tmp_path).outcome == "refused"


def test_a_name_that_leads_nowhere_is_unreachable(folder: Path, tmp_path: Path) -> None:
    config = servers.config(folder, 1, "ProxyCommand false")

    assert ask(config, tmp_path).outcome == "unreachable"


def test_a_server_that_says_nothing_is_a_timeout(folder: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    with servers.pretender(folder, b"") as silent:
        assert ask(silent.config, tmp_path, deadline=1).outcome == "timeout"
    assert time.monotonic() - started < 3


def test_a_server_that_is_no_ssh_is_rubbish(folder: Path, tmp_path: Path) -> None:
    with servers.pretender(folder, b"\x00\x01\x02 go away\r\n" * 300) as odd:
        assert ask(odd.config, tmp_path).outcome == "rubbish"


def test_a_node_that_answers_after_the_limit_is_a_timeout(server: servers.Server, tmp_path: Path) -> None:
    slow: dict[str, Any] = {"deadline": 20, "probes": [_silence(30)]}
    started = time.monotonic()

    assert ask(server.config, tmp_path, deadline=1.5, request=slow).outcome == "timeout"
    assert time.monotonic() - started < 4


def test_what_a_node_prints_beside_its_answer_does_no_harm(
    server: servers.Server, folder: Path, tmp_path: Path
) -> None:
    config = servers.config(folder, server.port)
    shell = folder / "authorized_keys"
    key = (folder / "user.pub").read_text()
    shell.write_text(f'command="echo {{motd; python3 -IS -; echo bye}}" {key}')
    try:
        assert ask(config, tmp_path).outcome == "ok"
        shell.write_text(f'command="cat >/dev/null; echo not what was asked" {key}')
        rubbish = ask(config, tmp_path)
    finally:
        shell.write_text(key)

    assert rubbish.outcome == "rubbish"
    assert "not what was asked" in (rubbish.error or "")


def test_no_process_of_ours_stays(server: servers.Server, tmp_path: Path) -> None:
    ask(server.config, tmp_path)
    end = time.monotonic() + 5  # a master that was told to go has its own last moment
    while (left := _of_ours(tmp_path)) and time.monotonic() < end:
        time.sleep(0.02)

    assert not left


def _of_ours(folder: Path) -> list[str]:
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and str(folder) in _command(pid)]


def _command(pid: str) -> str:
    try:
        return Path("/proc", pid, "cmdline").read_text()
    except OSError:
        return ""


def _silence(seconds: float) -> dict[str, Any]:
    args = {"interface": "lo", "address": "192.0.2.1", "window": seconds}
    return {"id": "slow", "kind": "arp", "args": args, "timeout": seconds}
