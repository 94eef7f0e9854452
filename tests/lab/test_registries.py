"""Which hosts a machine fetches its programs from is read out of its own settings."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab import registries


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
