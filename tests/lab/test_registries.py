"""Which hosts a machine fetches its programs from, and whom it asks for them, is read out of its own settings."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab import containment, registries


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("https_proxy", "http://user:secret@proxy.test:3128/", {"proxy.test"}),
        ("HTTP_PROXY", "10.9.4.8:3128", {"10.9.4.8"}),
        ("GOPROXY", "https://a.test/go|https://b.test,direct", {"a.test", "b.test"}),
        ("PIP_EXTRA_INDEX_URL", "https://c.test/simple https://d.test/simple", {"c.test", "d.test"}),
        ("PATH", "https://e.test", set()),
    ],
)
def test_variables(name: str, value: str, found: set[str], tmp_path: Path) -> None:
    ground = registries.hosts({"HOME": str(tmp_path)})

    assert registries.hosts({"HOME": str(tmp_path), name: value}) - ground == found


def test_files(tmp_path: Path) -> None:
    for place, text in {
        ".config/pip/pip.conf": "[global]\nindex-url = https://f.test/simple",
        ".config/go/env": "GOPROXY=https://g.test",
    }.items():
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(text)

    assert registries.hosts({"HOME": str(tmp_path)}) >= {"f.test", "g.test"}


def test_a_name_that_does_not_resolve_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "hosts", lambda: {"no.such.invalid", "10.9.4.8"})

    assert registries.addresses() == {IPv4Address("10.9.4.8"): "10.9.4.8"}


def test_the_resolvers_behind_a_stub_are_known_too(tmp_path: Path) -> None:
    stub, behind = tmp_path / "stub", tmp_path / "behind"
    stub.write_text("# a stub\nnameserver 127.0.0.53\noptions edns0\n")
    behind.write_text("nameserver 10.9.4.1\nnameserver fe80::1\n")

    found = containment._resolvers((stub, tmp_path / "missing", behind))

    assert found == [IPv4Address("127.0.0.53"), IPv4Address("10.9.4.1")]
    assert Path("/run/systemd/resolve/resolv.conf") in containment._RESOLVERS
