"""Servers for users on the engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.load import servers


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Origin]:
    """A real web server on loopback."""
    with servers.caddy(tmp_path_factory.mktemp("origin")) as running:
        yield running


@pytest.fixture(scope="session")
def rude() -> Iterator[str]:
    """A server that does what no server should; its URL."""
    with servers.rude() as url:
        yield url
