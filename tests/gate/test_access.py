"""How testinfra reaches the nodes, and how long another machine's Lease is waited for."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures import elsewhere, prepare
from fixtures.options import may_send
from plumbline.bed import load
from plumbline.collect.access import Access
from plumbline.collect.ssh import Login

BED = """
version: 1
bed: small
realised_by: hardware
access: {ssh: %s}
nodes:
  one: {role: a, oobi: 192.0.2.1}
  two: {role: b, oobi: 192.0.2.2, port: 2222, user: ada}
networks: {oobi: {cidr: 192.0.2.0/24}}
"""


@pytest.mark.parametrize(
    ("ssh", "wanted"),
    [
        ("{}", ("ssh://root@192.0.2.1,ssh://ada@192.0.2.2:2222", None, False)),
        ("{user: bob, sudo: true}", ("ssh://bob@192.0.2.1,ssh://ada@192.0.2.2:2222", None, True)),
        ("{config: '${env:CONFIG}'}", ("ssh://one,ssh://ada@two:2222", "/etc/some/config", False)),
        ("{config: '${env:CONFIG}', user: bob}", ("ssh://bob@one,ssh://ada@two:2222", "/etc/some/config", False)),
    ],
)
def test_nodes_are_reached_as_the_bed_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ssh: str, wanted: tuple[str, str | None, bool]
) -> None:
    monkeypatch.setenv("CONFIG", "/etc/some/config")
    (tmp_path / "bed.yaml").write_text(BED % ssh)
    bed = load(tmp_path / "bed.yaml")
    option = SimpleNamespace(hosts=None, ssh_config=None, ssh_extra_args=None, sudo=False)
    told: Any = SimpleNamespace(option=option)

    prepare.wire_host(told, bed, {})

    assert (option.hosts, option.ssh_config, option.sudo) == wanted
    assert wanted[0].endswith(Login.of(bed, Access.of(bed), "two").address)


def test_a_lease_that_nobody_tells_of_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "_LIMIT_S", 0.05)

    assert elsewhere.told(Future()) is None


@pytest.mark.parametrize(
    ("selection", "may"),
    [
        ("", True),
        ("consul", True),
        ("not active", False),
        ("not (active or minor)", False),
        ("consul and not active", False),
        ("not active or vault", True),
        ("not (active and minor)", True),
        ("(not", True),
    ],
)
def test_nothing_is_sent_where_no_check_that_sends_is_selected(selection: str, may: bool) -> None:
    assert may_send(selection) is may
